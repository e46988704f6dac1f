//! Whether histories of many families are answered in time, and within their memory.
//!
//! ```text
//! cargo bench -p benches --bench answers            the table
//! cargo bench -p benches --bench answers -- queue   the rows of one family, with every miss
//! ```
//!
//! Times are of the check alone, on one thread.

#![expect(clippy::disallowed_methods, reason = "it measures real time")]

#[path = "../../porcupine/tests/check/families.rs"]
mod families;

use std::time::{Duration, Instant};

use families::Shape;
use porcupine::models::{AppendKv, Queue, Register, Set};
use porcupine::{Budget, Model, Operation, Options, Verdict, check_operations};

const TIME: Duration = Duration::from_secs(1);
const MEMORY: usize = 256 << 20;

#[derive(Default)]
struct Row {
    histories: usize,
    answered: usize,
    wrong: usize,
    times: Vec<Duration>,
}

fn one<M: Model>(
    row: &mut Row,
    shape: &Shape,
    model: &M,
    history: Option<Vec<Operation<M::Input, M::Output>>>,
    certain: bool,
) {
    let Some(history) = history else { return };
    let start = Instant::now();
    let stop = || start.elapsed() >= TIME;
    let budget = Budget { memory: Some(MEMORY), stop: Some(&stop), ..Budget::default() };
    let options = Options { budget, ..Options::default() };
    let report = check_operations(model, &history, &options).expect("a history");
    let verdict = report.verdict();
    row.times.push(start.elapsed());
    row.histories += 1;
    row.answered += usize::from(verdict != Verdict::Unknown);
    let expected = if shape.violated { Verdict::Illegal } else { Verdict::Ok };
    let wrong = verdict != Verdict::Unknown && verdict != expected;
    row.wrong += usize::from(wrong && (certain || !shape.violated));
    if wanted().len() == 1 && (verdict == Verdict::Unknown || wrong) {
        println!("  {verdict:?}: {shape:?} {:?}", report.limit());
    }
}

/// The families asked for.
fn wanted() -> Vec<String> {
    std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect()
}

fn main() {
    let wanted = wanted();
    let seeds: u64 = std::env::var("SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    println!("{:<34} answered   median      worst   wrong", "family");
    let (mut all, mut answered) = (0, 0);
    for family in [
        "queue",
        "set",
        "set, members",
        "register",
        "register, few values",
        "append",
        "append, few gets",
    ] {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| family == wanted) {
            continue;
        }
        for clients in [5, 20, 100] {
            for crashed in [0.0, 0.05, 0.2] {
                let mut row = Row::default();
                for violated in [false, true] {
                    for seed in 0..seeds {
                        let shape = Shape { clients, operations: 2000, crashed, violated, seed };
                        match family {
                            "queue" => {
                                one(&mut row, &shape, &Queue::new(), families::queue(&shape), true)
                            }
                            "set" => one(
                                &mut row,
                                &shape,
                                &Set::new(),
                                families::set(&shape, false),
                                true,
                            ),
                            "set, members" => {
                                one(
                                    &mut row,
                                    &shape,
                                    &Set::new(),
                                    families::set(&shape, true),
                                    true,
                                );
                            }
                            "register" => {
                                let history = families::register(&shape, false);
                                one(&mut row, &shape, &Register::new(), history, true);
                            }
                            "register, few values" => {
                                let history = families::register(&shape, true);
                                one(&mut row, &shape, &Register::new(), history, false);
                            }
                            "append" => one(
                                &mut row,
                                &shape,
                                &AppendKv::new(),
                                families::append(&shape, true),
                                true,
                            ),
                            _ => one(
                                &mut row,
                                &shape,
                                &AppendKv::new(),
                                families::append(&shape, false),
                                true,
                            ),
                        }
                    }
                }
                row.times.sort();
                let ms = |at: usize| row.times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3);
                println!(
                    "{:<34} {:>3} of {:<3} {:>8.1} ms {:>8.1} ms {:>4}",
                    format!("{family}, {clients} clients, {:.0}%", crashed * 100.0),
                    row.answered,
                    row.histories,
                    ms(row.times.len() / 2),
                    ms(row.times.len().saturating_sub(1)),
                    row.wrong,
                );
                all += row.histories;
                answered += row.answered;
            }
        }
    }
    println!("answered {answered} of {all}");
}
