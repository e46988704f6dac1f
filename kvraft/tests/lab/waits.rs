//! Every wait can end: deadlines, leaders that are cut off, requests that are too large.

use std::time::Duration;

use kvapi::{Clerk as _, Error, MAX_KEY_BYTES, MAX_VALUE_BYTES, Version};
use tester::kv::GenericTest;
use tester::lab_test;

use crate::harness::{Servers, set_up};

/// What a call may take while a minority is cut off: an election, and the time that the old leader
/// keeps a request.
const LIMIT: Duration = Duration::from_secs(4);

/// The clerk's last leader is cut off, knows of no other leader, and can be reached. The majority
/// answers, before anything heals.
#[test]
fn a_leader_that_is_cut_off_keeps_no_client() {
    lab_test!(|| {
        let (h, running) = set_up(&GenericTest { servers: 5, ..GenericTest::new("cut off") });
        let group = h.cluster().group(0);
        let ck = h.make_clerk();
        assert_eq!(h.put(&ck, "k", "old", Version::ZERO), Ok(()));
        let (majority, minority) = group.make_partition(running.leader());
        group.partition(&majority, &minority);
        let (theirs, writer) = (h.clone(), ck.clone());
        let written = tester::spawn(move || {
            let _ = theirs.put(&writer, "k", "new", Version::new(1));
            theirs.get(&writer, "k")
        });
        let begun = labrt::now();
        while !written.is_finished() && begun.elapsed() < LIMIT {
            labrt::sleep(Duration::from_millis(10));
        }
        assert!(written.is_finished(), "the client still waits for the old leader");
        assert_eq!(written.join().unwrap(), Ok(("new".to_owned(), Version::new(2))));
        h.cleanup();
    });
}

/// Without a majority, calls end at their deadlines, and say that nobody knows.
#[test]
fn calls_end_at_their_deadlines() {
    lab_test!(|| {
        let (h, _) = set_up(&GenericTest { servers: 3, ..GenericTest::new("deadlines") });
        let ck = h.make_clerk();
        assert_eq!(h.put(&ck, "k", "v", Version::ZERO), Ok(()));
        h.cluster().group(0).shutdown_server(0);
        h.cluster().group(0).shutdown_server(1);
        let deadline = || labrt::now() + Duration::from_millis(500);
        let begun = labrt::now();
        assert_eq!(ck.get_until(deadline(), "k"), Err(Error::TimedOut));
        assert_eq!(ck.put_until(deadline(), "k", "w", Version::new(1)), Err(Error::TimedOut));
        let took = begun.elapsed().as_millis();
        assert!((990..1300).contains(&took), "two calls of 500 ms took {took} ms");
        h.cluster().cleanup();
    });
}

/// The same in the service with Put, Append and Get.
#[test]
fn calls_of_the_early_service_end_at_their_deadlines() {
    lab_test!(|| {
        let (h, _) = Servers::new(3).set_up();
        let ck = h.make_clerk();
        h.append(&ck, "k", "a");
        h.cluster().group(0).shutdown_server(0);
        h.cluster().group(0).shutdown_server(1);
        let deadline = || labrt::now() + Duration::from_millis(500);
        let begun = labrt::now();
        assert_eq!(ck.bare().get_until(deadline(), "k"), Err(Error::TimedOut));
        assert_eq!(ck.bare().append_until(deadline(), "k", "b"), Err(Error::TimedOut));
        let took = begun.elapsed().as_millis();
        assert!((990..1300).contains(&took), "two calls of 500 ms took {took} ms");
        // The append was sent and may take effect; the next one has its own number.
        let group = h.cluster().group(0);
        [0, 1].into_iter().for_each(|i| group.start_server(i));
        group.connect_all();
        assert_eq!(ck.bare().append("k", "c"), Ok(()));
        let value = ck.bare().get("k");
        assert!(["ac", "abc"].contains(&value.as_str()), "{value}");
        h.cluster().cleanup();
    });
}

/// Keys and values that are too long are refused at once, and leave no trace.
#[test]
fn what_is_too_large_is_refused() {
    lab_test!(|| {
        let (h, _) = set_up(&GenericTest { servers: 3, ..GenericTest::new("limits") });
        let ck = h.make_clerk();
        assert_eq!(h.put(&ck, "k", "v", Version::ZERO), Ok(()));
        let sent = h.cluster().bytes_total();
        let value = "v".repeat(MAX_VALUE_BYTES + 1);
        assert_eq!(ck.put("k", &value, Version::new(1)), Err(Error::TooLarge));
        let key = "k".repeat(MAX_KEY_BYTES + 1);
        assert_eq!(ck.put(&key, "v", Version::ZERO), Err(Error::TooLarge));
        assert_eq!(ck.get(&key), Err(Error::TooLarge));
        let sent = h.cluster().bytes_total() - sent;
        assert!(sent < 10_000, "{sent} bytes were sent");
        h.check_get(&ck, "k", "v", Version::new(1));
        h.cleanup();
    });
}

/// A value cannot grow beyond the limit, and a repeated request gets the same answer.
#[test]
fn a_value_does_not_grow_beyond_the_limit() {
    use kvraft::append::{
        Change, Machine, PutAppendArgs, PutAppendError, RequestId, SessionId, Stamp,
    };
    use rsm::Request as _;

    let mut machine = Machine::default();
    let mut append = |number, bytes: usize| {
        let write = RequestId { session: SessionId::new(1), opened: Stamp::ZERO, number };
        let change = Change::Append("v".repeat(bytes));
        PutAppendArgs { write, key: "k".to_owned(), change }.execute(&mut machine)
    };
    assert_eq!(append(1, MAX_VALUE_BYTES), Ok(()));
    assert_eq!(append(2, 1), Err(PutAppendError::TooLarge));
    assert_eq!(append(2, 1), Err(PutAppendError::TooLarge), "the same answer again");
    assert_eq!(append(1, MAX_VALUE_BYTES), Ok(()), "an old copy is not executed");
    assert_eq!(machine.get("k").map(|value| value.len()), Some(MAX_VALUE_BYTES));
}
