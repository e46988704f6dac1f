//! Which test is run next, under which seeds.
//!
//! Seeds are handed out in chunks, one process each. Chunks grow until one takes about a second.
//! Then the start of a process costs little, and a sweep that is stopped has tried all tests about
//! equally often.

use std::collections::VecDeque;

/// Wall clock that a chunk should take, in seconds.
const AIM_S: f64 = 1.0;

/// Seeds of the first chunk of a test, whose runs may take long.
const FIRST: u64 = 2;

/// The seeds of all tests that have not been handed out.
pub struct Chunks {
    tests: Vec<Queue>,
}

struct Queue {
    /// Seeds to do, as the first and the one after the last.
    left: VecDeque<(u64, u64)>,
    total: u64,
    /// Size of the last chunk.
    size: u64,
    runs: u64,
    wall_s: f64,
}

/// What a worker is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chunk {
    pub test: usize,
    /// First seed and the one after the last.
    pub seeds: (u64, u64),
}

impl Chunks {
    /// The seeds from `seeds.0` on and before `seeds.1`, for each of `tests` tests.
    pub fn new(tests: usize, seeds: (u64, u64)) -> Chunks {
        let queue = || Queue {
            left: VecDeque::from_iter((seeds.0 < seeds.1).then_some(seeds)),
            total: seeds.1 - seeds.0,
            size: 0,
            runs: 0,
            wall_s: 0.0,
        };
        Chunks { tests: (0..tests).map(|_| queue()).collect() }
    }

    /// The next chunk: of the test that is furthest behind.
    pub fn take(&mut self) -> Option<Chunk> {
        let open = self.tests.iter().enumerate().filter(|(_, queue)| !queue.left.is_empty());
        let test = open.max_by_key(|(at, queue)| (queue.outstanding(), std::cmp::Reverse(*at)))?.0;
        let queue = &mut self.tests[test];
        let size = queue.next_size();
        queue.size = size;
        let (from, to) = queue.left.pop_front()?;
        let end = to.min(from.saturating_add(size));
        if end < to {
            queue.left.push_front((end, to));
        }
        Some(Chunk { test, seeds: (from, end) })
    }

    /// Puts back seeds that a worker has not run.
    pub fn put_back(&mut self, test: usize, seeds: (u64, u64)) {
        if seeds.0 < seeds.1 {
            self.tests[test].left.push_front(seeds);
        }
    }

    /// Gives up the rest of a test's seeds.
    pub fn give_up(&mut self, test: usize) {
        self.tests[test].left.clear();
    }

    /// Notes how long a run took.
    pub fn took(&mut self, test: usize, wall_s: f64) {
        let queue = &mut self.tests[test];
        queue.runs += 1;
        queue.wall_s += wall_s;
    }

    /// Wall-clock time that one process needs for what has not been handed out, in seconds: an
    /// estimate.
    pub fn seconds_left(&self) -> f64 {
        let (runs, wall_s) =
            self.tests.iter().fold((0, 0.0), |sum, it| (sum.0 + it.runs, sum.1 + it.wall_s));
        let usual = wall_s / runs.max(1) as f64;
        let of = |queue: &Queue| queue.outstanding() as f64 * queue.mean().unwrap_or(usual);
        self.tests.iter().map(of).sum()
    }
}

impl Queue {
    fn outstanding(&self) -> u64 {
        self.left.iter().map(|(from, to)| to - from).sum()
    }

    fn mean(&self) -> Option<f64> {
        (self.runs > 0).then(|| self.wall_s / self.runs as f64)
    }

    fn next_size(&self) -> u64 {
        let Some(mean) = self.mean() else { return FIRST };
        let fitting = (AIM_S / mean.max(1e-6)) as u64;
        // Growth is bounded, because the first runs may have been short ones. So is a chunk's part
        // of the whole.
        fitting.min(self.size.saturating_mul(8)).min(self.total.div_ceil(8)).max(1)
    }
}
