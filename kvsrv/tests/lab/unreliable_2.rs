//! Lab 2, the server on a network that loses requests and replies.

use kvapi::{Error, Version};
use tester::lab_test;

use crate::harness::set_up;

/// A Put takes effect once, also when the clerk has to say that it does not know; one with an old
/// version never does.
#[test]
fn unreliable_net_2() {
    lab_test!(|| {
        const TRIES: u64 = 100;
        let h = set_up("One client", false);
        let ck = h.make_clerk();
        let mut retried = false;
        for version in 0..TRIES {
            // Until the answer is certain. Only the first of these, 0, can take effect.
            for i in 0.. {
                match h.put_json(&ck, "k", &i, Version::new(version)) {
                    Err(Error::Maybe) => retried = true,
                    outcome => {
                        let expected = if i == 0 { Ok(()) } else { Err(Error::Version) };
                        assert_eq!(outcome, expected, "version {version}, Put number {i}");
                        break;
                    }
                }
            }
            let (now, value) = h.get_json::<u64>(&ck, "k");
            assert_eq!((now, value), (Version::new(version + 1), 0));
        }
        assert!(retried, "no Put in {TRIES} was uncertain: does the clerk say ErrMaybe?");
        h.check_porcupine();
        h.cleanup();
    });
}
