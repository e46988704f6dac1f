//! What a blocked task waits for, on either back end.

use crate::line::Line;

/// What a blocked task waits for. Its `Display` is the text that reports show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// A lock, by its address and the line that created it.
    Lock { address: usize, created: Line },
    /// A notification on a condition variable.
    Condvar,
    /// A value on a channel.
    Receive,
    /// Room on a channel, or the receiver of a rendezvous.
    Send,
    /// The value of a oneshot channel.
    Answer,
    /// The end of a task. `None` on threads, where the number of the task is not known.
    Join { task: Option<u64> },
    /// A moment.
    Sleep,
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wait::Lock { created, .. } => write!(f, "waits for the lock of {created}"),
            Wait::Condvar => f.write_str("waits to be notified"),
            Wait::Receive => f.write_str("waits to receive"),
            Wait::Send => f.write_str("waits to send"),
            Wait::Answer => f.write_str("waits for an answer"),
            Wait::Join { task: Some(task) } => write!(f, "waits for task #{task} to end"),
            Wait::Join { task: None } => f.write_str("waits for a task to end"),
            Wait::Sleep => f.write_str("sleeps"),
        }
    }
}
