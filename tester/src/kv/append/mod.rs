//! Tests of the service with Put, Append and Get: its recorded clerks, the course's checks (2018 to
//! 2021), its common scenario.

mod checks;
mod generic;
mod harness;

pub use checks::{check_appends, check_concurrent_appends, element};
pub use generic::SPEED_OPS;
pub use harness::{AppendHarness, TestClerk, Unversioned};
