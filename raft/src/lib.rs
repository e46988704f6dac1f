//! Raft: a pure consensus core and the blocking driver around it.
