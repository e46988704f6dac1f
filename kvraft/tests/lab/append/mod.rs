//! The service with Put, Append and Get (3A and 3B of the editions until 2021).

mod bounded_3b;
mod generic_3a;
mod reads;
mod regressions;
mod sessions;
