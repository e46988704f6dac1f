//! A bank on a replicated state machine: the example of `docs/your-own-service.md`.

pub mod clerk;
pub mod machine;
pub mod server;
