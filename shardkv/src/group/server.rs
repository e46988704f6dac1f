//! The server of a shard group: five RPCs, each a submit.

use std::time::Duration;

use kvapi::{Error, GetReply, PutReply};
use kvsrv::{Get, Put};
use labrpc::{Method, Service};
use rsm::Rsm;

use super::machine::{Machine, Reply, Request};
use crate::messages::{DeleteShard, FreezeReply, FreezeShard, InstallShard, ShardReply};
use crate::shard::Gid;

pub use rsm::Options;

/// How long a request waits for its entry. A leader that is cut off from its group would keep it for as long as that lasts; so the
/// clerk asks another server instead, and the answer of what is done a second time is the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// One server of a shard group. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct ShardServer {
    rsm: Rsm<Machine>,
}

impl ShardServer {
    /// Starts this server of group `gid` from what is on its disk. Returns quickly.
    ///
    /// # Errors
    /// When what was saved cannot be understood.
    pub fn start(gid: Gid, options: Options) -> Result<ShardServer, rsm::Error> {
        Ok(ShardServer { rsm: Rsm::start(options, Machine::new(gid))? })
    }

    /// The service to register under the server's name. Raft's own must be registered too.
    pub fn service(&self) -> Service {
        /// The reply of the kind that belongs to the request, or the reason to ask another server.
        macro_rules! submit {
            ($server:expr, $request:expr, $kind:path) => {
                match $server.rsm.submit_within(PATIENCE, $request) {
                    Ok($kind(outcome)) => outcome,
                    // Replies of other kinds do not come: a reply belongs to its request.
                    Ok(_) | Err(_) => Err(Error::WrongLeader),
                }
            };
        }
        let server = || self.clone();
        let (get, put, freeze, install, delete) =
            (server(), server(), server(), server(), server());
        Service::new(Get::SERVICE)
            .method::<Get>(move |args| GetReply {
                outcome: submit!(get, Request::Get { key: args.key }, Reply::Get),
            })
            .method::<Put>(move |args| {
                let kvapi::PutArgs { key, value, version } = args;
                let request = Request::Put { key, value, version };
                PutReply { outcome: submit!(put, request, Reply::Put) }
            })
            .method::<FreezeShard>(move |args| FreezeReply {
                outcome: submit!(freeze, Request::Freeze(args), Reply::Freeze),
            })
            .method::<InstallShard>(move |args| ShardReply {
                outcome: submit!(install, Request::Install(args), Reply::Shard),
            })
            .method::<DeleteShard>(move |args| ShardReply {
                outcome: submit!(delete, Request::Delete(args), Reply::Shard),
            })
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
