//! The checker from outside: every verdict against a brute-force reference, and the edges.

mod answered;
mod brute;
mod budget;
mod explanation;
mod families;
mod hints;
mod malformed;
mod many_open;
mod more_models;
mod nondeterministic;
mod online;
mod properties;
mod random;
mod reference;
mod sequential;
