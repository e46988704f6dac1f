//! The page of a run in a real browser: it draws, opens at the failure, answers clicks, filters, and the console stays empty.
//!
//! Needs Chromium (`chromium`, or what `CHROMIUM` names); says so and passes where there is none.

#[path = "../../../porcupine/tests/picture/browser.rs"]
mod browser;
#[path = "../kit/service.rs"]
#[expect(dead_code, reason = "another test uses the rest")]
mod service;

use std::fmt::Write as _;
use std::path::PathBuf;

use browser::{browse, data};
use tester::kv::{Answer, KvHarness, Op, Request};
use tester::page::{Failure, LIMIT, Run, page};
use tester::trace::Events;
use tester::{Settings, TestId, TestOptions};

use service::{Flaw, KvClerk, kv_cluster};

/// What stands in the element with this id, up to the next one with an id. The data of the page, which is in its script, is not looked at.
fn part<'a>(dom: &'a str, id: &str) -> &'a str {
    let shown = dom.split("<script").next().unwrap_or_default();
    let start = shown.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no #{id}"));
    let rest = &shown[start + id.len() + 5..];
    rest.split(" id=\"").next().unwrap_or(rest)
}

/// The lines of a trace, as a run would write them.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, t: u64, node: &str, task: u64, target: &str, message: &str, fields: &str) {
        let _ = writeln!(
            self.0,
            r#"{{"t":{t},"node":"{node}","task":"x","number":{task},"level":"INFO","target":"{target}","message":"{message}","fields":{{{fields}}}}}"#
        );
    }

    fn start(&mut self, t: u64, server: u64) {
        let node = format!("server-0-{server}");
        self.add(
            t,
            "test",
            0,
            "tester",
            &format!("start {node}"),
            &format!(r#""node":"{node}","event":"start""#),
        );
        self.state(t, server, "raft::election", "S0 T0 starts", 0, "follower", 0, 0);
    }

    #[allow(clippy::too_many_arguments, reason = "they are the columns of the line")]
    fn state(
        &mut self,
        t: u64,
        server: u64,
        target: &str,
        what: &str,
        term: u64,
        role: &str,
        last: u64,
        commit: u64,
    ) {
        let fields = format!(
            r#""server":{server},"term":{term},"role":"{role}","last":{last},"commit":{commit},"base":0"#
        );
        self.add(t, &format!("server-0-{server}"), 900 + server, target, what, &fields);
    }

    /// An AppendEntries, sent at `t`; `lost` on its way there.
    fn call(&mut self, number: u64, t: u64, from: u64, to: u64, lost: bool) {
        let node = format!("server-0-{from}");
        let task = 1000 + number;
        self.add(
            t,
            &node,
            task,
            "raft::append",
            &format!("S{from} -> S{to}: AppendEntries number {number}"),
            &format!(r#""to":{to}"#),
        );
        let what = if lost { "lost" } else { "sent" };
        let fields = format!(
            r#""call":{number},"event":"{what}","from":"{node}.1>server-0-{to}","to":"server-0-{to}","method":"AppendEntries","bytes":40"#
        );
        self.add(t, &node, task, "rpc", "sent", &fields);
        if lost {
            return self.add(
                t + 500_000,
                "test",
                0,
                "rpc",
                "no reply",
                &format!(r#""call":{number},"event":"failed""#),
            );
        }
        for (after, event) in [(200_000, "arrives"), (250_000, "handled"), (500_000, "answered")] {
            self.add(
                t + after,
                "test",
                0,
                "rpc",
                event,
                &format!(r#""call":{number},"event":"{event}""#),
            );
        }
        self.add(
            t + 500_000,
            &node,
            task,
            "raft::append",
            &format!("S{from} <- S{to}: T1: entries matched"),
            &format!(r#""from":{to}"#),
        );
    }

    fn draw(&self, run: &Run, limit: usize) -> String {
        let events = Events::new(self.0.as_bytes());
        let cut = events.cut();
        page(run, events.map(Result::unwrap), cut, limit)
    }
}

/// Three servers, an election, ten calls a millisecond apart of which one is lost, two operations.
fn small() -> (Run, Lines) {
    let mut lines = Lines::default();
    for server in 0..3 {
        lines.start(0, server);
    }
    lines.state(1_000_000, 1, "raft::election", "S1 T1 becomes Candidate", 1, "candidate", 0, 0);
    lines.state(
        2_000_000,
        1,
        "raft::election",
        "S1 T1 becomes Leader </script><b>",
        1,
        "leader",
        0,
        0,
    );
    for number in 0..10 {
        lines.call(number, 3_000_000 + number * 1_000_000, 1, number % 2 * 2, number == 4);
    }
    lines.add(9_000_000, "server-0-2", 7, "raft::append", "S2 saves", r#""saved":12"#);
    lines.add(
        12_700_000,
        "test",
        0,
        "tester",
        "crash server-0-0",
        r#""node":"server-0-0","event":"crash""#,
    );
    let mut run = Run::default();
    run.title = "a <test>, seed 3".to_owned();
    run.verdict = "fail".to_owned();
    run.report = "invariant broken at 0.0128 s: something\n  #0 test/root: sleeps".to_owned();
    let op = |client, call, key: &str| Op {
        client,
        request: Request::Get { key: key.to_owned() },
        call: labrt::Instant::from_nanos(call),
        returned: Some((labrt::Instant::from_nanos(call + 2_000_000), Answer::Done)),
    };
    run.ops = vec![op(0, 3_500_000, "k"), op(1, 5_000_000, "stale")];
    run.marked = vec![1];
    run.failure = Some(Failure {
        t: 12_800_000,
        node: "server-0-1".to_owned(),
        what: "invariant broken".to_owned(),
    });
    (run, lines)
}

#[test]
fn the_page_renders_and_opens_at_the_failure() {
    let (mut run, lines) = small();
    run.marked.clear();
    let Some((dom, console)) = browse("small.html", &lines.draw(&run, LIMIT), "") else { return };
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
    let (run, lines) = small();
    let page = lines.draw(&run, LIMIT);
    let Some((dom, console)) = browse("call.html", &page, "view=3,14&click=call3") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "selected"), "call3");
    let details = part(&dom, "details");
    assert!(
        details.contains("call 3: server-0-1 → server-0-2  AppendEntries, 40 bytes"),
        "{details}"
    );
    assert!(
        details.contains("asks   AppendEntries number 3\nhears  T1: entries matched"),
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
        ("mark3", "S2 saves"),
    ] {
        let (dom, _) = browse("click.html", &page, &format!("view=0.1,14&click={click}")).unwrap();
        assert_eq!(data(&dom, "selected"), click);
        assert!(part(&dom, "details").contains(expected), "{click}: {}", part(&dom, "details"));
    }
}

#[test]
fn a_contradiction_is_where_the_page_opens() {
    let (mut run, lines) = small();
    run.focus = Some(7_000_000);
    let Some((dom, _)) = browse("marked.html", &lines.draw(&run, LIMIT), "") else { return };
    assert_eq!((data(&dom, "marked"), data(&dom, "selected")), ("1", "op1"));
}

#[test]
fn kinds_nodes_and_time_can_be_filtered() {
    let (run, lines) = small();
    let page = lines.draw(&run, LIMIT);
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
    let Some((dom, _)) = browse("find.html", &page, "find=number 7") else { return };
    assert_eq!(data(&dom, "hits"), "1");
}

/// A hundred thousand events: a page of bounded size, drawn as few lines, and each to be seen from near.
#[test]
fn a_long_run_stays_small_and_smooth() {
    let mut lines = Lines::default();
    for server in 0..5 {
        lines.start(0, server);
    }
    const CALLS: u64 = 17_000;
    for number in 0..CALLS {
        lines.call(
            number,
            1_000_000 + number * 100_000,
            number % 5,
            (number + 1) % 5,
            number % 50 == 0,
        );
    }
    assert!(lines.0.lines().count() > 100_000);
    let page = lines.draw(&Run::default(), LIMIT);
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
    let page = lines.draw(&run, 300_000);
    assert!(page.len() < 500_000, "{} bytes", page.len());
    let Some((dom, console)) = browse("cut.html", &page, "") else { return };
    assert_eq!(console, "");
    assert!(part(&dom, "cut").contains("events are left out"), "{}", part(&dom, "cut"));
    let [from, to] = ["from", "to"].map(|name| data(&dom, name).parse::<u64>().unwrap());
    assert!(from < 1_000_000_000 && 1_000_000_000 < to);
    assert!(data(&dom, "rendered").parse::<usize>().unwrap() > 50);
}

/// From a failing test to a page with the contradiction marked.
#[test]
fn a_failing_run_has_a_page() {
    let mut settings = Settings::default();
    settings.seed = Some(1);
    let test = TestId::new("page_of_a_failure", "tester");
    let judgement = tester::judge(&test, &TestOptions::default(), &settings, || {
        let cluster = kv_cluster(true, Flaw::StaleVersions);
        let harness = KvHarness::new(cluster.clone(), KvClerk::new, false);
        cluster.begin("Test: a wrong version");
        let clerk = harness.make_clerk();
        for i in 0..20 {
            harness.put(&clerk, "k", &i.to_string(), kvapi::Version::new(i)).unwrap();
            harness.get(&clerk, "k").unwrap();
        }
        harness.cleanup();
    });
    let line = judgement.text.lines().find_map(|line| line.trim().strip_prefix("page: "));
    let path = PathBuf::from(line.unwrap_or_else(|| panic!("no page in\n{}", judgement.text)));
    assert!(path.ends_with("lab/page_of_a_failure-1/run.html"));
    let page = std::fs::read_to_string(path).unwrap();
    let Some((dom, console)) = browse("failing.html", &page, "") else { return };
    assert_eq!(console, "");
    assert_eq!((data(&dom, "ops"), data(&dom, "calls")), ("40", "40"));
    assert!(data(&dom, "marked").parse::<usize>().unwrap() > 0);
    assert!(data(&dom, "selected").starts_with("op"), "{}", data(&dom, "selected"));
}

#[test]
fn an_empty_run_has_a_page() {
    let page = Lines::default().draw(&Run::default(), LIMIT);
    let Some((dom, console)) = browse("empty.html", &page, "") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "rendered"), "0");
}
