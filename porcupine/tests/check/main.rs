//! The checker from outside: every verdict against a brute-force reference, and the edges.

mod brute;
mod random;
mod reference;
