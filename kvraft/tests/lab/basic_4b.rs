//! Part 4B: no faults, or only a lossy network.

use tester::kv::GenericTest;
use tester::lab_test;

use crate::harness::{generic, many_clients, speed};

/// One client, nothing goes wrong: every Put takes effect, once.
#[test]
fn basic_4b() {
    lab_test!(|| generic(&GenericTest::new("4B basic")));
}

/// A thousand Puts take less than a third of a heartbeat interval each.
#[test]
fn speed_4b() {
    lab_test!(|| speed(&GenericTest { servers: 3, ..GenericTest::new("4B speed") }));
}

/// Five clients compete for one key.
#[test]
fn concurrent_4b() {
    lab_test!(|| generic(&many_clients("4B many clients")));
}

/// The same over a network that loses requests and replies.
#[test]
fn unreliable_4b() {
    lab_test!(|| generic(&GenericTest { reliable: false, ..many_clients("4B many clients") }));
}
