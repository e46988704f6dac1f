//! Tests of the runner on bodies that need no cluster.

mod runs;
mod settings;
