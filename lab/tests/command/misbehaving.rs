//! Lab tests that fail in every way a run can, under some seeds, and only if a variable is set: in
//! `cargo test` they pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use runner::lab_test;

/// Whether the run of this seed is to fail. The first random number of a run, so that a test can
/// foretell it.
pub fn is_bad() -> bool {
    labrt::random_range(0..8_u32) == 0
}

labrt::marks! {
    enum Mark in "misbehaving" {
        Panics = "a test that panics",
        Nothing = "nothing at all",
    }
}

/// What asks for it.
pub const VARIABLE: &str = "MISBEHAVE";

fn goes_wrong() -> bool {
    let bad = is_bad();
    log::info!(target: "test", "bad: {bad}");
    labrt::sleep(Duration::from_millis(1));
    bad && std::env::var_os(VARIABLE).is_some()
}

#[test]
fn aborts() {
    lab_test!(|| {
        if goes_wrong() {
            eprintln!("last words");
            std::process::abort();
        }
    });
}

#[test]
fn overflows_its_stack() {
    fn deeper(depth: u64) -> u64 {
        let room = std::hint::black_box([depth; 64]);
        if depth == 0 { room[0] } else { deeper(depth - 1) + room[1] }
    }
    lab_test!(|| {
        if goes_wrong() {
            std::hint::black_box(deeper(1_000_000));
        }
    });
}

#[test]
fn never_yields() {
    lab_test!(|| {
        if goes_wrong() {
            loop {
                std::hint::spin_loop();
            }
        }
    });
}

#[test]
fn panics() {
    lab_test!(|| {
        Mark::Panics.reach();
        if goes_wrong() {
            panic!("bad luck after {} draws", 1);
        }
    });
}

#[test]
fn waits_for_ever() {
    lab_test!(|| {
        if goes_wrong() {
            let (_sender, receiver) = labrt::channel::unbounded::<()>();
            let _ = receiver.recv();
        }
    });
}

/// What a lab test must not do: something of the process gets into the run.
#[test]
fn takes_the_process_number() {
    lab_test!(|| {
        if std::env::var_os(VARIABLE).is_some() {
            labrt::sim::message("process", &std::process::id().to_le_bytes());
        }
    });
}

/// Neither: the second run starts from what the first has left.
#[test]
fn counts_its_runs() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    lab_test!(|| {
        labrt::sim::message("run", &RUNS.fetch_add(1, Ordering::SeqCst).to_le_bytes());
    });
}

#[test]
fn prints_its_back_end() {
    lab_test!(|| {
        let run = runner::current();
        run.line(&format!("the seed is {:?}", run.seed()));
    });
}

#[test]
fn exits_with_0() {
    lab_test!(|| {
        if std::env::var_os(VARIABLE).is_some() {
            std::process::exit(0);
        }
    });
}

#[test]
fn forges_a_result() {
    if std::env::var_os(VARIABLE).is_some() {
        println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    }
    exits_with_0();
}

#[test]
fn is_plain_and_exits_with_0() {
    if std::env::var_os(VARIABLE).is_some() {
        std::process::exit(0);
    }
}

#[test]
fn is_no_lab_test() {}
