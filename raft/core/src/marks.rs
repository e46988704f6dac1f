//! The marks of Raft's rules: steps that a good set of tests should reach.
//!
//! A step notes the marks it reaches in its [`Effects`](crate::consensus::Effects). The driver
//! counts them, so that a sweep can name the marks that no run has reached.

macro_rules! marks {
    ($($mark:ident = $text:literal,)+) => {
        /// A place worth reaching.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $(#[doc = $text] $mark,)+
        }

        impl Mark {
            /// All of them, in order.
            pub const ALL: &'static [Mark] = &[$(Mark::$mark,)+];

            /// What happened there.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Mark::$mark => concat!("raft: ", $text),)+
                }
            }
        }
    };
}

marks! {
    VoteRefusedOldLog = "vote refused: the candidate's log is behind (§5.4.1)",
    VoteRefusedGiven = "vote refused: another candidate has it",
    VoteRepeated = "vote confirmed to the candidate that has it",
    ElectionStartsOver = "election without a winner starts over",
    CandidateHearsLeader = "candidate hears the leader of its term",
    LeaderDeposedByReply = "leader steps down on a reply of a later term",
    LeaderDeposedByRequest = "leader steps down on a request of a later term",
    StaleRequest = "request of an earlier term refused",
    StaleReply = "reply to a request of an earlier term dropped",
    BackingUpTooShort = "backing up: the follower's log is too short",
    BackingUpUnknownTerm = "backing up: the leader has nothing of the conflicting term",
    BackingUpKnownTerm = "backing up: to the leader's last entry of the conflicting term",
    StaleRefusal = "refusal of an earlier request not heeded",
    DuplicateAppend = "entries arrive that were there already",
    AppendBelowSnapshot = "entries arrive that the snapshot covers",
    SuffixCut = "conflicting entries cut off",
    SnapshotOverConflict = "snapshot installed over a conflicting log",
    SnapshotKeepsSuffix = "snapshot installed, the entries after it kept",
    SnapshotBeyondLog = "snapshot installed beyond the end of the log",
    StaleSnapshot = "snapshot that brings nothing new ignored",
    SnapshotSent = "snapshot sent in place of entries",
    OwnSnapshotTooLate = "the service's own snapshot ignored, a newer one is there",
    CommitWaits = "commit waits for an entry of the leader's own term (Figure 8)",
    CommitsEarlierTerms = "entries of earlier terms committed with one of the own term",
    ReadOfNewLeader = "read refused, nothing is committed in this term",
    ReadAsksAll = "read asks all, the majority asked first did not answer soon",
    ReadWaitsForRound = "read waits for the next round",
    PreVoteRefusedLiveLeader = "pre-vote refused: a leader is alive",
    VoteRefusedLiveLeader = "vote refused without entering its term: a leader is alive",
    PreVoteStartsOver = "pre-vote without a majority starts over",
    FollowerLostEntries = "follower has lost entries that it had acknowledged",
    LeaderDiskStuck = "leader steps down: its disk is stuck",
    LeaderOverloaded = "command rejected: too much is not committed",
    LeaderLostQuorum = "leader steps down: no majority has answered for an election timeout",
}

/// A set of marks.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Marks(u64);

const _: () = assert!(Mark::ALL.len() <= 64, "a bit for each");

impl Marks {
    /// Adds one.
    pub fn insert(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u32;
    }

    /// Whether it is in the set.
    pub fn contains(self, mark: Mark) -> bool {
        self.0 & (1 << mark as u32) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in order.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        Mark::ALL.iter().copied().filter(move |mark| self.contains(*mark))
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
