//! Parts of the command that its output does not show.

use std::process::ExitStatus;

use lab::chunks::{Chunk, Chunks};
use lab::share::Share;
use lab::worker::describe_end;

fn drain(chunks: &mut Chunks, wall_s: f64) -> Vec<Chunk> {
    std::iter::from_fn(|| {
        let chunk = chunks.take()?;
        (chunk.seeds.0..chunk.seeds.1).for_each(|_| chunks.took(chunk.test, wall_s));
        Some(chunk)
    })
    .collect()
}

#[test]
fn every_seed_is_handed_out_once() {
    let mut chunks = Chunks::new(3, (10, 510));
    let mut all: Vec<(usize, u64)> = drain(&mut chunks, 0.001)
        .iter()
        .flat_map(|chunk| (chunk.seeds.0..chunk.seeds.1).map(|seed| (chunk.test, seed)))
        .collect();
    all.sort_unstable();
    let expected: Vec<(usize, u64)> =
        (0..3).flat_map(|test| (10..510).map(move |seed| (test, seed))).collect();
    assert_eq!(all, expected);
    assert!(Chunks::new(2, (7, 7)).take().is_none());
}

#[test]
fn chunks_grow_to_about_a_second() {
    let sizes = |wall_s| -> Vec<u64> {
        let chunks = drain(&mut Chunks::new(1, (1, 100_001)), wall_s);
        chunks.iter().map(|chunk| chunk.seeds.1 - chunk.seeds.0).collect()
    };
    assert_eq!(&sizes(0.015625)[..5], [2, 16, 64, 64, 64]);
    assert_eq!(&sizes(2.0)[..3], [2, 1, 1]);
}

#[test]
fn tests_keep_abreast_and_what_is_put_back_comes_first() {
    let mut chunks = Chunks::new(2, (1, 101));
    let first = chunks.take().unwrap();
    let second = chunks.take().unwrap();
    assert_eq!((first.test, second.test), (0, 1));
    chunks.put_back(0, (2, 3));
    chunks.give_up(1);
    assert_eq!(chunks.take().unwrap(), Chunk { test: 0, seeds: (2, 3) });
    assert_eq!(chunks.take().unwrap(), Chunk { test: 0, seeds: (3, 5) });
    chunks.took(0, 0.5);
    assert!((chunks.seconds_left() - 48.0).abs() < 1e-9);
}

#[test]
fn shares_are_a_partition() {
    for (first, count, of) in [(1, 1000, 8), (5, 7, 3), (1, 3, 8), (0, u64::MAX, 7)] {
        let mut next = first;
        for number in 1..=of {
            let (from, to) = Share { number, of }.seeds(first, count);
            assert_eq!(from, next);
            assert!((count / of..=count / of + 1).contains(&(to - from)));
            next = to;
        }
        assert_eq!(next, first + count);
    }
}

#[test]
fn parsing() {
    assert_eq!("2/8".parse(), Ok(Share { number: 2, of: 8 }));
    for bad in ["0/8", "9/8", "2", "a/b", "1/0", ""] {
        assert!(bad.parse::<Share>().unwrap_err().contains("like 2/8"), "{bad}");
    }
}

#[cfg(unix)]
#[test]
fn the_end_of_a_process() {
    use std::os::unix::process::ExitStatusExt as _;
    let end = |raw, lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        describe_end(ExitStatus::from_raw(raw), &lines)
    };
    let (kind, what) =
        end(6, &["", "thread 'x' panicked at a.rs:1:2:", "in a drop", "aborting", ""]);
    assert_eq!(
        (kind.as_str(), what.as_str()),
        ("aborted (signal 6)", "thread 'x' panicked at a.rs:1:2: in a drop")
    );
    let (kind, what) = end(6, &["stack overflow: task root of node test", "x"]);
    assert_eq!(
        (kind.as_str(), what.as_str()),
        ("stack overflow", "stack overflow: task root of node test")
    );
    assert_eq!(end(9, &[]).0, "killed (signal 9)");
    assert_eq!(end(256, &["last words", " "]).1, "last words");
}
