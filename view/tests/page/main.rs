//! The page of a run in a real browser: it draws, opens at the failure, answers clicks, filters,
//! and the console stays empty.
//!
//! Needs Chromium (`chromium`, or what `CHROMIUM` names); says so and passes where there is none.

#[path = "../../../porcupine/tests/picture/browser.rs"]
mod browser;
#[path = "../synthetic/mod.rs"]
mod synthetic;

use browser::{browse, data};
use events::raft::{Role, State, What};
use events::{Cluster, Record};
use view::history::Op;
use view::page::{LIMIT, page};
use view::{Failure, Run};

/// What stands in the element with this id, up to the next one with an id. The data of the page,
/// which is in its script, is not looked at.
fn part<'a>(dom: &'a str, id: &str) -> &'a str {
    let shown = dom.split("<script").next().unwrap_or_default();
    let start = shown.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no #{id}"));
    let rest = &shown[start + id.len() + 5..];
    rest.split(" id=\"").next().unwrap_or(rest)
}

fn draw(run: &Run, records: &[Record], limit: usize) -> String {
    page(run, records.iter().cloned(), 0, limit)
}

/// Three servers, an election, ten calls a millisecond apart of which one is lost, two operations.
fn small() -> (Run, Vec<Record>) {
    let mut events = synthetic::Run::new(3);
    for server in 0..3 {
        events.start(0, server);
    }
    let state = |role| State { term: 1, role, vote: Some(1), ..State::default() };
    events.state(1_000_000, 1, state(Role::Candidate));
    events.state(2_000_000, 1, state(Role::Leader));
    for number in 0..10 {
        let to = if number % 2 == 0 { 0 } else { 2 };
        events.call(number, 3_000_000 + number * 1_000_000, 1, to, number == 4);
    }
    events.raft(9_000_000, 2, 7, What::Saved { term_and_vote: true, entries: 0, bytes: 12 });
    let node = events.node(0);
    events.add(12_700_000, "test", 0, Cluster::Crashed { node });
    let title = "</script><b>".to_owned();
    events.add(12_750_000, "test", 0, Cluster::Began { title });
    let mut run = Run::default();
    run.title = "a <test>, seed 3".to_owned();
    run.verdict = "fail".to_owned();
    run.report = "invariant broken at 0.0128 s: something\n  #0 test/root: sleeps".to_owned();
    let op = |client, call, key: &str| Op {
        client,
        op: "get".to_owned(),
        key: key.to_owned(),
        call,
        returned: Some(call + 2_000_000),
        ..Op::default()
    };
    run.ops = vec![op(0, 3_500_000, "k"), op(1, 5_000_000, "stale")];
    run.marked = vec![1];
    run.failure = Some(Failure {
        t: 12_800_000,
        node: "server-0-1".to_owned(),
        what: "invariant broken".to_owned(),
    });
    (run, events.records)
}

#[test]
fn the_page_renders_and_opens_at_the_failure() {
    let (mut run, records) = small();
    run.marked.clear();
    let Some((dom, console)) = browse("small.html", &draw(&run, &records, LIMIT), "") else {
        return;
    };
    assert_eq!(console, "");
    assert!(!dom.contains("data-error"), "{}", part(&dom, "details"));
    let is = |name: &str, expected: &str| assert_eq!(data(&dom, name), expected, "{name}");
    is("lanes", "5");
    is("calls", "10");
    is("ops", "2");
    is("failure", "1");
    is("selected", "failure0");
    let [from, to] = ["from", "to"].map(|name| data(&dom, name).parse::<i64>().unwrap());
    assert!(from < 12_800_000 && 12_800_000 < to, "{from} to {to}");
    assert!(data(&dom, "rendered").parse::<usize>().unwrap() >= 5);
    assert!(part(&dom, "details").contains("#0 test/root: sleeps"));
    assert!(dom.contains("a &lt;test&gt;, seed 3"));
    // The table at the failure: S1 leads, S0 is down.
    let table = part(&dom, "table");
    assert!(table.contains("leader") && table.contains("down") && table.contains("T1"), "{table}");
    // The list beside it has the last events.
    let near = part(&dom, "near");
    assert!(near.contains("crash server-0-0") && near.contains("invariant broken"), "{near}");
}

#[test]
fn a_click_shows_what_an_event_was() {
    let (run, records) = small();
    let page = draw(&run, &records, LIMIT);
    let Some((dom, console)) = browse("call.html", &page, "view=3,14&click=call3") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "selected"), "call3");
    let details = part(&dom, "details");
    assert!(
        details.contains("call 3: server-0-1 → server-0-2  AppendEntries, 40 bytes"),
        "{details}"
    );
    assert!(
        details.contains(
            "request  AppendEntries T1, after 0@T0: 3 entries, commit 0\nreply    T1: entries matched"
        ),
        "{details}"
    );
    assert!(
        details.contains("arrived +200.0 µs, reply left +250.0 µs, answered +500.0 µs"),
        "{details}"
    );
    // A lost one, a state, an operation.
    for (click, expected) in [
        ("call4", "the request was lost"),
        ("state4", "T1 leader, log up to 0, commit 0"),
        ("op1", "one of the operations that contradict each other"),
        ("mark3", "S2 saves term and vote"),
    ] {
        let (dom, _) = browse("click.html", &page, &format!("view=0.1,14&click={click}")).unwrap();
        assert_eq!(data(&dom, "selected"), click);
        assert!(part(&dom, "details").contains(expected), "{click}: {}", part(&dom, "details"));
    }
}

#[test]
fn a_contradiction_is_where_the_page_opens() {
    let (mut run, records) = small();
    run.focus = Some(7_000_000);
    let Some((dom, _)) = browse("marked.html", &draw(&run, &records, LIMIT), "") else { return };
    assert_eq!((data(&dom, "marked"), data(&dom, "selected")), ("1", "op1"));
}

#[test]
fn kinds_nodes_and_time_can_be_filtered() {
    let (run, records) = small();
    let page = draw(&run, &records, LIMIT);
    let rendered = |fragment: &str| -> Option<usize> {
        let (dom, console) = browse("filter.html", &page, fragment)?;
        assert_eq!(console, "");
        Some(data(&dom, "rendered").parse().unwrap())
    };
    let Some(whole) = rendered("view=0,14") else { return };
    assert_eq!(whole, 10);
    assert_eq!(rendered("view=0,14&hide=m0"), Some(0));
    assert_eq!(rendered("view=0,14&hide=lost"), Some(9));
    assert_eq!(rendered("view=0,14&only=follower"), Some(0));
    assert_eq!(rendered("view=0,14&fold=S2"), Some(5));
    assert_eq!(rendered("view=3.9,6.1"), Some(3));
    let Some((dom, _)) = browse("find.html", &page, "find=: 7 entries") else { return };
    assert_eq!(data(&dom, "hits"), "1");
}

/// A hundred thousand events: a page of bounded size, drawn as few lines, and each to be seen from
/// near.
#[test]
fn a_long_run_stays_small_and_smooth() {
    let mut events = synthetic::Run::new(5);
    for server in 0..5 {
        events.start(0, server);
    }
    const CALLS: u64 = 17_000;
    for number in 0..CALLS {
        let [from, to] = [number, number + 1].map(|it| (it % 5) as u32);
        events.call(number, 1_000_000 + number * 100_000, from, to, number % 50 == 0);
    }
    let records = events.records;
    assert!(records.len() > 100_000);
    let page = draw(&Run::default(), &records, LIMIT);
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
    let Some((dom, console)) = browse("long.html", &page, "") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "calls"), CALLS.to_string());
    assert_eq!(data(&dom, "rendered"), CALLS.to_string());
    let arrows: usize = data(&dom, "arrows").parse().unwrap();
    assert!(arrows < 20_000, "{arrows} lines");
    eprintln!("{} bytes, {} ms for everything at once", page.len(), data(&dom, "milliseconds"));
    // No bound in time here: the machine may be busy with other tests.
    let (near, _) = browse("long.html", &page, "view=700,702").unwrap();
    let rendered: usize = data(&near, "rendered").parse().unwrap();
    assert!((15..60).contains(&rendered), "{rendered}");

    // Where there is no room for all, what lies around the failure is kept, and the page says so.
    let mut run = Run::default();
    run.failure = Some(Failure { t: 1_000_000_000, node: String::new(), what: "here".to_owned() });
    let page = draw(&run, &records, 300_000);
    assert!(page.len() < 500_000, "{} bytes", page.len());
    let Some((dom, console)) = browse("cut.html", &page, "") else { return };
    assert_eq!(console, "");
    assert!(part(&dom, "cut").contains("events are left out"), "{}", part(&dom, "cut"));
    let [from, to] = ["from", "to"].map(|name| data(&dom, name).parse::<u64>().unwrap());
    assert!(from < 1_000_000_000 && 1_000_000_000 < to);
    assert!(data(&dom, "rendered").parse::<usize>().unwrap() > 50);
}

#[test]
fn an_empty_run_has_a_page() {
    let page = draw(&Run::default(), &[], LIMIT);
    let Some((dom, console)) = browse("empty.html", &page, "") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "rendered"), "0");
}
