//! The disk, by the course's names and incrementally.

use std::sync::Arc;

use labrt::{Persister, StoredSnapshot, TornWrite, Write, WriteError};

use crate::on_both;

fn record(text: &str) -> Arc<[u8]> {
    text.as_bytes().into()
}

#[test]
fn save_and_read_in_the_courses_form() {
    on_both(|| {
        let disk = Persister::new();
        assert_eq!((disk.read_raft_state(), disk.read_snapshot()), (vec![], vec![]));
        disk.save(vec![1, 2, 3], Some(vec![9; 10])).unwrap();
        assert_eq!(disk.read_raft_state(), [1, 2, 3]);
        assert_eq!(disk.read_snapshot(), [9; 10]);
        assert_eq!((disk.raft_state_size(), disk.snapshot_size()), (3, 10));
        disk.save(vec![4], None).unwrap();
        assert_eq!(disk.read_raft_state(), [4]);
        assert_eq!((disk.raft_state_size(), disk.snapshot_size()), (1, 0));
        assert!(disk.read_snapshot().is_empty());
    });
}

/// The parts of a write are applied in the order of its fields: header, cut the tail, trim the
/// head, append, snapshot.
#[test]
fn a_write_changes_what_it_names_in_order() {
    on_both(|| {
        let disk = Persister::new();
        let append = vec![record("aa"), record("b"), record("ccc")];
        disk.write(Write { header: Some(b"H1".to_vec()), append, ..Write::default() }).unwrap();
        assert_eq!(disk.read_raft_state(), b"H1aabccc");
        assert_eq!((disk.record_count(), disk.raft_state_size()), (3, 8));
        let snapshot = StoredSnapshot { meta: vec![7], data: b"state".to_vec().into() };
        disk.write(Write {
            header: Some(b"H".to_vec()),
            keep_records: Some(2),
            drop_front: 1,
            append: vec![record("dd")],
            snapshot: Some(snapshot.clone()),
            ..Write::default()
        })
        .unwrap();
        assert_eq!(disk.read_raft_state(), b"Hbdd");
        assert_eq!(disk.raft_state_size(), disk.read_raft_state().len());
        assert_eq!(disk.header(), b"H");
        assert_eq!(disk.with_header(<[u8]>::len), 1);
        assert_eq!(disk.records(), [record("b"), record("dd")]);
        assert_eq!(disk.stored_snapshot(), Some(snapshot));
        assert_eq!((disk.read_snapshot(), disk.snapshot_size()), (b"state".to_vec(), 5));
        disk.write(Write::default()).unwrap();
        assert_eq!(disk.read_raft_state(), b"Hbdd");
    });
}

#[test]
fn cutting_and_trimming_more_than_there_is_empties_the_disk() {
    on_both(|| {
        let disk = Persister::new();
        disk.write(Write { append: vec![record("a"), record("b")], ..Write::default() }).unwrap();
        disk.write(Write { keep_records: Some(9), drop_front: 9, ..Write::default() }).unwrap();
        assert_eq!((disk.record_count(), disk.raft_state_size()), (0, 0));
    });
}

#[test]
fn a_course_save_replaces_header_and_records() {
    on_both(|| {
        let disk = Persister::new();
        disk.write(Write { append: vec![record("abc")], ..Write::default() }).unwrap();
        disk.save(b"xy".to_vec(), None).unwrap();
        assert_eq!((disk.record_count(), disk.raft_state_size()), (0, 2));
        assert_eq!(disk.header(), b"xy");
    });
}

#[test]
fn a_clone_is_the_same_disk_and_a_copy_is_another() {
    on_both(|| {
        let disk = Persister::new();
        disk.save(vec![1], Some(vec![1])).unwrap();
        let (same, other) = (disk.clone(), disk.copy());
        disk.save(vec![2, 2], None).unwrap();
        assert_eq!(same.read_raft_state(), [2, 2]);
        assert_eq!((other.read_raft_state(), other.read_snapshot()), (vec![1], vec![1]));
    });
}

/// Readers see a disk before or after a write, never in between.
#[test]
fn writes_are_atomic() {
    on_both(|| {
        let disk = Persister::new();
        let writer = disk.clone();
        let task = labrt::spawn(move || {
            for n in 0..40_u8 {
                writer.save(vec![n; 4], Some(vec![n; 4])).unwrap();
                let append = vec![vec![n; 4].into()];
                writer.write(Write { append, ..Write::default() }).unwrap();
            }
        });
        while !task.is_finished() {
            let copy = disk.copy();
            let (state, snapshot) = (copy.read_raft_state(), copy.read_snapshot());
            assert!([0, 4, 8].contains(&state.len()));
            assert!(state.iter().all(|byte| snapshot.iter().all(|other| other == byte)));
            labrt::yield_now();
        }
        task.join().unwrap();
    });
}

/// An error is for good: what the disk holds after it is not known, so it takes no more writes.
#[test]
fn a_failed_write_poisons_the_disk() {
    on_both(|| {
        for (left, expected) in [
            (TornWrite::Nothing, vec![record("a")]),
            (TornWrite::Part(500), vec![record("a"), record("bb")]),
            (TornWrite::Everything, vec![record("a"), record("bb"), record("cc")]),
        ] {
            let disk = Persister::new();
            disk.fail_write(2, WriteError::NoSpace, left);
            let append = |records: &[&str]| {
                let append = records.iter().map(|text| record(text)).collect();
                disk.write(Write { append, ..Write::default() })
            };
            assert_eq!(append(&["a"]), Ok(()));
            assert_eq!(disk.failure(), None);
            assert_eq!(append(&["bb", "cc"]), Err(WriteError::NoSpace));
            assert_eq!(disk.records(), expected);
            assert_eq!(append(&["d"]), Err(WriteError::NoSpace));
            assert_eq!(disk.save(Vec::new(), None), Err(WriteError::NoSpace));
            disk.fail_write(0, WriteError::Io, TornWrite::Nothing);
            assert_eq!(
                disk.failure(),
                Some(WriteError::NoSpace),
                "it cannot be called off any more"
            );
            assert_eq!(disk.records(), expected, "what is there can be read");
            let other = disk.copy();
            assert_eq!(other.write(Write::default()), Ok(()), "the content, on a sound disk");
        }
    });
}

#[test]
fn a_failure_that_is_called_off_does_not_happen() {
    on_both(|| {
        let disk = Persister::new();
        disk.fail_write(1, WriteError::Io, TornWrite::Nothing);
        disk.fail_write(0, WriteError::Io, TornWrite::Nothing);
        assert_eq!(disk.write(Write::default()), Ok(()));
    });
}
