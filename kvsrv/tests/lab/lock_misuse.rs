//! What the lock says to a caller who is wrong.

use kvsrv::{Lock, NotHeld};
use tester::lab_test;

use crate::harness::set_up;

/// Who does not hold the lock cannot release it, and a second acquire by the holder does not wait
/// for the first.
#[test]
fn only_the_holder_releases_2() {
    lab_test!(|| {
        let h = set_up("Test: lock misuse", true);
        let lock = |clerk| Lock::new(clerk, "l");
        let (mine, other) = (lock(h.make_clerk()), lock(h.make_clerk()));
        assert_eq!(mine.release(), Err(NotHeld));
        mine.acquire();
        mine.acquire();
        assert_eq!(other.release(), Err(NotHeld));
        assert_eq!(mine.release(), Ok(()));
        assert_eq!(mine.release(), Err(NotHeld));
        other.acquire();
        h.cleanup();
    });
}
