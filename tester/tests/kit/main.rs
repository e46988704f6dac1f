//! Tests of the test kit itself, on the smallest service that will do.

mod annotations;
mod append;
mod cluster;
mod connectivity;
mod failure;
mod kv;
mod lives;
mod nemesis;
mod planted;
mod runs;
mod service;
mod statistics;
