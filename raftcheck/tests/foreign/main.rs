//! The checker with a Raft that is not ours: one that shows its state, and one that shows nothing.

#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "the parts of one test binary")]

mod course;

use std::sync::Arc;
use std::time::Duration;

use course::{Apply, Flaw, Raft, Shows};
use raftcheck::{Checker, GroupId, Server};
use runner::{Judgement, Settings, TestId, TestOptions};
use tester::{Cluster, ClusterOptions, ServerSetup, hosted};

const SERVERS: usize = 3;

/// A cluster of foreign servers.
struct Foreign {
    cluster: Cluster,
    rafts: Arc<labrt::Mutex<Vec<Option<Raft>>>>,
    /// Those who look from outside.
    outside: Vec<Server>,
}

impl Foreign {
    fn start(shows: Shows, flaw: Flaw) -> Foreign {
        let rafts: Arc<labrt::Mutex<Vec<Option<Raft>>>> =
            Arc::new(labrt::Mutex::new(vec![None; SERVERS]));
        let started = Arc::clone(&rafts);
        let checker = Checker::of_run();
        let group: Option<GroupId> =
            checker.as_ref().map(|checker| checker.add_group("from outside", SERVERS));
        let life = move |me| Some(checker.as_ref()?.life(group?, me));
        let outside: Vec<Server> = (0..SERVERS).map(|me| life(me).unwrap_or_default()).collect();
        let to_apply = outside.clone();
        let cluster = Cluster::new(ClusterOptions::new(SERVERS), move |setup| {
            let ServerSetup { peers, me, persister, .. } = setup;
            let service = to_apply[me].clone();
            let apply: Apply =
                Arc::new(move |index, command| service.applied(index, raftcheck::hash(command)));
            let raft = Raft::start(peers, me, persister, apply, shows, flaw);
            started.lock()[me] = Some(raft.clone());
            vec![hosted([raft.service()], move || raft.kill())]
        });
        Foreign { cluster, rafts, outside }
    }

    /// Looks for this long at what every server says of itself.
    fn watch(&self, millis: u64) {
        for _ in 0..millis / 5 {
            labrt::sleep(Duration::from_millis(5));
            let rafts = self.rafts.lock().clone();
            for (raft, outside) in rafts.iter().flatten().zip(&self.outside) {
                let (term, leads) = raft.state();
                outside.reports(term, leads);
            }
        }
    }

    /// Proposes at a server that says that it leads.
    fn propose(&self, command: &str) {
        for _ in 0..50 {
            self.watch(10);
            let rafts = self.rafts.lock().clone();
            if rafts.iter().flatten().any(|raft| raft.propose(command.as_bytes())) {
                return;
            }
        }
    }

    /// Servers are cut off and come back; a leader among them has entries that nobody else has.
    fn run(&self, name: &str) {
        let group = self.cluster.group(0);
        for round in 0..6 {
            self.propose(&format!("{name} {round} a"));
            self.watch(120);
            let cut = labrt::random_range(0..SERVERS);
            group.disconnect_all(cut);
            self.propose(&format!("{name} {round} b"));
            self.watch(400);
            self.propose(&format!("{name} {round} c"));
            self.propose(&format!("{name} {round} d"));
            group.connect_one(cut);
            self.watch(300);
        }
    }
}

fn judge(name: &str, seed: u64, body: impl Fn() + Clone + Send + Sync + 'static) -> Judgement {
    let mut settings = Settings::default();
    settings.seed = Some(seed);
    runner::judge(&TestId::new(name, "raftcheck"), &TestOptions::default(), &settings, body)
}

fn body(shows: Shows, flaw: Flaw) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let foreign = Foreign::start(shows, flaw);
        foreign.cluster.begin("Test: foreign raft");
        foreign.run("x");
        foreign.cluster.end();
    }
}

/// Seeds to try until a flaw shows.
const SEEDS: u64 = 40;

/// The report of the first seed whose first line of failure has `expected`, with that line.
fn report(name: &str, shows: Shows, flaw: Flaw, expected: &str) -> (String, Judgement) {
    let mut others = Vec::new();
    for seed in 1..=SEEDS {
        let judgement = judge(name, seed, body(shows, flaw));
        let line = judgement.text.lines().find(|line| line.starts_with("FAIL "));
        match line.map(str::to_owned) {
            Some(line) if line.contains(expected) => return (line, judgement),
            Some(line) => others.push(line),
            None => assert!(judgement.passed, "{}", judgement.text),
        }
    }
    panic!("{flaw:?} of servers that show {shows:?}: no {expected} in {SEEDS} seeds: {others:#?}");
}

#[test]
fn a_sound_raft_breaks_nothing() {
    for shows in [Shows::State, Shows::Votes, Shows::Nothing] {
        for seed in 1..=10 {
            let judgement = judge("foreign_sound", seed, body(shows, Flaw::None));
            assert!(judgement.passed, "{shows:?}, seed {seed}:\n{}", judgement.text);
        }
    }
}

/// Two votes in a term, from the state that a server shows; and the page has the roles.
#[test]
fn a_double_vote_is_named() {
    let expected = "election safety: group 0, S";
    let (line, judgement) = report("foreign_double_vote", Shows::State, Flaw::VotesTwice, expected);
    assert!(line.contains(": voted for S") && line.contains(" and for S"), "{line}");
    let page = judgement.text.lines().find_map(|line| line.trim().strip_prefix("page: "));
    let page = page.unwrap_or_else(|| panic!("no page in\n{}", judgement.text));
    let page = std::fs::read_to_string(page).expect("the page was written");
    assert!(page.contains("candidate"), "the page shows the roles");
}

/// The same from the messages alone.
#[test]
fn a_double_vote_is_named_from_messages() {
    let expected = "election safety: group 0, S";
    let (line, _) = report("foreign_votes", Shows::Votes, Flaw::VotesTwice, expected);
    assert!(line.contains(": voted for S") && line.contains(" and for S"), "{line}");
}

/// A server that implements nothing is checked by what it says of itself and what its service is given.
#[test]
fn a_server_that_shows_nothing_is_checked_from_outside() {
    let expected = "election safety: from outside, S";
    let (line, _) = report("foreign_leaders", Shows::Nothing, Flaw::ElectsItself, expected);
    assert!(line.contains("has a second leader; the first was S"), "{line}");
    let expected = "state machine safety: from outside, S";
    let (line, _) = report("foreign_applies", Shows::Nothing, Flaw::CommitsAlone, expected);
    assert!(line.contains(": applies another command at "), "{line}");
}

#[test]
fn logs_that_do_not_match_are_named() {
    let expected = "log matching: group 0, S";
    let (line, _) = report("foreign_log", Shows::State, Flaw::KeepsConflicts, expected);
    assert!(line.contains(" follows T"), "{line}");
}

/// Two clusters in one run, at the same time and one after the other: same group number, same terms,
/// other commands.
#[test]
fn clusters_of_one_run_are_kept_apart() {
    for seed in 1..=5 {
        let judgement = judge("foreign_two_clusters", seed, || {
            let first = Foreign::start(Shows::State, Flaw::None);
            first.cluster.begin("Test: two clusters");
            let second = Foreign::start(Shows::State, Flaw::None);
            first.run("first");
            second.run("second");
            second.cluster.cleanup();
            let third = Foreign::start(Shows::State, Flaw::None);
            third.run("third");
            third.cluster.cleanup();
            first.cluster.end();
        });
        assert!(judgement.passed, "seed {seed}:\n{}", judgement.text);
    }
}

/// The same with our own Raft, whose steps the tester shows to the checker.
#[test]
fn clusters_of_our_own_raft_are_kept_apart() {
    fn start() -> (Cluster, Arc<labrt::Mutex<Vec<raft::Raft>>>) {
        let rafts: Arc<labrt::Mutex<Vec<raft::Raft>>> = Arc::default();
        let started = Arc::clone(&rafts);
        let cluster = Cluster::new(ClusterOptions::new(SERVERS), move |setup| {
            let ServerSetup { peers, me, persister, .. } = setup;
            let (apply, applied) = labrt::channel::unbounded();
            let options =
                raft::Options { peers, me, persister, apply, tuning: raft::Tuning::default() };
            let raft = raft::Raft::start(options).expect("an empty disk");
            labrt::spawn_named("service", move || applied.iter().for_each(drop));
            started.lock().push(raft.clone());
            vec![hosted([raft.service()], move || raft.kill())]
        });
        (cluster, rafts)
    }
    fn propose(rafts: &labrt::Mutex<Vec<raft::Raft>>, name: &str) {
        for number in 0..20 {
            labrt::sleep(Duration::from_millis(100));
            let command = format!("{name} {number}");
            let rafts = rafts.lock().clone();
            let _ = rafts.iter().find_map(|raft| raft.propose(command.as_bytes()).ok());
        }
    }
    let judgement = judge("our_two_clusters", 1, || {
        let (first, firsts) = start();
        first.begin("Test: two clusters");
        let (second, seconds) = start();
        propose(&firsts, "first");
        propose(&seconds, "second");
        second.cleanup();
        let (third, thirds) = start();
        propose(&thirds, "third");
        third.cleanup();
        first.end();
    });
    assert!(judgement.passed, "{}", judgement.text);
}
