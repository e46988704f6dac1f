//! What a server leaves on its disk, and what it makes of a disk that is damaged or half-written.

use std::sync::Arc;
use std::time::Duration;

use labrt::channel::{self, Receiver};
use labrt::sim::{self, Config};
use labrt::{Node, Persister, StoredSnapshot, TornWrite, Write, WriteError};
use raft::{ApplyMsg, CorruptState, Error, Index, Options, Raft, Tuning};

/// Starts the only server of a group.
fn start(persister: &Persister) -> Result<(Raft, Receiver<ApplyMsg>), Error> {
    let network = labrpc::Network::new();
    let end = network.make_end("self").unwrap();
    let (apply, applied) = channel::unbounded();
    let options = Options {
        peers: vec![end],
        me: 0,
        persister: persister.clone(),
        apply,
        tuning: Tuning::default(),
    };
    Ok((Raft::start(options)?, applied))
}

fn wait_to_lead(raft: &Raft) {
    while !raft.state().1 {
        labrt::sleep(Duration::from_millis(10));
    }
}

/// Commits so many entries and waits until they are applied.
fn commit(raft: &Raft, applied: &Receiver<ApplyMsg>, entries: u64) -> u64 {
    wait_to_lead(raft);
    let mut last = 0;
    for i in 0..entries {
        last = raft.propose(format!("command {i}").into_bytes()).unwrap().index.get();
    }
    while last > 0 && applied.recv().unwrap().index().get() < last {}
    last
}

/// A disk with a log of 20 entries and a snapshot of the first 10.
fn used_disk() -> Persister {
    let run = sim::run(Config::new(1), || {
        let persister = Persister::new();
        let (raft, applied) = start(&persister).unwrap();
        commit(&raft, &applied, 20);
        raft.snapshot(Index::new(10), b"ten".to_vec());
        raft.kill();
        persister
    });
    run.result.unwrap()
}

/// Why a server does not start from this disk. The attempt must not have changed it.
fn refusal(persister: &Persister) -> CorruptState {
    let before = (persister.read_raft_state(), persister.stored_snapshot());
    let copy = persister.copy();
    let run = sim::run(Config::new(1), move || match start(&copy) {
        Err(Error::Corrupt(why)) => (why, copy),
        other => panic!("the server started: {other:?}"),
    });
    let (why, disk) = run.result.unwrap();
    assert_eq!((disk.read_raft_state(), disk.stored_snapshot()), before, "the disk was changed");
    why
}

#[test]
fn a_server_goes_on_where_it_stopped() {
    let disk = used_disk();
    let run = sim::run(Config::new(2), move || {
        let (raft, applied) = start(&disk).unwrap();
        let last = commit(&raft, &applied, 1);
        (last, disk.read_snapshot())
    });
    assert_eq!(run.result.unwrap(), (21, b"ten".to_vec()));
}

/// Any flipped bit of header or records is an error that says so, never a fresh start.
#[test]
fn every_flipped_bit_of_the_saved_state_is_noticed() {
    let disk = used_disk();
    let header = disk.header();
    for bit in 0..header.len() * 8 {
        let mut damaged = header.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let copy = disk.copy();
        copy.write(Write { header: Some(damaged), ..Write::default() }).unwrap();
        let why = refusal(&copy).to_string();
        assert!(why.contains("header"), "bit {bit} of the header: {why}");
    }
    let records = disk.records();
    for bit in 0..records[3].len() * 8 {
        let mut damaged = records[3].to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let mut append = records[3..].to_vec();
        append[0] = damaged.into();
        let copy = disk.copy();
        copy.write(Write { keep_records: Some(3), append, ..Write::default() }).unwrap();
        let why = refusal(&copy).to_string();
        assert!(why.contains("log record 3"), "bit {bit} of record 3: {why}");
    }
}

#[test]
fn a_damaged_snapshot_is_noticed() {
    let disk = used_disk();
    let StoredSnapshot { meta, .. } = disk.stored_snapshot().unwrap();
    disk.write(Write {
        snapshot: Some(StoredSnapshot { meta, data: b"nine".to_vec().into() }),
        ..Write::default()
    })
    .unwrap();
    let why = refusal(&disk).to_string();
    assert!(why.contains("snapshot up to 10@T1"), "{why}");
}

#[test]
fn a_truncated_record_is_noticed() {
    let disk = used_disk();
    let records = disk.records();
    let short: Arc<[u8]> = records[8][..records[8].len() - 1].into();
    let append = vec![short, Arc::clone(&records[9])];
    disk.write(Write { keep_records: Some(8), append, ..Write::default() }).unwrap();
    let why = refusal(&disk).to_string();
    assert!(why.contains("log record 8") && why.contains("cut short"), "{why}");
}

/// The last record ends early, at any byte: the power was cut while it was written. It was never
/// promised, so it goes; what comes before it stays, and what comes after is written in its place.
#[test]
fn a_torn_last_record_is_dropped() {
    let disk = used_disk();
    let records = disk.records();
    for length in 0..records[9].len() {
        let torn = disk.copy();
        let append = vec![Arc::from(&records[9][..length])];
        torn.write(Write { keep_records: Some(9), append, ..Write::default() }).unwrap();
        let run = sim::run(Config::new(2), move || {
            let (raft, applied) = start(&torn).unwrap();
            let last = commit(&raft, &applied, 1);
            (last, torn.record_count())
        });
        assert_eq!(run.result.unwrap(), (20, 10), "{length} bytes of the last record");
    }
}

/// Crashes in writes that leave any part of what they write: the next start never fails, and never
/// loses what was committed.
#[test]
fn a_crash_in_any_write_loses_nothing_committed() {
    let mut torn = 0;
    for seed in 0..400 {
        let run = sim::run(Config::new(seed), move || {
            let persister = Persister::new();
            let node = Node::new("server");
            let disk = persister.clone();
            let (tell, committed) = channel::unbounded();
            persister.crash_in_write(2 + seed % 25, TornWrite::Part((seed * 37 % 1000) as u16));
            node.spawn_detached("service", move || {
                let (raft, applied) = start(&disk).unwrap();
                wait_to_lead(&raft);
                for i in 0..20 {
                    let index = raft.propose("command".repeat(i).as_str()).unwrap().index;
                    while applied.recv().unwrap().index() < index {}
                    tell.send(index.get()).unwrap();
                    if i == 10 {
                        raft.snapshot(index, b"ten".to_vec());
                    }
                }
            });
            let known = committed.iter().last().unwrap_or(0);
            let crashed = node.is_crashed();
            let persister = persister.copy();
            let ends = persister.record_count();
            let (raft, applied) = start(&persister).unwrap();
            let dropped = persister.record_count() < ends;
            let last = commit(&raft, &applied, 1);
            assert!(last > known, "{known} was committed, and the log ends before {last}");
            assert!(last <= known + 2, "at most the entry of the crash was not known of");
            u32::from(crashed && dropped)
        });
        torn += run.result.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    }
    assert!(torn > 50, "only {torn} crashes left an unfinished record");
}

/// A server whose disk fails stops at once: it leads no more, answers no proposal, and nothing that
/// the failed write was to save is committed by it. On the content of the disk it can start again.
#[test]
fn a_failed_write_stops_the_server() {
    for nth in 1..12 {
        let run = sim::run(Config::new(nth), move || {
            let persister = Persister::new();
            let (raft, applied) = start(&persister).unwrap();
            wait_to_lead(&raft);
            persister.fail_write(nth, WriteError::Io, TornWrite::Part(500));
            let mut known = 0;
            for _ in 0..20 {
                let Ok(proposed) = raft.propose("command".as_bytes()) else { break };
                // The write that fails may be this command's, which is then never committed.
                let Ok(applied) = applied.recv() else { break };
                assert_eq!(applied.index(), proposed.index);
                known = applied.index().get();
            }
            assert_eq!(persister.failure(), Some(WriteError::Io));
            assert!(!raft.state().1, "a server that cannot write leads no more");
            assert!(raft.propose("more".as_bytes()).is_err());
            assert!(applied.recv().is_err(), "nothing is applied any more");
            assert!(matches!(start(&persister), Ok(_) | Err(Error::Disk(WriteError::Io))));
            let (raft, applied) = start(&persister.copy()).unwrap();
            let last = commit(&raft, &applied, 1);
            assert!(last > known, "{known} was committed, and the log ends before {last}");
        });
        run.result.unwrap_or_else(|failure| panic!("write {nth}: {failure}"));
    }
}

#[test]
fn a_lost_header_is_not_a_fresh_start() {
    let disk = used_disk();
    disk.write(Write { header: Some(Vec::new()), ..Write::default() }).unwrap();
    assert!(matches!(refusal(&disk), CorruptState::NoHeader { records: 10 }));
}

/// The records begin after index 10, but the snapshot of the first ten is gone.
#[test]
fn a_gap_between_snapshot_and_log_is_noticed() {
    let disk = used_disk();
    let bare = Persister::new();
    bare.write(Write { header: Some(disk.header()), append: disk.records(), ..Write::default() })
        .unwrap();
    assert!(matches!(refusal(&bare), CorruptState::Contradiction(_)));
}

/// A snapshot reaches the disk before the trimmed log does. Here the node is crashed exactly
/// between the two: the next start must find every entry, and trim the overlap.
#[test]
fn a_crash_between_snapshot_and_trimmed_log_loses_nothing() {
    let mut between = 0;
    for seed in 0..300 {
        let run = sim::run(Config::new(seed), || {
            let persister = Persister::new();
            let node = Node::new("server");
            let disk = persister.clone();
            let (about_to, snapshot) = channel::unbounded();
            node.spawn_detached("service", move || {
                let (raft, applied) = start(&disk).unwrap();
                commit(&raft, &applied, 20);
                about_to.send(()).unwrap();
                raft.snapshot(Index::new(10), b"ten".to_vec());
                labrt::sleep(Duration::from_secs(60));
            });
            snapshot.recv().unwrap();
            while persister.stored_snapshot().is_none() {
                labrt::yield_now();
            }
            node.crash().unwrap();
            let overlap = persister.record_count() == 20;
            let (raft, applied) = start(&persister).unwrap();
            let last = commit(&raft, &applied, 1);
            assert_eq!(last, 21, "entries were lost");
            assert_eq!(persister.read_snapshot(), b"ten");
            assert_eq!(persister.record_count(), 11, "the overlap was not trimmed");
            overlap
        });
        between += usize::from(run.result.unwrap_or_else(|failure| panic!("{failure}")));
    }
    assert!(between > 0, "no seed crashed between the two writes");
}
