//! Benchmarks of every crate, in `benches/`. They are a crate of their own so that the tests of the
//! other crates do not build criterion. `make bench` runs them all.
