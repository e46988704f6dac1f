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

    /// Proposes at whoever leads, and looks at what every server says of itself.
    fn propose(&self, command: &str) {
        for _ in 0..50 {
            labrt::sleep(Duration::from_millis(20));
            let rafts = self.rafts.lock().clone();
            for (raft, outside) in rafts.iter().flatten().zip(&self.outside) {
                let (term, leads) = raft.state();
                outside.reports(term, leads);
                if leads && raft.propose(command.as_bytes()) {
                    return;
                }
            }
        }
    }

    /// Leaders are cut off and come back, with entries that nobody else has.
    fn run(&self, name: &str) {
        let group = self.cluster.group(0);
        for round in 0..6 {
            self.propose(&format!("{name} {round} a"));
            labrt::sleep(Duration::from_millis(120));
            let cut = labrt::random_range(0..SERVERS);
            group.disconnect_all(cut);
            self.propose(&format!("{name} {round} b"));
            labrt::sleep(Duration::from_millis(400));
            self.propose(&format!("{name} {round} c"));
            group.connect_one(cut);
            labrt::sleep(Duration::from_millis(300));
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

/// The line that names what was broken, in the first seed in which something was.
fn first_failure(name: &str, shows: Shows, flaw: Flaw) -> (String, Judgement) {
    for seed in 1..=SEEDS {
        let judgement = judge(name, seed, body(shows, flaw));
        if !judgement.passed {
            let line = judgement.text.lines().find(|line| line.starts_with("FAIL "));
            let line = line.unwrap_or_else(|| panic!("no line of failure in\n{}", judgement.text));
            return (line.to_owned(), judgement);
        }
    }
    panic!("{flaw:?} of servers that show {shows:?}: nothing broken in {SEEDS} seeds");
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

/// Two votes in a term, from the state that a server shows; and the page has the roles of its servers.
#[test]
fn a_double_vote_is_named() {
    let (line, judgement) = first_failure("foreign_double_vote", Shows::State, Flaw::VotesTwice);
    assert!(line.contains("election safety: group 0, S"), "{line}");
    assert!(line.contains(": voted for S") && line.contains(" and for S"), "{line}");
    let page = judgement.text.lines().find_map(|line| line.trim().strip_prefix("page: "));
    let page = page.unwrap_or_else(|| panic!("no page in\n{}", judgement.text));
    let page = std::fs::read_to_string(page).expect("the page was written");
    assert!(page.contains("candidate"), "the page shows the roles");
}

/// The same from the messages alone.
#[test]
fn a_double_vote_is_named_from_messages() {
    let (line, _) = first_failure("foreign_votes", Shows::Votes, Flaw::VotesTwice);
    assert!(line.contains("election safety") && line.contains(": voted for S"), "{line}");
}

/// From a server that implements nothing, the checker sees what votes for two lead to: two leaders, or
/// services that were given different commands.
#[test]
fn a_server_that_shows_nothing_is_checked_from_outside() {
    let (line, _) = first_failure("foreign_outside", Shows::Nothing, Flaw::VotesTwice);
    assert!(line.contains("election safety: from outside, S"), "{line}");
    let (line, _) = first_failure("foreign_applies", Shows::Nothing, Flaw::SkipsPrevCheck);
    assert!(line.contains("state machine safety: from outside, S"), "{line}");
}

#[test]
fn a_log_that_does_not_match_is_named() {
    let (line, _) = first_failure("foreign_log", Shows::State, Flaw::SkipsPrevCheck);
    assert!(line.contains("log matching: group 0, S"), "{line}");
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
            let options = raft::Options { peers, me, persister, apply };
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
