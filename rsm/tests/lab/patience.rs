//! Callers that do not wait for ever.

use std::time::Duration;

use rsm::SubmitError;
use tester::lab_test;

use crate::counter::{Reply, Request};
use crate::harness::Fixture;

/// A leader that is cut off cannot know of another one. It lets its callers go when their time is over, and forgets them.
#[test]
fn a_caller_of_a_leader_that_is_cut_off_is_let_go() {
    lab_test!(|| {
        const PATIENCE: Duration = Duration::from_millis(500);
        let f = Fixture::new("Test submit with patience", None);
        f.inc();
        let leader = f.raft_leader();
        let (majority, minority) = f.group().make_partition(leader);
        f.group().partition(&majority, &minority);
        let begun = labrt::now();
        let outcome = f.server(leader).submit_within(PATIENCE, Request::Dec);
        assert_eq!(outcome, Err(SubmitError::TimedOut));
        assert!(begun.elapsed() >= PATIENCE, "it gave up after {:?}", begun.elapsed());
        assert!(begun.elapsed() < 2 * PATIENCE, "it took {:?}", begun.elapsed());
        // The entry is overwritten; the same place in the log then belongs to another caller.
        let Some(Reply::Inc(value)) = f.one(Request::Inc, &majority) else {
            panic!("no increment in the majority");
        };
        f.group().connect_all();
        f.check_counter(value, 3);
        assert_eq!(f.inc(), value + 1);
        f.finish();
    });
}
