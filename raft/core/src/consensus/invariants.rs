//! What must hold after every step, whatever happened.
//!
//! These are one server's share of the paper's Figure 3; what concerns several servers is checked
//! from outside, by tests and by the crate `raftcheck`. [`Node::check`] is cheap and runs after
//! every step of a debug build; [`Node::check_whole_log`] walks the log and is for tests.

use super::{Node, Role, RoleKind, View};
use crate::types::ServerId;

impl Node {
    pub(super) fn check(&self, before: &View) {
        if !cfg!(debug_assertions) {
            return;
        }
        let now = self.view();
        assert!(now.base.index <= now.applied, "base passes applied: {now:?}");
        assert!(now.applied <= now.commit, "applied passes commit: {now:?}");
        assert!(now.commit <= now.last.index, "commit passes the log: {now:?}");
        assert!(now.last.term <= now.term, "the log is ahead of the term: {now:?}");

        assert!(now.term >= before.term, "term falls: {before:?} to {now:?}");
        assert!(now.commit >= before.commit, "commit falls: {before:?} to {now:?}");
        assert!(now.applied >= before.applied, "applied falls: {before:?} to {now:?}");
        assert!(now.base.index >= before.base.index, "base falls: {before:?} to {now:?}");
        if now.term == before.term {
            assert!(
                before.voted_for.is_none() || now.voted_for == before.voted_for,
                "vote changes within a term (§5.2): {before:?} to {now:?}"
            );
            if before.role == RoleKind::Leader {
                // A leader that has lost its majority follows in its own term, with the same log.
                let role = matches!(now.role, RoleKind::Leader | RoleKind::Follower);
                assert!(
                    role && now.last.index >= before.last.index,
                    "leader append-only (Figure 3): {before:?} to {now:?}"
                );
            }
        }
        assert!(self.durable.is_saved(), "a change was not handed out for saving: {now:?}");
        let base = self.snapshot().map_or_else(Default::default, |snapshot| snapshot.last);
        assert!(base == now.base, "the snapshot ends at {base} but the log begins after {now:?}");
        self.check_role();
    }

    fn check_role(&self) {
        let me = self.id();
        match &self.role {
            Role::Follower(follower) => {
                assert!(follower.leader != Some(me), "{me} follows itself");
            }
            Role::Candidate(_) => {
                let voted = self.role() == RoleKind::PreCandidate || self.voted_for() == Some(me);
                assert!(voted, "candidate {me} did not vote for itself");
            }
            Role::Leader(leader) => {
                assert!(self.voted_for() == Some(me), "leader {me} did not vote for itself");
                for (id, progress) in leader.progress.iter().enumerate() {
                    progress.check();
                    let (matched, last) = (progress.matched(), self.last().index);
                    let peer = ServerId::new(id as u32);
                    assert!(matched <= last, "{peer} matches {matched} of {last} entries");
                }
            }
        }
    }

    /// Walks the whole log: terms never fall from the base to the last entry and never pass the
    /// current term. Panics if they do.
    pub fn check_whole_log(&self) {
        let mut before = self.base().term;
        for (index, entry) in self.entries() {
            assert!(
                entry.term >= before,
                "terms fall at {index} of {}: {:?}",
                self.id(),
                self.view()
            );
            before = entry.term;
        }
        assert!(before <= self.term(), "the log is ahead of the term: {:?}", self.view());
    }
}
