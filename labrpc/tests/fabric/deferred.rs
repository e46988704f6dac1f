//! Handlers that answer later.

use std::sync::Arc;

use labrpc::{CallError, ClientEnd, Method, Network, Responder, Server, Service};
use labrt::{Node, now, spawn};

use crate::{eventually, ms, on_both, simulated, slack};

struct Wait;

impl Method for Wait {
    const SERVICE: &'static str = "Bell";
    const METHOD: &'static str = "Wait";
    type Args = u32;
    type Reply = String;
}

/// The number it called with, and the right to answer it.
type Caller = (u32, Responder<Wait>);

/// A server whose callers wait until somebody answers them.
struct Bell {
    network: Network,
    waiting: Arc<labrt::Mutex<Vec<Caller>>>,
}

impl Bell {
    fn new(node: &Node) -> Bell {
        let network = Network::new();
        let waiting = Arc::new(labrt::Mutex::new(Vec::new()));
        let list = Arc::clone(&waiting);
        let service = Service::new(Wait::SERVICE)
            .deferred_method::<Wait>(move |number, caller| list.lock().push((number, caller)));
        network.add_server("bell", Server::on(node.clone()).add(service));
        Bell { network, waiting }
    }

    fn end(&self) -> ClientEnd {
        let end = self.network.make_end("end").unwrap();
        self.network.connect("end", "bell").unwrap();
        self.network.enable("end", true).unwrap();
        end
    }

    fn waiting(&self) -> usize {
        self.waiting.lock().len()
    }

    fn take(&self) -> Vec<Caller> {
        std::mem::take(&mut *self.waiting.lock())
    }
}

/// Each caller gets the answer to its own call, in whatever order they are given and by whichever task; none has a task that waits.
#[test]
fn each_caller_gets_its_answer() {
    on_both(|| {
        let node = Node::new("bell");
        let bell = Bell::new(&node);
        let end = bell.end();
        let calls: Vec<_> = (0..50)
            .map(|number| {
                let end = end.clone();
                spawn(move || end.call::<Wait>(&number))
            })
            .collect();
        eventually(|| bell.waiting() == 50 && node.live_tasks() == 0);
        for (number, caller) in bell.take().into_iter().rev() {
            caller.respond(&format!("{number}!"));
        }
        for (number, call) in calls.into_iter().enumerate() {
            assert_eq!(call.join().unwrap(), Ok(format!("{number}!")));
        }
        assert_eq!(bell.network.total_count(), 50);
    });
}

/// Who is forgotten is told so within 100 ms.
#[test]
fn a_dropped_responder_is_no_reply() {
    on_both(|| {
        let bell = Bell::new(&Node::new("bell"));
        let end = bell.end();
        let call = spawn(move || (end.call::<Wait>(&1), now()));
        eventually(|| bell.waiting() == 1);
        let dropped = now();
        drop(bell.take());
        let (reply, at) = call.join().unwrap();
        assert_eq!(reply, Err(CallError::NoReply));
        assert!(at - dropped < ms(100) + slack(), "took {:?}", at - dropped);
    });
}

/// A server that is gone gives no positive reply, even if somebody still answers for it.
#[test]
fn the_answer_of_a_deleted_server_is_no_reply() {
    on_both(|| {
        let bell = Bell::new(&Node::new("bell"));
        let end = bell.end();
        let call = spawn(move || end.call::<Wait>(&1));
        eventually(|| bell.waiting() == 1);
        bell.network.delete_server("bell");
        for (_, caller) in bell.take() {
            caller.respond(&"too late".to_owned());
        }
        assert_eq!(call.join().unwrap(), Err(CallError::NoReply));
    });
}

/// What a server keeps for later does not keep the server: its crash and deletion free both.
#[test]
fn a_crash_frees_what_was_kept_for_later() {
    simulated(|| {
        let node = Node::new("bell");
        let bell = Bell::new(&node);
        let end = bell.end();
        let call = spawn(move || end.call::<Wait>(&1));
        eventually(|| bell.waiting() == 1);
        let kept = Arc::downgrade(&bell.waiting);
        node.crash().unwrap();
        bell.network.delete_server("bell");
        drop(bell);
        assert!(kept.upgrade().is_none(), "the list owns a call that owns the list");
        assert_eq!(call.join().unwrap(), Err(CallError::NoReply));
    });
}

/// Arguments that are none of this method's are refused before the handler sees them.
#[test]
fn junk_is_refused() {
    struct Other;
    impl Method for Other {
        const SERVICE: &'static str = Wait::SERVICE;
        const METHOD: &'static str = Wait::METHOD;
        type Args = Vec<String>;
        type Reply = String;
    }
    on_both(|| {
        let bell = Bell::new(&Node::new("bell"));
        let reply = bell.end().call::<Other>(&vec!["one".to_owned(), "two".to_owned()]);
        assert!(matches!(reply, Err(CallError::Decode { .. })), "{reply:?}");
        assert_eq!(bell.waiting(), 0);
    });
}

/// A caller whose patience is over is known to wait no longer, so that work for it can be skipped.
#[test]
fn a_caller_that_gave_up_is_not_awaited() {
    on_both(|| {
        let bell = Bell::new(&Node::new("bell"));
        let end = bell.end();
        let call = spawn(move || end.call_within::<Wait>(ms(200), &1));
        eventually(|| bell.waiting() == 1);
        let (_, caller) = bell.take().pop().unwrap();
        assert!(caller.is_awaited());
        assert_eq!(call.join().unwrap(), Err(CallError::NoReply));
        assert!(!caller.is_awaited());
        caller.respond(&"too late".to_owned());
    });
}
