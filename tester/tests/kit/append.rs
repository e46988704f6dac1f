//! Histories of the service with Put, Append and Get: verdicts and files.

use std::time::Duration;

use kvapi::{Error, Version};
use labrt::Instant;
use tester::kv::append::AppendHarness;
use tester::kv::{Answer, Legality, Op, Request, judge_append_history, judge_history};
use tester::lab_test;

use super::service::{Flaw, kv_cluster};

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

/// Fifty writers at once and one Get at the end: the Get says in which order, and the verdict comes
/// at once.
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

/// Whether some order explains the history of one key: every order is tried, and nothing is looked
/// up ahead.
fn explained(left: &[&Op], value: &str) -> bool {
    let may_be_missing =
        |op: &Op| !matches!(op.returned, Some((_, Answer::Text(_) | Answer::Done)));
    left.iter().all(|op| may_be_missing(op))
        || left.iter().enumerate().any(|(at, op)| {
            let first = |other: &&Op| {
                may_be_missing(other)
                    || other.returned.as_ref().is_none_or(|(end, _)| *end >= op.call)
            };
            let after = match (&op.request, &op.returned) {
                (Request::Get { .. }, Some((_, Answer::Text(seen)))) => {
                    (seen.to_string() == value).then(|| value.to_owned())
                }
                (Request::Set { value, .. }, _) => Some(value.clone()),
                (Request::Append { value: end, .. }, _) => Some(format!("{value}{end}")),
                _ => None,
            };
            let rest: Vec<&Op> = [&left[..at], &left[at + 1..]].concat();
            left.iter().all(first) && after.is_some_and(|after| explained(&rest, &after))
        })
}

/// The look ahead (what a last Get saw) changes no verdict: small histories at random, some of a
/// correct service and some with a Get that saw something else, are judged as by trying all orders.
/// Half of them are of the kind it applies to: a Put, Appends, a Get.
#[test]
fn the_look_ahead_changes_no_verdict() {
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut legal, mut foreseen_illegal) = (0, 0);
    for number in 0..6_000 {
        let foreseen = number % 2 == 0;
        let mut ops: Vec<Op> = Vec::new();
        let mut value = String::new();
        // Takes effect in this order, each within its interval; the intervals overlap.
        let writes = 2 + random(3);
        for at in 0..writes {
            let effect = 100 * (at + 1);
            let (call, end) = (effect - 1 - random(250).min(effect - 1), effect + 1 + random(250));
            // Values repeat, and one is the beginning of another.
            let word = ["a", "b", "ab", "aa", ""][random(5) as usize];
            let client = at as i64;
            let mut op = if foreseen && at == 0 {
                value = word.to_owned();
                put(client, 0, 1, word)
            } else if foreseen || random(3) > 0 {
                value.push_str(word);
                append(client, call.max(2), end, word)
            } else {
                value = word.to_owned();
                put(client, call, end, word)
            };
            match random(12) {
                0 if !foreseen => op.returned = None,
                1 if !foreseen => {
                    let end = op.returned.as_ref().map(|(end, _)| *end);
                    op.returned = end.map(|end| (end, Answer::Failed(Error::Maybe)));
                }
                _ => {}
            }
            ops.push(op);
            if random(2) == 0 {
                ops.push(get(10 + client, effect + 2, effect + 3 + random(200), &value));
            }
        }
        if foreseen || random(2) == 0 {
            ops.push(get(20, 1000, 1001, &value));
        }
        if random(2) == 0 {
            // Something else was seen.
            let gets = ops.iter_mut().filter(|op| matches!(op.request, Request::Get { .. }));
            if let Some((_, Answer::Text(seen))) = gets.last().and_then(|op| op.returned.as_mut()) {
                let mut other = seen.to_string();
                match random(4) {
                    0 => other.push('a'),
                    1 => drop(other.pop()),
                    2 => other = other.chars().rev().collect(),
                    _ => other = other.replacen("ab", "ba", 1),
                }
                *seen = other.as_str().into();
            }
        }
        let expected = explained(&ops.iter().collect::<Vec<_>>(), "");
        let verdict = judge_append_history(&ops);
        if expected {
            assert_eq!(verdict, Legality::Legal, "{number}: {ops:?}");
        } else {
            assert!(matches!(verdict, Legality::Illegal(_)), "{number}: {verdict:?}, {ops:?}");
        }
        legal += u32::from(expected);
        foreseen_illegal += u32::from(!expected && foreseen);
    }
    assert!(legal > 1500 && foreseen_illegal > 500, "{legal} legal, {foreseen_illegal} not");
}

/// A nanosecond is added to a stamp where the clock stands, so that what came one after the other
/// is not taken for overlapping: a Get that began when a Put had ended, at the same virtual time,
/// must see it.
#[test]
fn stamps_keep_the_order_of_what_happened_at_one_time() {
    let stale = |strict: u64| [put(0, 10, 20, "new"), get(1, 20 + strict, 30, "")];
    assert_eq!(judge_append_history(&stale(0)), Legality::Legal, "they may overlap");
    assert!(illegal(&stale(1)), "one after the other");
    // A harness gives such stamps: a service that forgets what it was told is found out, though no
    // time passes.
    lab_test!(|| {
        let harness = AppendHarness::new(kv_cluster(true, Flaw::None), |_, _| Forgetful);
        let (one, other) = (harness.make_clerk(), harness.make_clerk());
        let begun = labrt::now();
        harness.put(&one, "k", "new");
        assert_eq!(harness.get(&other, "k"), "");
        if labrt::is_simulated() {
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
        assert!(illegal(&harness.log().ops()));
        harness.cluster().cleanup();
    });
}

/// Answers at once, and remembers nothing.
struct Forgetful;

impl kvapi::append::Clerk for Forgetful {
    fn get_until(&self, _: Instant, _key: &str) -> Result<String, Error> {
        Ok(String::new())
    }

    fn put_until(&self, _: Instant, _key: &str, _value: &str) -> Result<(), Error> {
        Ok(())
    }

    fn append_until(&self, _: Instant, _key: &str, _value: &str) -> Result<(), Error> {
        Ok(())
    }
}
