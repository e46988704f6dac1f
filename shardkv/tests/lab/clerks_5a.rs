//! Part 5A: clients write while groups come and go.

use std::time::Duration;

use tester::kv::make_keys;
use tester::lab_test;

use crate::harness::{GROUPS, KEYS, Sharded, background};

fn concurrent_clerks(title: &str, clients: usize, reliable: bool) {
    const TIME: Duration = Duration::from_secs(20);
    let s = Sharded::new(title, reliable, None);
    let kv = s.kv.clone();
    let writing = background(move || {
        let harness = kv.clone();
        kv.spawn_clients_and_wait(clients, TIME, move |me, ck, done| {
            harness.one_client_put(me as i64, ck, &make_keys(KEYS), done)
        })
    });
    let gids = s.new_gids(GROUPS);
    assert!(s.join_groups(&s.sck, &gids));
    assert!(s.leave_groups(&s.sck, &gids));
    let results = writing.recv().expect("the clients end");
    let written: u64 = results.iter().map(|result| result.ok).sum();
    assert!(written > 0, "nobody could write anything");
    s.finish();
}

/// One client.
#[test]
fn one_concurrent_clerk_reliable_5a() {
    lab_test!(|| concurrent_clerks("Test (5A): one concurrent clerk reliable...", 1, true));
}

/// Ten.
#[test]
fn many_concurrent_clerk_reliable_5a() {
    lab_test!(|| concurrent_clerks("Test (5A): many concurrent clerks reliable...", 10, true));
}

/// One, over a network that loses messages.
#[test]
fn one_concurrent_clerk_unreliable_5a() {
    lab_test!(|| concurrent_clerks("Test (5A): one concurrent clerk unreliable ...", 1, false));
}

/// Ten, over such a network.
#[test]
fn many_concurrent_clerk_unreliable_5a() {
    lab_test!(|| concurrent_clerks("Test (5A): many concurrent clerks unreliable...", 10, false));
}
