//! A Raft as a student of the course writes it: one lock over all state, tasks that sleep and look,
//! handlers that change the state and answer. It shares no code with the crate `raft`.

use std::sync::Arc;
use std::time::Duration;

use labrpc::{ClientEnd, Method, Service};
use labrt::events::raft::{Position, Reporter, Role as EventRole, State as EventState};
use labrt::{Instant, Mutex, Persister};
use raftcheck::{Message, RaftState, Role, Server};
use serde::{Deserialize, Serialize};

const HEARTBEAT: Duration = Duration::from_millis(50);

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    term: u64,
    command: Vec<u8>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct RequestVoteArgs {
    term: u64,
    candidate: usize,
    last_index: u64,
    last_term: u64,
}

#[derive(Serialize, Deserialize)]
pub struct RequestVoteReply {
    term: u64,
    granted: bool,
}

#[derive(Serialize, Deserialize)]
pub struct AppendEntriesArgs {
    term: u64,
    prev_index: u64,
    prev_term: u64,
    entries: Vec<Entry>,
    commit: u64,
}

#[derive(Serialize, Deserialize)]
pub struct AppendEntriesReply {
    term: u64,
    success: bool,
}

macro_rules! method {
    ($name:ident: $args:ty => $reply:ty) => {
        pub enum $name {}
        impl Method for $name {
            const SERVICE: &'static str = "Raft";
            const METHOD: &'static str = stringify!($name);
            type Args = $args;
            type Reply = $reply;
        }
    };
}
method!(RequestVote: RequestVoteArgs => RequestVoteReply);
method!(AppendEntries: AppendEntriesArgs => AppendEntriesReply);

/// What is wrong with a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    None,
    /// It votes for everybody who asks in its term.
    VotesTwice,
    /// It leads without any vote but its own.
    ElectsItself,
    /// It commits what nobody else has.
    CommitsAlone,
    /// It keeps entries that contradict the leader's.
    KeepsConflicts,
}

/// What a server shows to the checker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shows {
    /// Its state.
    State,
    /// Nothing but its votes.
    Votes,
    /// Nothing.
    Nothing,
}

pub struct State {
    me: usize,
    role: Role,
    current_term: u64,
    voted_for: Option<usize>,
    /// `log[0]` stands for index 0.
    log: Vec<Entry>,
    commit_index: u64,
    last_applied: u64,
    next_index: Vec<u64>,
    match_index: Vec<u64>,
    votes: usize,
    election_due: Instant,
    killed: bool,
    reporter: Reporter,
}

// The lines that a course-style Raft needs: ten or so.
#[rustfmt::skip]
impl RaftState for State {
    fn term(&self) -> u64 { self.current_term }
    fn role(&self) -> Role { self.role }
    fn voted_for(&self) -> Option<usize> { self.voted_for }
    fn first_index(&self) -> u64 { 1 }
    fn last_index(&self) -> u64 { self.log.len() as u64 - 1 }
    fn commit_index(&self) -> u64 { self.commit_index }
    fn last_applied(&self) -> u64 { self.last_applied }
    fn term_at(&self, index: u64) -> Option<u64> { Some(self.log.get(index as usize)?.term) }
    fn command_at(&self, index: u64) -> Option<u64> {
        Some(raftcheck::hash(&self.log.get(index as usize)?.command))
    }
}

/// What a service is given: index and command.
pub type Apply = Arc<dyn Fn(u64, &[u8]) + Send + Sync>;

#[derive(Clone)]
pub struct Raft {
    state: Arc<Mutex<State>>,
    peers: Arc<Vec<ClientEnd>>,
    persister: Persister,
    apply: Apply,
    check: Server,
    shows: Shows,
    flaw: Flaw,
}

impl Raft {
    pub fn start(
        peers: Vec<ClientEnd>,
        me: usize,
        persister: Persister,
        apply: Apply,
        shows: Shows,
        flaw: Flaw,
    ) -> Raft {
        let saved = persister.read_raft_state();
        let (current_term, voted_for, log) = match saved.is_empty() {
            true => (0, None, vec![Entry { term: 0, command: Vec::new() }]),
            false => labgob::decode(&saved).expect("saved by this code"),
        };
        let state = State {
            me,
            role: Role::Follower,
            current_term,
            voted_for,
            log,
            commit_index: 0,
            last_applied: 0,
            next_index: vec![1; peers.len()],
            match_index: vec![0; peers.len()],
            votes: 0,
            election_due: labrt::now() + election_timeout(),
            killed: false,
            reporter: Reporter::new(me as u32),
        };
        let check = if shows == Shows::Nothing { Server::default() } else { raftcheck::here() };
        let (state, peers) = (Arc::new(Mutex::new(state)), Arc::new(peers));
        let raft = Raft { state, peers, persister, apply, check, shows, flaw };
        raft.changed(&mut raft.state.lock());
        let ticking = raft.clone();
        labrt::spawn_named("ticker", move || ticking.tick());
        raft
    }

    pub fn service(&self) -> Service {
        let (votes, appends) = (self.clone(), self.clone());
        Service::new("Raft")
            .method::<RequestVote>(move |args| votes.request_vote(args))
            .method::<AppendEntries>(move |args| appends.append_entries(args))
    }

    pub fn kill(&self) {
        self.state.lock().killed = true;
    }

    /// Term, and whether this server leads.
    pub fn state(&self) -> (u64, bool) {
        let state = self.state.lock();
        (state.current_term, state.role == Role::Leader)
    }

    pub fn propose(&self, command: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.role != Role::Leader || state.killed {
            return false;
        }
        let entry = Entry { term: state.current_term, command: command.to_vec() };
        state.log.push(entry);
        if self.flaw == Flaw::CommitsAlone {
            state.commit_index = state.last_index();
        }
        self.changed(&mut state);
        true
    }

    /// The end of every critical section: saves, shows the state, applies.
    fn changed(&self, state: &mut State) {
        let bytes = labgob::encode(&(state.current_term, state.voted_for, state.log.clone()));
        self.persister.save(bytes.expect("plain values"), None).expect("a sound disk");
        while state.last_applied < state.commit_index {
            state.last_applied += 1;
            (self.apply)(state.last_applied, &state.log[state.last_applied as usize].command);
        }
        if self.shows == Shows::State {
            self.check.observe(state);
        }
        let (index, commit) = (state.last_index(), state.commit_index);
        let shown = EventState {
            term: state.current_term,
            role: match state.role {
                Role::Follower => EventRole::Follower,
                Role::Candidate => EventRole::Candidate,
                Role::Leader => EventRole::Leader,
            },
            vote: state.voted_for.map(|server| server as u32),
            last: Position { index, term: state.log[index as usize].term },
            commit,
            ..EventState::default()
        };
        if let Some(event) = state.reporter.report(shown) {
            labrt::events::emit(|| event);
        }
    }

    fn tick(&self) {
        loop {
            labrt::sleep(Duration::from_millis(10));
            let mut state = self.state.lock();
            if state.killed {
                return;
            }
            if state.role == Role::Leader {
                drop(state);
                self.replicate();
                labrt::sleep(HEARTBEAT - Duration::from_millis(10));
            } else if labrt::now() >= state.election_due {
                self.start_election(&mut state);
            }
        }
    }

    fn start_election(&self, state: &mut State) {
        state.role = Role::Candidate;
        state.current_term += 1;
        state.voted_for = Some(state.me);
        state.votes = 1;
        state.election_due = labrt::now() + election_timeout();
        if self.flaw == Flaw::ElectsItself {
            state.become_leader();
        }
        self.changed(state);
        let last_index = state.last_index();
        let args = RequestVoteArgs {
            term: state.current_term,
            candidate: state.me,
            last_index,
            last_term: state.log[last_index as usize].term,
        };
        for peer in (0..self.peers.len()).filter(|&peer| peer != state.me) {
            let (raft, args) = (self.clone(), args.clone());
            labrt::spawn_named("ask", move || raft.ask_for_vote(peer, &args));
        }
    }

    fn ask_for_vote(&self, peer: usize, args: &RequestVoteArgs) {
        let Ok(reply) = self.peers[peer].call::<RequestVote>(args) else { return };
        let mut state = self.state.lock();
        state.see_term(reply.term);
        if reply.granted && state.role == Role::Candidate && state.current_term == args.term {
            state.votes += 1;
            if state.votes * 2 > self.peers.len() {
                state.become_leader();
            }
        }
        self.changed(&mut state);
    }

    fn request_vote(&self, args: RequestVoteArgs) -> RequestVoteReply {
        let mut state = self.state.lock();
        state.see_term(args.term);
        let term = state.current_term;
        let last_index = state.last_index();
        let last = (state.log[last_index as usize].term, last_index);
        let free = state.voted_for.is_none_or(|candidate| candidate == args.candidate)
            || self.flaw == Flaw::VotesTwice;
        let granted = args.term == term && free && (args.last_term, args.last_index) >= last;
        if granted {
            state.voted_for = Some(args.candidate);
            state.election_due = labrt::now() + election_timeout();
            if self.shows == Shows::Votes {
                self.check.sends(&Message::VoteGranted { term, candidate: args.candidate });
            }
        }
        self.changed(&mut state);
        RequestVoteReply { term, granted }
    }

    fn replicate(&self) {
        let me = self.state.lock().me;
        for peer in (0..self.peers.len()).filter(|&peer| peer != me) {
            let raft = self.clone();
            labrt::spawn_named("append", move || raft.replicate_to(peer));
        }
    }

    fn replicate_to(&self, peer: usize) {
        let state = self.state.lock();
        if state.role != Role::Leader || state.killed {
            return;
        }
        let prev_index = state.next_index[peer] - 1;
        let args = AppendEntriesArgs {
            term: state.current_term,
            prev_index,
            prev_term: state.log[prev_index as usize].term,
            entries: state.log[prev_index as usize + 1..].to_vec(),
            commit: state.commit_index,
        };
        drop(state);
        let Ok(reply) = self.peers[peer].call::<AppendEntries>(&args) else { return };
        let mut state = self.state.lock();
        state.see_term(reply.term);
        if state.role == Role::Leader && state.current_term == args.term {
            if reply.success {
                let matched = prev_index + args.entries.len() as u64;
                state.match_index[peer] = state.match_index[peer].max(matched);
                state.next_index[peer] = state.match_index[peer] + 1;
                state.advance_commit();
            } else {
                state.next_index[peer] = state.next_index[peer].min(prev_index).max(1);
            }
        }
        self.changed(&mut state);
    }

    fn append_entries(&self, args: AppendEntriesArgs) -> AppendEntriesReply {
        let mut state = self.state.lock();
        state.see_term(args.term);
        let term = state.current_term;
        let mut success = false;
        if args.term == term {
            state.role = Role::Follower;
            state.election_due = labrt::now() + election_timeout();
            success = state.term_at(args.prev_index) == Some(args.prev_term);
        }
        if success {
            for (index, entry) in (args.prev_index as usize + 1..).zip(args.entries) {
                let known = state.log.get(index);
                let keeps = self.flaw == Flaw::KeepsConflicts && known.is_some();
                if !keeps && known.is_none_or(|known| known.term != entry.term) {
                    state.log.truncate(index);
                    state.log.push(entry);
                }
            }
            let commit = args.commit.min(state.last_index());
            state.commit_index = state.commit_index.max(commit);
        }
        self.changed(&mut state);
        AppendEntriesReply { term, success }
    }
}

impl State {
    fn see_term(&mut self, term: u64) {
        if term > self.current_term {
            self.current_term = term;
            self.voted_for = None;
            self.role = Role::Follower;
        }
    }

    fn become_leader(&mut self) {
        self.role = Role::Leader;
        let next = self.last_index() + 1;
        self.next_index.fill(next);
        self.match_index.fill(0);
    }

    fn advance_commit(&mut self) {
        let last = self.last_index();
        self.match_index[self.me] = last;
        let mut matched = self.match_index.clone();
        matched.sort_unstable();
        let index = matched[(matched.len() - 1) / 2];
        if index > self.commit_index && self.log[index as usize].term == self.current_term {
            self.commit_index = index;
        }
    }
}

fn election_timeout() -> Duration {
    Duration::from_millis(labrt::random_range(150..300))
}
