//! Failures of one cause, and of different ones.

use runner::{Backend, Cause, TestOptions, run};

fn cause(backend: Backend, seed: u64, body: impl Fn() + Send + Sync + 'static) -> Option<Cause> {
    run(backend, seed, &TestOptions::default(), body).cause
}

/// Two checks; the words of each depend on the seed.
fn fails(first: bool) {
    let drawn = labrt::random_u64();
    if first {
        runner::fatal!("the count is {drawn}");
    }
    panic!("{drawn} is not a number that anybody expects");
}

#[test]
fn the_words_of_a_failure_are_not_its_cause() {
    for backend in [Backend::Sim, Backend::Threads] {
        let one = cause(backend, 1, || fails(true)).expect("it fails");
        let other = cause(backend, 2, || fails(true)).expect("it fails");
        assert_eq!(one, other);
        assert!(one.to_string().contains("runner/tests/runner/causes.rs:"), "{one}");
    }
    let panics = |seed| cause(Backend::Sim, seed, || fails(false)).expect("it fails");
    assert_eq!(panics(1), panics(2));
    assert_ne!(panics(1), cause(Backend::Sim, 1, || fails(true)).expect("it fails"));
}

#[test]
fn each_kind_of_failure_has_its_cause() {
    let of = |body: fn()| cause(Backend::Sim, 1, body).map(|cause| (cause.kind, cause.at));
    assert_eq!(of(|| ()), None);
    let broken = |name: &str| Some(("invariant broken".to_owned(), Some(name.to_owned())));
    assert_eq!(of(|| labrt::sim::breach("commit rule", "T3")), broken("commit rule"));
    assert_eq!(of(|| labrt::sim::breach("election safety", "T3")), broken("election safety"));
    let deadlock = of(|| {
        let (_sender, receiver) = labrt::channel::unbounded::<()>();
        let _ = receiver.recv();
    });
    assert_eq!(deadlock, Some(("deadlock".to_owned(), None)));
    let (kind, at) = of(|| runner::current().fail("a check".to_owned())).expect("it fails");
    assert_eq!(kind, "check");
    assert!(at.is_some_and(|at| at.contains("causes.rs:")));
    let (kind, at) = of(|| runner::inconclusive("no budget left")).expect("no verdict");
    assert_eq!(kind, "inconclusive");
    assert!(at.is_some_and(|at| at.contains("causes.rs:")));
}
