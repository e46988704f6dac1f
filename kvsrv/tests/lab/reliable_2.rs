//! Lab 2, the server on a network that loses nothing.

use std::time::Duration;

use kvapi::{Clerk as _, Error, Version};
use tester::kv::ClientResult;
use tester::lab_test;

use crate::harness::set_up;

/// Every rule of Get and Put, once.
#[test]
fn reliable_put_2() {
    lab_test!(|| {
        const VALUE: &str = "6.5840";
        let h = set_up("One client and reliable Put", true);
        let ck = h.make_clerk();
        assert_eq!(ck.put("k", VALUE, Version::ZERO), Ok(()));
        assert_eq!(ck.get("k"), Ok((VALUE.to_owned(), Version::new(1))));
        assert_eq!(ck.put("k", VALUE, Version::ZERO), Err(Error::Version));
        assert_eq!(ck.put("y", VALUE, Version::new(1)), Err(Error::NoKey));
        assert_eq!(ck.get("y"), Err(Error::NoKey));
        h.cleanup();
    });
}

/// Ten clients race for one key: its version is exactly the number of Puts that were told "done".
#[test]
fn put_concurrent_reliable_2() {
    lab_test!(|| {
        let h = set_up("Test: many clients racing to put values to the same key", true);
        let clients = h.clone();
        let results =
            h.spawn_clients_and_wait(10, Duration::from_secs(1), move |me, clerk, done| {
                clients.one_client_put(me as i64, clerk, &["k".to_owned()], done)
            });
        let ck = h.make_clerk();
        h.check_put_concurrent(&ck, "k", &results, &mut ClientResult::default(), true);
        h.check_porcupine();
        h.cleanup();
    });
}
