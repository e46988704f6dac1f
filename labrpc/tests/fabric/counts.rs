//! What is counted.

use crate::junk::{Handler6, Handler7, Lan, handler2};
use crate::on_both;

/// TestCounts: requests that reached a server, whose name is a number here.
#[test]
fn counts() {
    on_both(|| {
        let lan = Lan::new(99);
        let end = lan.end("end1-99");
        for number in 0..17 {
            assert_eq!(handler2(&end, number).unwrap(), format!("handler2-{number}"));
        }
        assert_eq!(lan.network.count(99), Ok(17));
        assert_eq!(lan.network.total_count(), 17);
    });
}

/// TestBytes: arguments and replies cost about a byte a letter.
#[test]
fn bytes() {
    on_both(|| {
        let lan = Lan::new(99);
        let end = lan.end("end1-99");
        let text = "abcd".repeat(71);
        for _ in 0..17 {
            assert_eq!(end.call::<Handler6>(&text).unwrap(), 284);
        }
        let first = lan.network.total_bytes();
        assert!((4828..=6000).contains(&first), "{first} bytes for 17 times 284 letters");
        for _ in 0..17 {
            assert_eq!(end.call::<Handler7>(&107).unwrap().len(), 107);
        }
        let growth = lan.network.total_bytes() - first;
        assert!((1800..=2500).contains(&growth), "{growth} bytes for 17 times 107 letters");
    });
}

/// Accepted is counted even where nobody is; only the server's own count is of what reached it. A
/// new server starts at 0.
#[test]
fn unreachable_requests_count_in_the_total_only() {
    on_both(|| {
        let lan = Lan::new("server");
        let end = lan.end_off("end");
        let _ = handler2(&end, 1);
        assert_eq!((lan.network.total_count(), lan.network.count("server")), (1, Ok(0)));
        let arguments = lan.network.total_bytes();
        assert!(arguments > 0, "the arguments count");
        lan.network.enable("end", true).unwrap();
        handler2(&end, 2).unwrap();
        assert_eq!(lan.network.count("server"), Ok(1));
        assert!(lan.network.total_bytes() > 2 * arguments, "the reply counts, too");
        lan.network.add_server("server", labrpc::Server::new().add(lan.junk.service()));
        assert_eq!(lan.network.count("server"), Ok(0));
        handler2(&end, 3).unwrap();
        assert_eq!((lan.network.total_count(), lan.network.count("server")), (3, Ok(1)));
    });
}
