//! A bank on a replicated state machine: the example of `docs/your-own-service.md`.

pub mod machine;

use machine::Bank;

/// One of the servers.
pub type Server = rsm::exactly_once::Server<Bank>;

/// One customer.
pub type Clerk = rsm::exactly_once::Clerk<Bank>;
