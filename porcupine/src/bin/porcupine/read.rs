//! What readers of files give.

use porcupine::Operation;

/// Operations, and for each the number of its line.
pub(crate) struct Read<I, O> {
    pub(crate) history: Vec<Operation<I, O>>,
    pub(crate) lines: Vec<u32>,
}
