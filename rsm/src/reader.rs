//! The one task that executes what Raft delivers.

use std::panic::{AssertUnwindSafe, catch_unwind};

use labrt::channel::Receiver;
use log::{debug, error};
use raft::{ApplyMsg, Index};

use crate::Shared;
use crate::compaction::Compaction;
use crate::marks::Mark;
use crate::operation::Operation;
use crate::state_machine::StateMachine;

/// Executes commands and installs snapshots until Raft closes the channel, or until this server
/// cannot follow the log any further. Then the server stops: it must not pretend to lead.
pub(crate) fn run<M: StateMachine>(
    shared: &Shared<M>,
    applied: &Receiver<ApplyMsg>,
    mut compaction: Compaction,
) {
    for message in applied {
        let at = match &message {
            ApplyMsg::Command { index, .. } => format!("entry {index}"),
            ApplyMsg::Snapshot { index, .. } => format!("the snapshot up to {index}"),
        };
        let outcome = guarded(|| follow(shared, message, &mut compaction));
        if let Err(problem) = outcome.and_then(|outcome| outcome) {
            error!(target: "rsm", "this server stops at {at}: {problem}");
            break;
        }
    }
    shared.stop();
}

/// Executes one message.
fn follow<M: StateMachine>(
    shared: &Shared<M>,
    message: ApplyMsg,
    compaction: &mut Compaction,
) -> Result<(), String> {
    match message {
        ApplyMsg::Command { index, command, .. } => execute(shared, index, &command, compaction),
        ApplyMsg::Snapshot { index, data, .. } => {
            shared.machine.lock().restore(&data).map_err(|problem| problem.to_string())?;
            let ended = shared.pending.lock().covered(index);
            ended.call();
            compaction.done();
            Ok(())
        }
    }
}

fn execute<M: StateMachine>(
    shared: &Shared<M>,
    index: Index,
    command: &[u8],
    compaction: &mut Compaction,
) -> Result<(), String> {
    // The limit was checked before the operation was proposed.
    let operation: Operation<M::Request> = labgob::Decoder::with_limit(command, labgob::NO_LIMIT)
        .decode()
        .map_err(|problem| format!("it is not an operation of this machine: {problem}"))?;
    let (reply, freed) = {
        let mut machine = shared.machine.lock();
        (machine.do_op(operation.request), machine.take_freed_bytes())
    };
    let ended = shared.pending.lock().executed(index, operation.id, reply);
    ended.call();
    compaction.executed(command.len(), freed);
    if compaction.is_due(|| shared.raft.persist_bytes()) {
        let snapshot = shared.machine.lock().snapshot();
        debug!(target: "rsm", "snapshot of {} bytes up to {index}", snapshot.len());
        shared.raft.snapshot(index, snapshot);
        compaction.done();
    }
    Ok(())
}

/// Runs code of the machine. On threads, a panic is caught and returned as its text. In a
/// simulation it is not: there, it fails the run at once, which is worth more.
pub(crate) fn guarded<R>(body: impl FnOnce() -> R) -> Result<R, String> {
    if labrt::is_simulated() {
        return Ok(body());
    }
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        Mark::MachinePanicked.reach();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        format!("the machine panicked: {}", text.unwrap_or_else(|| "without words".to_owned()))
    })
}
