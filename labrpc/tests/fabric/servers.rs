//! Clerks that ask one server after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use labrpc::servers::{LONGEST_PAUSE, TRY_TIME};
use labrpc::{Answered, Method, NEVER, Network, NoServers, Responder, Server, Servers, Service};
use labrpc::{CallError, Unanswered};

use crate::{ms, simulated};

struct Ask;

impl Method for Ask {
    const SERVICE: &'static str = "Clerk";
    const METHOD: &'static str = "Ask";
    type Args = u32;
    /// `None` from a server that cannot decide.
    type Reply = Option<u32>;
}

/// Servers that decide (`Some(true)`), do not (`Some(false)`), or never answer (`None`); and how often
/// each was asked.
fn servers(network: &Network, kinds: &[Option<bool>]) -> (Servers, Vec<Arc<AtomicU64>>) {
    let (mut ends, mut counts) = (Vec::new(), Vec::new());
    for (i, kind) in kinds.iter().copied().enumerate() {
        let count = Arc::new(AtomicU64::new(0));
        counts.push(Arc::clone(&count));
        let held = labrt::Mutex::new(Vec::<Responder<Ask>>::new());
        let service = Service::new("Clerk").deferred_method::<Ask>(move |number, caller| {
            count.fetch_add(1, Ordering::SeqCst);
            match kind {
                Some(true) => caller.respond(&Some(number)),
                Some(false) => caller.respond(&None),
                None => held.lock().push(caller),
            }
        });
        let name = format!("server {i}");
        network.add_server(name.as_str(), Server::new().add(service));
        let end = network.make_end(format!("end {i}")).unwrap();
        network.connect(format!("end {i}"), name.as_str()).unwrap();
        network.enable(format!("end {i}"), true).unwrap();
        ends.push(end);
    }
    (Servers::new(ends).unwrap(), counts)
}

/// A server that does not decide is followed by the next; later calls begin with the one that did.
#[test]
fn the_server_that_decided_is_asked_first_the_next_time() {
    simulated(|| {
        let network = Network::new();
        let (servers, counts) = servers(&network, &[Some(false), Some(true), Some(false)]);
        let ask = |number| servers.ask_until::<Ask, _>(NEVER, &number, |reply| reply);
        assert_eq!(ask(1), Ok(Answered { answer: 1, first_try: false }));
        assert_eq!(ask(2), Ok(Answered { answer: 2, first_try: true }));
        let counts: Vec<u64> = counts.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        assert_eq!(counts, [1, 2, 0]);
    });
}

/// A server that never answers is waited for no longer than [`TRY_TIME`].
#[test]
fn a_server_that_hangs_keeps_nobody() {
    simulated(|| {
        let network = Network::new();
        let (servers, _) = servers(&network, &[None, Some(true)]);
        let begun = labrt::now();
        let answer = servers.ask_until::<Ask, _>(NEVER, &7, |reply| reply);
        assert_eq!(answer, Ok(Answered { answer: 7, first_try: false }));
        assert!(begun.elapsed() < TRY_TIME + ms(100), "{:?}", begun.elapsed());
    });
}

/// Where nobody decides, the pauses grow: a deadline ends the call, after a bounded number of
/// requests.
#[test]
fn pauses_grow_and_a_deadline_ends_the_call() {
    simulated(|| {
        let network = Network::new();
        let (servers, counts) = servers(&network, &[Some(false), Some(false)]);
        let (begun, patience) = (labrt::now(), ms(10_000));
        let answer = servers.ask_until::<Ask, _>(begun + patience, &7, |reply| reply);
        assert_eq!(answer, Err(Unanswered::TimedOut));
        let took = begun.elapsed();
        assert!(took >= patience && took < patience + ms(100), "{took:?}");
        let rounds = counts[0].load(Ordering::SeqCst) as u128;
        let least = LONGEST_PAUSE.as_millis() / 2;
        assert!(rounds < patience.as_millis() / least + 5, "{rounds} rounds in 10 s");
    });
}

/// What cannot be encoded or decoded is not asked for again and again.
#[test]
fn a_request_that_nobody_can_read_ends_the_call() {
    struct Other;
    impl Method for Other {
        const SERVICE: &'static str = "Clerk";
        const METHOD: &'static str = "Ask";
        type Args = String;
        type Reply = Option<u32>;
    }
    simulated(|| {
        let network = Network::new();
        let (servers, counts) = servers(&network, &[Some(true), Some(true)]);
        let answer = servers.ask_until::<Other, _>(NEVER, &"seven".to_owned(), |reply| reply);
        let rejected = matches!(answer, Err(Unanswered::Rejected(CallError::Decode { .. })));
        assert!(rejected, "{answer:?}");
        assert_eq!(counts[1].load(Ordering::SeqCst), 0);
        assert_eq!(Servers::new(Vec::new()).err(), Some(NoServers));
    });
}
