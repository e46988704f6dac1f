//! One kvsrv, shard groups that come and go, and a key/value harness over them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kvapi::{Clerk as _, Version};
use labrt::channel::{self, RecvTimeoutError};
use shardkv::group::{Options, ShardServer};
use shardkv::{Change, Connect, Gid, Groups, ShardClerk, ShardConfig, ShardController, ShardId};
use tester::kv::{KvHarness, TestClerk};
use tester::{Client, Cluster, ClusterOptions, Hosted, ServerName, ServerSetup, fatal, hosted};

/// Servers of a group.
pub const SERVERS: usize = 3;
/// Groups that join in the larger tests.
pub const GROUPS: usize = 8;
/// Keys.
pub const KEYS: usize = 5 * shardkv::SHARDS;
/// Pause after a group has joined or left.
pub const BETWEEN_GROUPS: Duration = Duration::from_millis(200);
/// Name of the server that controllers keep their record on.
pub const STORE: &str = "server-0-0";

/// The running servers, by group and index.
type Servers = Arc<labrt::Mutex<BTreeMap<(u64, usize), ShardServer>>>;

/// What the tests share. Clones are handles to the same.
#[derive(Clone)]
pub struct Sharded {
    pub kv: KvHarness,
    /// The main controller. It has a client of its own.
    pub sck: ShardController,
    servers: Servers,
    max_raft_state: Option<usize>,
    next_gid: Arc<labrt::Mutex<u64>>,
}

pub fn connect(client: &Client) -> Connect {
    let client = client.clone();
    // A name of another form is a server that nobody has.
    let nobody = ServerName::new(u64::MAX, 0);
    Arc::new(move |server: &str| client.end_to(server.parse().unwrap_or(nobody)))
}

fn start(
    setup: ServerSetup,
    max_raft_state: Option<usize>,
    servers: &Servers,
) -> Vec<Box<dyn Hosted>> {
    let ServerSetup { peers, me, persister, tuning, group: gid, .. } = setup;
    let options = Options { peers, me, persister, max_raft_state, tuning };
    let server =
        ShardServer::start(options).unwrap_or_else(|error| panic!("server {gid}-{me}: {error}"));
    servers.lock().insert((gid, me), server.clone());
    vec![hosted(server.services(), move || server.kill())]
}

impl Sharded {
    /// A kvsrv and no group. Prints the first line.
    pub fn bare(title: &str, reliable: bool) -> Sharded {
        Sharded::set_up(title, reliable, None, false)
    }

    fn set_up(
        title: &str,
        reliable: bool,
        max_raft_state: Option<usize>,
        random_keys: bool,
    ) -> Sharded {
        let options = ClusterOptions::new(1).reliable(reliable);
        let cluster =
            Cluster::new(options, |_setup| vec![hosted([kvsrv::KvServer::new().service()], || {})]);
        cluster.begin(title);
        let clerk = |client: &Client, _| ShardClerk::new(connect(client), STORE);
        let kv = KvHarness::new(cluster.clone(), clerk, random_keys);
        let sck = ShardController::new(connect(&cluster.make_client()), STORE);
        let (servers, next_gid) = (Servers::default(), Arc::new(labrt::Mutex::new(2)));
        Sharded { kv, sck, servers, max_raft_state, next_gid }
    }

    /// A kvsrv, and group 1 with all shards.
    pub fn new(title: &str, reliable: bool, max_raft_state: Option<usize>) -> Sharded {
        Sharded::set_up(title, reliable, max_raft_state, false).with_first_group()
    }

    /// The same, with clients that spread over all keys.
    pub fn with_random_keys(title: &str, reliable: bool, max_raft_state: Option<usize>) -> Sharded {
        Sharded::set_up(title, reliable, max_raft_state, true).with_first_group()
    }

    fn with_first_group(self) -> Sharded {
        self.start_group(1);
        let mut config = ShardConfig::new();
        config.join_balance(group(1)).unwrap();
        self.sck.init_config(&config).unwrap();
        self
    }

    // ---- groups --------------------------------------------------------------------------------

    /// A number nobody has.
    pub fn new_gid(&self) -> u64 {
        let mut next = self.next_gid.lock();
        *next += 1;
        *next - 1
    }

    pub fn new_gids(&self, n: usize) -> Vec<u64> {
        (0..n).map(|_| self.new_gid()).collect()
    }

    pub fn start_group(&self, gid: u64) {
        let (limit, servers) = (self.max_raft_state, Arc::clone(&self.servers));
        let starter = move |setup| start(setup, limit, &servers);
        self.kv.cluster().make_group_start(gid, SERVERS, starter);
    }

    pub fn shutdown(&self, gid: u64) {
        self.kv.cluster().group(gid).shutdown();
    }

    pub fn start_servers(&self, gid: u64) {
        self.kv.cluster().group(gid).start_servers();
    }

    /// The server that leads the group, or the first that says so.
    pub fn leader(&self, gid: u64) -> usize {
        match self.leading(gid) {
            Some(leader) => leader,
            None => fatal!("group {gid} has no leader"),
        }
    }

    /// The same; `None` if none says so.
    pub fn leading(&self, gid: u64) -> Option<usize> {
        let servers = self.servers.lock().clone();
        let leads = |(at, server): &(&(u64, usize), &ShardServer)| {
            at.0 == gid && server.rsm().raft().state().1
        };
        servers.iter().find(leads).map(|(&(_, leader), _)| leader)
    }

    /// Shuts the server down that leads the group.
    pub fn shutdown_leader(&self, gid: u64) {
        self.kv.cluster().group(gid).shutdown_server(self.leader(gid));
    }

    /// Bytes of keys and values that each server of the group holds.
    pub fn data_bytes(&self, gid: u64) -> Vec<usize> {
        let servers = self.servers.lock().clone();
        let of_group = servers.range((gid, 0)..(gid + 1, 0));
        of_group
            .map(|(_, server)| server.rsm().with_machine(|machine| machine.data_bytes()))
            .collect()
    }

    // ---- controllers ---------------------------------------------------------------------------

    /// A new controller with a client of its own.
    pub fn controller(&self) -> (ShardController, Client) {
        let client = self.kv.cluster().make_client();
        (ShardController::new(connect(&client), STORE), client)
    }

    /// Makes a group a part of the configuration, as the controller sees it. A group that is there
    /// already fails the test.
    pub fn join(&self, sck: &ShardController, gid: u64) -> Change {
        let mut config = sck.query().unwrap();
        config.join_balance(group(gid)).unwrap_or_else(|error| panic!("join {gid}: {error}"));
        sck.change_config_to(&config).unwrap()
    }

    pub fn leave(&self, sck: &ShardController, gid: u64) -> Change {
        let mut config = sck.query().unwrap();
        let left = config.leave_balance(&[Gid::new(gid)]);
        left.unwrap_or_else(|error| panic!("leave {gid}: {error}"));
        sck.change_config_to(&config).unwrap()
    }

    pub fn is_member(&self, sck: &ShardController, gid: u64) -> bool {
        sck.query().unwrap().is_member(Gid::new(gid))
    }

    /// Starts groups and joins them, one after the other; false as soon as one is not a member
    /// afterwards.
    pub fn join_groups(&self, sck: &ShardController, gids: &[u64]) -> bool {
        gids.iter().all(|&gid| {
            self.start_group(gid);
            let _ = self.join(sck, gid);
            let joined = self.is_member(sck, gid);
            if joined {
                labrt::sleep(BETWEEN_GROUPS);
            }
            joined
        })
    }

    /// Makes groups leave and shuts them down; false as soon as one is a member afterwards.
    pub fn leave_groups(&self, sck: &ShardController, gids: &[u64]) -> bool {
        gids.iter().all(|&gid| {
            let _ = self.leave(sck, gid);
            let left = !self.is_member(sck, gid);
            if left {
                self.kv.cluster().exit_group(gid);
                labrt::sleep(BETWEEN_GROUPS);
            }
            left
        })
    }

    // ---- keys ----------------------------------------------------------------------------------

    pub fn spread_puts(&self, ck: &TestClerk) -> Spread {
        let (keys, values) = self.kv.spread_puts(ck, KEYS);
        Spread { keys, values }
    }

    /// All keys have their values, written once.
    pub fn check_all(&self, ck: &TestClerk, spread: &Spread) {
        for (key, value) in spread.keys.iter().zip(&spread.values) {
            self.kv.check_get(ck, key, value, Version::new(1));
        }
    }

    /// With one group down, Gets of its keys wait, and others do not return anything wrong.
    pub fn check_shutdown_sharding(&self, down: u64, spread: &Spread) {
        const QUIET: Duration = Duration::from_secs(2);
        self.shutdown(down);
        let (done, finished) = channel::unbounded();
        for (key, value) in spread.keys.iter().cloned().zip(spread.values.iter().cloned()) {
            let (kv, done) = (self.kv.clone(), done.clone());
            tester::spawn(move || {
                let ck = kv.make_clerk();
                let got = ck.get(&key).map(|(value, _)| value).unwrap_or_default();
                let _ = done.send((got == value).then_some(()).ok_or((key, got)));
                kv.delete_clerk(&ck);
            });
        }
        let mut completed = 0;
        loop {
            match finished.recv_timeout(QUIET) {
                Ok(Ok(())) => completed += 1,
                Ok(Err((key, got))) => {
                    fatal!("Get({key}) gave {got:?} while group {down} was down")
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if completed == spread.keys.len() {
            fatal!("all {completed} Gets completed although group {down} was down");
        }
        self.start_servers(down);
    }

    /// Judges the history and ends the test.
    pub fn finish(&self) {
        self.kv.cleanup();
    }
}

/// Keys that were written once, and their values.
#[derive(Clone, Default)]
pub struct Spread {
    pub keys: Vec<String>,
    pub values: Vec<String>,
}

impl Spread {
    /// Those whose shard is one of these.
    pub fn in_shards(&self, shards: impl Fn(ShardId) -> bool) -> Spread {
        let all = self.keys.iter().cloned().zip(self.values.iter().cloned());
        let (keys, values) = all.filter(|(key, _)| shards(ShardId::of_key(key))).unzip();
        Spread { keys, values }
    }
}

/// The group's number and the names of its servers, to join it.
pub fn group(gid: u64) -> Groups {
    let name = |i| ServerName::new(gid, i).to_string();
    BTreeMap::from([(Gid::new(gid), (0..SERVERS).map(name).collect())])
}

/// A task's result, if it is there before `limit` is over.
pub fn within<T>(limit: Duration, waits: &labrt::oneshot::Receiver<T>) -> Option<T> {
    waits.recv_timeout(limit).ok()
}

/// Runs a task of the test whose end can be waited for.
pub fn background<T: Send + 'static>(
    body: impl FnOnce() -> T + Send + 'static,
) -> labrt::oneshot::Receiver<T> {
    let (done, waits) = labrt::oneshot::channel();
    tester::spawn(move || {
        let _ = done.send(body());
    });
    waits
}
