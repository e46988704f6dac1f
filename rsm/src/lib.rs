//! A replicated state machine on Raft.
