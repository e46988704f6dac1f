//! The service that the tests put on top of each Raft peer: it remembers what was applied and
//! compares it with the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use labrt::channel::{self, Receiver};
use raft::{ApplyMsg, Index, Options, Raft};
use serde::{Deserialize, Serialize};
use tester::{Hosted, ServerSetup, hosted};

/// What the tests put into the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Cmd {
    /// A number.
    Int(u64),
    /// A text, for the test that counts bytes.
    Text(String),
}

impl Cmd {
    pub fn encode(&self) -> Vec<u8> {
        labgob::encode(self).expect("a command can be encoded")
    }
}

/// A snapshot is taken whenever the index after the applied one is a multiple of this.
const SNAPSHOT_INTERVAL: u64 = 10;

/// What a snapshot holds: the last index in it, and the commands from index 1 on.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    last: u64,
    commands: Vec<Cmd>,
}

/// One peer as the tests see it. A peer that was shut down stays, with its log, until it is started
/// again.
#[derive(Default)]
struct Peer {
    raft: Option<Raft>,
    /// Everything it has applied, by index.
    log: BTreeMap<u64, Cmd>,
    last_applied: u64,
}

/// All peers of a test.
pub struct Peers {
    list: labrt::Mutex<Vec<Peer>>,
    /// The first thing that went wrong while applying.
    error: labrt::Mutex<Option<String>>,
    snapshots: bool,
}

impl Peers {
    pub fn new(n: usize, snapshots: bool) -> Arc<Peers> {
        let list = (0..n).map(|_| Peer::default()).collect();
        Arc::new(Peers { list: labrt::Mutex::new(list), error: labrt::Mutex::new(None), snapshots })
    }

    /// The Raft instance of a peer that is up.
    pub fn raft(&self, i: usize) -> Option<Raft> {
        self.list.lock()[i].raft.clone()
    }

    /// Fails the test if applying went wrong anywhere.
    pub fn check_error(&self) {
        if let Some(error) = self.error.lock().clone() {
            panic!("{error}");
        }
    }

    /// How many peers have applied `index`, and what. They must agree.
    pub fn committed(&self, index: u64) -> (usize, Option<Cmd>) {
        self.check_error();
        let list = self.list.lock();
        let mut count = 0;
        let mut command: Option<Cmd> = None;
        for peer in list.iter() {
            if let Some(applied) = peer.log.get(&index) {
                if let Some(other) = &command
                    && other != applied
                {
                    panic!(
                        "committed values at index {index} do not match: {other:?}, {applied:?}"
                    );
                }
                count += 1;
                command = Some(applied.clone());
            }
        }
        (count, command)
    }

    /// Starts peer `me`: the starter of the cluster.
    pub fn start(self: &Arc<Peers>, setup: ServerSetup) -> Vec<Box<dyn Hosted>> {
        let ServerSetup { peers, me, persister, tuning, .. } = setup;
        // The course's channel is unbuffered: a service may be as slow as it likes to take what was
        // committed.
        let (apply, applied) = channel::bounded(0);
        let mut peer = Peer::default();
        let saved = persister.read_snapshot();
        if self.snapshots && !saved.is_empty() {
            ingest(&mut peer, &saved, None).unwrap_or_else(|error| panic!("server {me}: {error}"));
        }
        let options = Options { peers, me, persister, apply, tuning };
        let raft = Raft::start(options).unwrap_or_else(|error| panic!("server {me}: {error}"));
        peer.raft = Some(raft.clone());
        self.list.lock()[me] = peer;
        let peers = Arc::clone(self);
        labrt::spawn_named("applier-of-test", move || peers.apply_all(me, &applied));
        let wrapper = Arc::clone(self);
        // The wrapper forgets its Raft before Raft is told to stop.
        vec![
            hosted([], move || drop(wrapper.list.lock()[me].raft.take())),
            hosted([raft.service()], move || raft.kill()),
        ]
    }

    /// Takes what Raft delivers until it closes the channel.
    fn apply_all(&self, me: usize, applied: &Receiver<ApplyMsg>) {
        for message in applied {
            let result = match message {
                ApplyMsg::Snapshot { .. } if !self.snapshots => Ok(None),
                ApplyMsg::Snapshot { index, data, .. } => {
                    let mut list = self.list.lock();
                    ingest(&mut list[me], &data, Some(index.get())).map(|()| None)
                }
                ApplyMsg::Command { index, command, .. } => {
                    self.apply_command(me, index.get(), &command)
                }
            };
            match result {
                Ok(Some((raft, index, snapshot))) => raft.snapshot(Index::new(index), snapshot),
                Ok(None) => {}
                Err(error) => {
                    self.error.lock().get_or_insert_with(|| error.clone());
                    panic!("{error}");
                }
            }
        }
    }

    /// Applies one command; gives the snapshot to hand to Raft if it is time for one.
    fn apply_command(
        &self,
        me: usize,
        index: u64,
        bytes: &[u8],
    ) -> Result<Option<(Raft, u64, Vec<u8>)>, String> {
        let command: Cmd = labgob::decode(bytes)
            .map_err(|error| format!("server {me} applied garbage at index {index}: {error}"))?;
        let mut list = self.list.lock();
        if self.snapshots && index != list[me].last_applied + 1 {
            let expected = list[me].last_applied + 1;
            return Err(format!("server {me} apply error: expected index {expected}, got {index}"));
        }
        for (other, peer) in list.iter().enumerate() {
            if let Some(theirs) = peer.log.get(&index)
                && *theirs != command
            {
                return Err(format!(
                    "commit index={index} server={me} {command:?} != server={other} {theirs:?}"
                ));
            }
        }
        let peer = &mut list[me];
        if index > 1 && !peer.log.contains_key(&(index - 1)) {
            return Err(format!("server {me} apply out of order {index}"));
        }
        peer.log.insert(index, command);
        peer.last_applied = index;
        if !self.snapshots || !(index + 1).is_multiple_of(SNAPSHOT_INTERVAL) {
            return Ok(None);
        }
        let Some(raft) = peer.raft.clone() else { return Ok(None) };
        let commands = peer.log.range(1..=index).map(|(_, command)| command.clone()).collect();
        let snapshot = labgob::encode(&Snapshot { last: index, commands })
            .map_err(|error| format!("server {me}: {error}"))?;
        Ok(Some((raft, index, snapshot)))
    }

    /// Whether a peer believes to lead, and in which term, for peers that are up.
    pub fn state(&self, i: usize) -> Option<(u64, bool)> {
        let (term, leads) = self.raft(i)?.state();
        Some((term.get(), leads))
    }
}

/// Replaces a peer's state by a snapshot.
fn ingest(peer: &mut Peer, bytes: &[u8], index: Option<u64>) -> Result<(), String> {
    let snapshot: Snapshot =
        labgob::decode(bytes).map_err(|error| format!("undecodable snapshot: {error}"))?;
    if let Some(index) = index
        && index != snapshot.last
    {
        return Err(format!(
            "snapshot delivered for index {index}, but it was taken at {}",
            snapshot.last
        ));
    }
    peer.log = (1..).zip(snapshot.commands).collect();
    peer.last_applied = snapshot.last;
    Ok(())
}
