//! Histories of the service with Put, Append and Get: verdicts and files.

use kvapi::{Error, Version};
use labrt::Instant;
use tester::kv::{Answer, Legality, Op, Request, judge_append_history, judge_history};

fn op(client: i64, call: u64, end: u64, request: Request, answer: Answer) -> Op {
    let returned = Some((Instant::from_nanos(end), answer));
    Op { client, request, call: Instant::from_nanos(call), returned }
}

fn get(client: i64, call: u64, end: u64, value: &str) -> Op {
    op(client, call, end, Request::Get { key: "k".into() }, Answer::Text(value.into()))
}

fn put(client: i64, call: u64, end: u64, value: &str) -> Op {
    op(client, call, end, Request::Set { key: "k".into(), value: value.into() }, Answer::Done)
}

fn append(client: i64, call: u64, end: u64, value: &str) -> Op {
    op(client, call, end, Request::Append { key: "k".into(), value: value.into() }, Answer::Done)
}

fn illegal(ops: &[Op]) -> bool {
    matches!(judge_append_history(ops), Legality::Illegal(_))
}

#[test]
fn one_after_the_other() {
    let history = [
        get(0, 0, 5, ""),
        append(0, 10, 15, "a"),
        append(0, 20, 25, "b"),
        get(0, 30, 35, "ab"),
        put(0, 40, 45, "c"),
        get(0, 50, 55, "c"),
    ];
    assert_eq!(judge_append_history(&history), Legality::Legal);
    let ending_in = |value| [&history[..5], &[get(0, 50, 55, value)]].concat();
    assert!(illegal(&ending_in("abc")));
    assert!(illegal(&ending_in("cc")));
    assert!(illegal(&[append(0, 0, 5, "a"), get(0, 10, 15, "aa")]), "executed twice");
    assert!(illegal(&[append(0, 0, 5, "a"), get(0, 10, 15, "")]), "stale");
}

/// Fifty writers at once and one Get at the end: the Get says in which order, and the verdict comes at once.
#[test]
fn many_overlapping_appends_are_judged_by_the_last_get() {
    let mut history: Vec<Op> = (0..50).map(|i| append(i, 10, 100, &format!("<{i}>"))).collect();
    history.insert(0, put(99, 0, 5, ""));
    let all: String = (0..50).rev().map(|i| format!("<{i}>")).collect();
    history.push(get(99, 110, 115, &all));
    assert_eq!(judge_append_history(&history), Legality::Legal);
    history.pop();
    history.push(get(99, 110, 115, &all.replace("<7>", "<7><7>")));
    assert!(illegal(&history), "one executed twice");
    history.pop();
    history.push(get(99, 110, 115, &all.replace("<7>", "")));
    assert!(illegal(&history), "one lost");
    // An append that ended before the others began comes first.
    history.pop();
    history.push(get(99, 110, 115, &all));
    history[1] = append(0, 6, 9, "<0>");
    assert!(illegal(&history), "order against real time");
}

/// A write nobody knows the fate of may have been executed, at any time, once, or not at all.
#[test]
fn an_uncertain_append_may_or_may_not_be_there() {
    let uncertain = |seen| {
        let mut unknown = append(0, 0, 5, "a");
        unknown.returned = Some((Instant::from_nanos(5), Answer::Failed(Error::Maybe)));
        [unknown, append(0, 10, 15, "b"), get(0, 20, 25, seen)]
    };
    for seen in ["ab", "b", "ba"] {
        assert_eq!(judge_append_history(&uncertain(seen)), Legality::Legal, "{seen}");
    }
    assert!(illegal(&uncertain("aba")));
    assert!(illegal(&uncertain("a")));
}

/// Neither judge gives a verdict on operations that its service does not have.
#[test]
fn the_other_services_operations_are_undecided() {
    let (key, value) = ("k".to_owned(), "v".to_owned());
    let versioned = op(0, 0, 5, Request::Put { key, value, version: Version::ZERO }, Answer::Done);
    assert_eq!(judge_history(std::slice::from_ref(&versioned)), Legality::Legal);
    assert!(matches!(judge_append_history(&[versioned]), Legality::Undecided(_)));
    assert!(matches!(judge_history(&[append(0, 0, 5, "a")]), Legality::Undecided(_)));
}
