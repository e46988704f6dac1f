//! Places of this crate that a good set of tests reaches now and then (see [`labrt::mark`]).

labrt::marks! {
    /// A place worth reaching.
    pub(crate) enum Mark in "kvraft" {
        PutMaybe = "clerk returns ErrMaybe",
        PutRetriedDone = "Put sent again and then found done",
        PutRefused = "Put refused for its version at the first try",
        DuplicateWrite = "repeated write not executed again",
        SessionEnded = "write of an ended session refused",
        WriteUnknown = "clerk cannot say what became of a write, its session has ended",
    }
}
