//! Panics in simulated tasks become part of the report.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

use super::context::{Context, context};
use super::failure::FailureKind;
use super::world::{self, World};

thread_local! {
    /// The last panic of this OS thread, kept by the hook for the report.
    static PANIC: Cell<Option<Panic>> = const { Cell::new(None) };
}

/// A panic, for the report.
pub(super) struct Panic {
    /// Its message, source line and backtrace.
    pub(super) text: String,
    /// Its source line.
    pub(super) line: Option<String>,
}

/// The text of a panic's payload, if it is a text.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> Option<String> {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Some((*text).to_owned()),
        (_, Some(text)) => Some(text.clone()),
        _ => None,
    }
}

/// The text of the panic with this payload, with its source line if the hook's note is of the
/// same panic. (The note may be of an earlier panic that was caught.)
pub(super) fn take_panic(payload: &(dyn Any + Send)) -> Panic {
    let noted = PANIC.with(Cell::take);
    let text = panic_text(payload);
    match noted {
        Some(noted) if text.as_ref().is_none_or(|text| noted.text.starts_with(text)) => noted,
        _ => Panic { text: text.unwrap_or_else(|| "a panic without a message".into()), line: None },
    }
}

/// Drops a panic's payload. Its destructor is code of a user as well, and may panic.
pub(super) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(again) = panic::catch_unwind(AssertUnwindSafe(move || drop(payload))) {
        std::mem::forget(again);
    }
}

/// Installs, once a process, a hook that keeps panics of simulated tasks for the report. Without
/// it they would be printed under the name of the wrong thread.
pub(super) fn install_hook() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if context() == Context::Threads {
                previous(info);
            } else {
                on_panic(info);
            }
        }));
    });
}

fn on_panic(info: &PanicHookInfo<'_>) {
    const LAST_WORDS: [&str; 2] =
        ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];
    let hopeless = info.payload_as_str().is_some_and(|text| LAST_WORDS.contains(&text));
    if !hopeless || context() != Context::Task {
        PANIC.with(|cell| cell.set(Some(describe_panic(info))));
        world::try_with(World::note_panic);
        return;
    }
    // A destructor panicked while its task was unwinding. The process is aborted when this hook
    // returns. Nothing can prevent that (suspending the task here would leave std's lock around
    // the hook taken), so the hook names the task.
    let message = PANIC.with(Cell::take).map_or_else(String::new, |panic| panic.text);
    let message = format!("{message} (in a destructor, while the task was unwinding already)");
    world::try_with(|world| {
        let failure = world.new_failure(FailureKind::TaskPanic, message, Vec::new());
        eprintln!(
            "{failure}\nthe process ends here: destructors must not panic in a task that is killed"
        );
    });
}

fn describe_panic(info: &PanicHookInfo<'_>) -> Panic {
    let text = info.payload_as_str().unwrap_or("a panic without a message");
    let at = info.location().map_or_else(String::new, |line| format!(" at {line}"));
    let line = info.location().map(ToString::to_string);
    let backtrace = std::backtrace::Backtrace::capture();
    let text = match backtrace.status() {
        std::backtrace::BacktraceStatus::Captured => {
            format!("{text}{at}\n{}", own_frames(&backtrace.to_string()))
        }
        _ => format!("{text}{at}"),
    };
    Panic { text, line }
}

/// The frames of a backtrace between the panic machinery above them and the scheduler's below.
fn own_frames(backtrace: &str) -> String {
    let is_frame = |line: &str| {
        let number = line.trim_start().split_once(": ").map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let lines: Vec<&str> = backtrace.lines().collect();
    let machinery =
        ["core::panicking::", "core::option::expect_failed", "core::result::unwrap_failed"];
    let last_of_panic = lines
        .iter()
        .rposition(|line| is_frame(line) && machinery.iter().any(|part| line.contains(part)));
    let first = last_of_panic.map_or(0, |at| {
        let next = lines[at + 1..].iter().position(|line| is_frame(line));
        next.map_or(lines.len(), |next| at + 1 + next)
    });
    let end = lines[first..]
        .iter()
        .position(|line| line.contains("labrt::sim::executor::bottom"))
        .map_or(lines.len(), |at| first + at);
    lines[first..end].join("\n")
}
