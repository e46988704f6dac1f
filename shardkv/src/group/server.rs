//! The server of a shard group: seven RPCs, all but one of them submits.

use kvapi::{Error, Get, GetReply, Put, PutReply};
use labrpc::{Method, Service};
use rsm::{Rsm, SubmitError};

use super::machine::Machine;
use crate::messages::{
    CopyReply, CopyShard, DeleteShard, FreezeShard, InstallShard, ShardReply, ThawShard,
};

pub use rsm::Options;

/// One server of a shard group. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct ShardServer {
    rsm: Rsm<Machine>,
}

impl ShardServer {
    /// Starts this server from what is on its disk. Returns quickly. A group whose disks are empty
    /// serves nothing until shards are installed.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(options: Options) -> Result<ShardServer, rsm::Error> {
        Ok(ShardServer { rsm: Rsm::start(options, Machine::new())? })
    }

    /// The services to register under the server's name.
    pub fn services(&self) -> [Service; 2] {
        let rsm = &self.rsm;
        let service = Service::new(Get::SERVICE);
        let service = rsm.serve::<Get>(service, |found| GetReply { outcome: decided(found) });
        let service = rsm.serve::<Put>(service, |done| PutReply { outcome: decided(done) });
        let service = rsm.serve::<FreezeShard>(service, shard_reply);
        let service = rsm.serve::<ThawShard>(service, shard_reply);
        let service = rsm.serve::<InstallShard>(service, shard_reply);
        let service = rsm.serve::<DeleteShard>(service, shard_reply);
        // Frozen data does not change: no log entry is needed, and any server will do.
        let copies = rsm.clone();
        let service = service.method::<CopyShard>(move |args| {
            let chunk = copies.with_machine(|machine| machine.chunk(&args));
            CopyReply { outcome: chunk.ok_or(Error::WrongLeader) }
        });
        rsm.services(service)
    }

    /// The replicated state machine below.
    pub fn rsm(&self) -> &Rsm<Machine> {
        &self.rsm
    }

    /// Stops this server and its Raft.
    pub fn kill(&self) {
        self.rsm.kill();
    }
}

/// The machine's answer, or the reason why there is none.
fn decided<R>(outcome: Result<Result<R, Error>, SubmitError>) -> Result<R, Error> {
    outcome.unwrap_or_else(|error| match error {
        SubmitError::TooLarge { .. } | SubmitError::Encode(_) => Err(Error::TooLarge),
        _ => Err(Error::WrongLeader),
    })
}

fn shard_reply(done: Result<Result<(), Error>, SubmitError>) -> ShardReply {
    ShardReply { outcome: decided(done) }
}
