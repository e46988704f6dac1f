//! Places of this crate that a good set of tests reaches now and then (see [`labrt::mark`]).

labrt::marks! {
    /// A place worth reaching.
    pub(crate) enum Mark in "rsm" {
        WaiterOvertaken = "waiter ended by another operation at its index",
        WaiterReplaced = "waiter ended by a later proposal at its index",
        WaiterOfOlderTerm = "waiter ended by a newer term",
        WaiterCovered = "waiter ended by a snapshot that covers its index",
        SnapshotWhileWaiting = "snapshot installed while somebody waits",
        ShutDownWhileWaiting = "server shut down while somebody waits",
        CallerGone = "request of a caller that waits no longer is skipped",
        LostPatience = "caller stopped waiting",
        ReadThroughLog = "read without a log entry goes through the log after all",
        ReadWaitsForMachine = "read waits for the machine to catch up",
        MachinePanicked = "state machine panicked, and its server stopped",
        RestoredAtStart = "machine restored from the disk",
    }
}
