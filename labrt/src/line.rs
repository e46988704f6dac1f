//! Source lines, for reports.

/// A line of source code: where a lock was created, where a task waits.
pub(crate) type Line = &'static std::panic::Location<'static>;
