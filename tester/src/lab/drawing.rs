//! The page of a run, from its trace and its books.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::TestId;
use super::runs::Outcome;
use crate::kv;
use crate::page::{self, Failure, Run, page};
use crate::trace::Events;

/// Draws the run whose trace was written.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn draw(
    path: &Path,
    test: &TestId,
    trace: &Path,
    outcome: &Outcome,
) -> io::Result<PathBuf> {
    let run = describe(test, outcome);
    let events = Events::open(trace)?;
    let cut = events.cut();
    let mut broken = None;
    let whole = events.map_while(|event| event.map_err(|error| broken = Some(error)).ok());
    let drawn = page(&run, whole, cut, page::LIMIT);
    if let Some(error) = broken {
        return Err(error);
    }
    std::fs::write(path, drawn)?;
    Ok(path.to_path_buf())
}

/// Everything but the events.
fn describe(test: &TestId, outcome: &Outcome) -> Run {
    let seed = outcome.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
    let (histories, annotations) = outcome.state.books(|books| {
        let items = books.annotations.iter().flat_map(|items| items.items()).collect();
        (books.histories.clone(), items)
    });
    let mut run = Run {
        title: format!("{}{seed}", test.name()),
        verdict: outcome.verdict.word().to_owned(),
        report: outcome.verdict.report().to_owned(),
        annotations,
        ..Run::default()
    };
    if let Some(failure) = &outcome.failure {
        run.failure = Some(Failure {
            t: u64::try_from(failure.at.as_nanos()).unwrap_or(u64::MAX),
            node: failure.task.as_deref().map_or("", node_of).to_owned(),
            what: format!("{}: {}", failure.kind, failure.message),
        });
    }
    for history in &histories {
        let mut ops = history.ops();
        if !outcome.verdict.is_pass()
            && run.marked.is_empty()
            && let Some(found) = kv::contradiction(&ops)
        {
            run.report = format!("{}\n\n{}", run.report, found.text);
            run.focus = ops[found.stuck].returned.as_ref().map(|(at, _)| at.as_nanos());
            run.marked = found.ops.iter().map(|at| run.ops.len() + at).collect();
        }
        run.ops.append(&mut ops);
    }
    run
}

/// `server-0-1` of `task #119 server-0-1/raft-call`.
fn node_of(task: &str) -> &str {
    let name = task.rsplit(' ').next().unwrap_or(task);
    name.split('/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_node_of_a_task() {
        assert_eq!(super::node_of("task #119 server-0-1/raft-call"), "server-0-1");
        assert_eq!(super::node_of(""), "");
    }
}
