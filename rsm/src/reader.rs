//! The one task that executes what Raft delivers.

use labrt::channel::Receiver;
use log::{debug, error};
use raft::ApplyMsg;

use crate::Shared;
use crate::compaction::Compaction;
use crate::operation::Operation;
use crate::state_machine::StateMachine;

/// Executes commands and installs snapshots until Raft closes the channel.
pub(crate) fn run<M: StateMachine>(
    shared: &Shared<M>,
    applied: &Receiver<ApplyMsg>,
    mut compaction: Compaction,
) {
    for message in applied {
        match message {
            ApplyMsg::Command { index, command, .. } => {
                let operation: Operation<M::Request> = match labgob::decode(&command) {
                    Ok(operation) => operation,
                    Err(problem) => {
                        error!(target: "rsm", "entry {index} is not an operation of this machine: {problem}");
                        break;
                    }
                };
                let (reply, freed) = {
                    let mut machine = shared.machine.lock();
                    (machine.do_op(operation.request), machine.take_freed_bytes())
                };
                let ready = shared.pending.lock().executed(index, operation.id, reply);
                ready.call();
                compaction.executed(command.len(), freed);
                if compaction.is_due(|| shared.raft.persist_bytes()) {
                    let snapshot = shared.machine.lock().snapshot();
                    debug!(target: "rsm", "snapshot of {} bytes up to {index}", snapshot.len());
                    shared.raft.snapshot(index, snapshot);
                    compaction.done();
                }
            }
            ApplyMsg::Snapshot { index, data, .. } => {
                if let Err(problem) = shared.machine.lock().restore(&data) {
                    error!(target: "rsm", "snapshot up to {index}: {problem}");
                    break;
                }
                let ready = shared.pending.lock().covered(index);
                ready.call();
                compaction.done();
            }
        }
    }
    // Either Raft was killed, or this server cannot follow the log any further and must not pretend to.
    shared.raft.kill();
    let ready = shared.pending.lock().close();
    ready.call();
}
