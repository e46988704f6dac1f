//! What clients do in key/value tests, and what must hold afterwards.

use std::time::Duration;

use kvapi::{Clerk as _, Error, Version};
use labrt::channel::{self, Receiver, Sender, TryRecvError};
use serde::{Deserialize, Serialize};

use super::ELECTION_TIMEOUT;
use super::harness::{KvHarness, TestClerk};
use crate::fatal;
use crate::group::Group;

/// The keys `k0` to `k<n-1>`.
pub fn make_keys(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("k{i}")).collect()
}

/// A string of `n` random letters.
pub fn rand_value(n: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    (0..n).map(|_| char::from(LETTERS[labrt::random_range(0..LETTERS.len())])).collect()
}

/// What clients write under a key they compete for: who, and the version they replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the client.
    #[serde(rename = "Id")]
    pub id: i64,
    /// The version replaced.
    #[serde(rename = "V")]
    pub version: u64,
}

/// What a client's puts came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClientResult {
    /// Puts that certainly took effect.
    pub ok: u64,
    /// Puts that may have.
    pub maybe: u64,
}

/// One element of the lists that [`KvHarness::one_client_append`] writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppendEntry {
    /// Number of the client.
    #[serde(rename = "Id")]
    pub id: usize,
    /// The index of the element within its client.
    #[serde(rename = "N")]
    pub number: u64,
}

impl KvHarness {
    /// Puts this client's entry under the key, reading the version anew until the answer is yes or
    /// maybe. Returns the version last read, and whether it was yes.
    ///
    /// After a yes that nobody has overwritten, the entry read must be the one that was put.
    #[track_caller]
    pub fn one_put(
        &self,
        me: i64,
        clerk: &TestClerk,
        key: &str,
        mut version: Version,
    ) -> (Version, bool) {
        loop {
            let put = Entry { id: me, version: version.get() };
            let result = self.put_json(clerk, key, &put, version);
            if let Err(error) = result
                && !matches!(error, Error::Version | Error::Maybe)
            {
                fatal!("Put({key}, version {version}) gave {error}");
            }
            let (now, entry) = self.get_json::<Entry>(clerk, key);
            if result.is_ok() && now == version.next() && entry != put {
                fatal!("Put({key}) of {put:?} was OK, but version {now} holds {entry:?}");
            }
            version = now;
            match result {
                Ok(()) => return (version, true),
                Err(Error::Maybe) => return (version, false),
                Err(_) => {}
            }
        }
    }

    /// Puts under the first key, or with random keys under a random one, until a stop token comes.
    #[track_caller]
    pub fn one_client_put(
        &self,
        me: i64,
        clerk: &TestClerk,
        keys: &[String],
        done: &Receiver<()>,
    ) -> ClientResult {
        let mut versions = vec![Version::ZERO; keys.len()];
        let mut result = ClientResult::default();
        while done.try_recv() == Err(TryRecvError::Empty) {
            let which = if self.random_keys() { labrt::random_range(0..keys.len()) } else { 0 };
            let (version, ok) = self.one_put(me, clerk, &keys[which], versions[which]);
            versions[which] = version;
            if ok { result.ok += 1 } else { result.maybe += 1 }
        }
        result
    }

    /// Checks the final version of the key against all puts so far: `results` are added to `total`,
    /// which lives across calls. Where no answer can have got lost (`reliable`), the version must
    /// be exactly the number of puts that were OK.
    #[track_caller]
    pub fn check_put_concurrent(
        &self,
        clerk: &TestClerk,
        key: &str,
        results: &[ClientResult],
        total: &mut ClientResult,
        reliable: bool,
    ) {
        let (version, _) = self.get_json::<Entry>(clerk, key);
        for result in results {
            total.ok += result.ok;
            total.maybe += result.maybe;
        }
        let (version, ClientResult { ok, maybe }) = (version.get(), *total);
        if reliable && version != ok {
            fatal!("{key} has version {version}, but {ok} puts were OK and none can be uncertain");
        }
        if version > ok + maybe {
            fatal!("{key} has version {version}, but only {ok} + {maybe} puts were OK or maybe");
        }
    }

    /// Runs `n` clients for at least `time`: each a task with a clerk of its own, which it gets
    /// with its number and a channel of stop tokens. Returns what they gave, in order of their
    /// numbers.
    ///
    /// The tokens are handed over one by one; a client that takes one only between two operations
    /// makes the others wait.
    #[track_caller]
    pub fn spawn_clients_and_wait<R: Send + 'static>(
        &self,
        n: usize,
        time: Duration,
        run: impl Fn(usize, &TestClerk, &Receiver<()>) -> R + Send + Sync + 'static,
    ) -> Vec<R> {
        let (stop, done) = channel::bounded::<()>(0);
        // Only clients hold `done`: if all have ended, nobody waits for them.
        let clients = self.spawn_clients(n, move |number, clerk| run(number, clerk, &done));
        labrt::sleep(time);
        for _ in 0..n {
            if stop.send(()).is_err() {
                break;
            }
        }
        clients.into_iter().map(KvHarness::join).collect()
    }

    /// Creates `n` keys `k<i>` with random values of `size` bytes, and checks that they are there.
    #[track_caller]
    pub fn spread_puts_size(
        &self,
        clerk: &TestClerk,
        n: usize,
        size: usize,
    ) -> (Vec<String>, Vec<String>) {
        let keys = make_keys(n);
        let values: Vec<String> = keys.iter().map(|_| rand_value(size)).collect();
        for (key, value) in keys.iter().zip(&values) {
            // The reads below show whether it was executed.
            let _ = self.put_uncounted(clerk, key, value, Version::ZERO);
        }
        for (key, value) in keys.iter().zip(&values) {
            self.check_get(clerk, key, value, Version::new(1));
        }
        (keys, values)
    }

    /// The same with values of 20 bytes.
    #[track_caller]
    pub fn spread_puts(&self, clerk: &TestClerk, n: usize) -> (Vec<String>, Vec<String>) {
        self.spread_puts_size(clerk, n, 20)
    }

    /// Appends to the list under the key `k`, which must exist, until a stop token comes.
    #[track_caller]
    pub fn one_client_append(
        &self,
        me: usize,
        clerk: &TestClerk,
        done: &Receiver<()>,
    ) -> ClientResult {
        let mut result = ClientResult::default();
        while done.try_recv() == Err(TryRecvError::Empty) {
            let number = result.ok + result.maybe;
            let (version, mut list) = self.get_json::<Vec<AppendEntry>>(clerk, "k");
            list.push(AppendEntry { id: me, number });
            match self.put_json(clerk, "k", &list, version) {
                Ok(()) => result.ok += 1,
                Err(Error::Maybe) => result.maybe += 1,
                Err(_) => {}
            }
        }
        result
    }

    /// Checks a list that clients have appended to: each client's numbers in order, gaps only where
    /// an append was uncertain.
    #[track_caller]
    pub fn check_appends(
        &self,
        list: &[AppendEntry],
        clients: usize,
        results: &[ClientResult],
        version: Version,
    ) {
        let mut expected = vec![0_u64; clients];
        let mut skipped = vec![0_u64; clients];
        for entry in list {
            let Some(next) = expected.get_mut(entry.id) else {
                fatal!("the list has an entry of client {}, there are {clients}", entry.id)
            };
            if entry.number < *next {
                fatal!("client {} has entry {} twice or late", entry.id, entry.number);
            }
            skipped[entry.id] += entry.number - *next;
            *next = entry.number + 1;
        }
        if list.len() as u64 + 1 != version.get() {
            fatal!("{} entries, but the list has version {version}", list.len());
        }
        for (client, result) in results.iter().enumerate().take(clients) {
            if skipped[client] > result.maybe {
                let (lost, maybe) = (skipped[client], result.maybe);
                fatal!("client {client} misses {lost} entries, but only {maybe} were uncertain");
            }
            if expected[client] > result.ok + result.maybe {
                fatal!("client {client} has {} entries, more than it appended", expected[client]);
            }
        }
    }
}

/// A task that partitions a group at random: each server on a random side, about once in an
/// election timeout.
pub struct Partitioner {
    stop: Sender<()>,
    task: labrt::JoinHandle<()>,
}

impl Partitioner {
    /// Starts it.
    pub fn start(group: Group) -> Partitioner {
        let (stop, stopped) = channel::bounded::<()>(0);
        let task = crate::spawn(move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                let (mut one, mut other) = (Vec::new(), Vec::new());
                for server in 0..group.n() {
                    let side = if labrt::random_bool(0.5) { &mut one } else { &mut other };
                    side.push(server);
                }
                group.partition(&one, &other);
                let extra = Duration::from_millis(labrt::random_range(0..200));
                labrt::sleep(ELECTION_TIMEOUT + extra);
            }
        });
        Partitioner { stop, task }
    }

    /// Waits until the task has stopped. The last partition stays.
    #[track_caller]
    pub fn stop(self) {
        // It can only be gone already if it has failed, which joining tells.
        let _ = self.stop.send(());
        if let Err(error) = self.task.join() {
            fatal!("the partitioner has failed: {error}");
        }
    }
}

/// Calls without a record, as the speed test makes them.
impl KvHarness {
    /// Runs `count` puts of `k` one after the other on a bare clerk, and fails if they take longer
    /// than `limit`.
    #[track_caller]
    pub(super) fn timed_puts(&self, clerk: &TestClerk, count: u64, limit: Duration) {
        let start = labrt::now();
        for i in 0..count {
            if let Err(error) = clerk.put("k", &i.to_string(), Version::new(i)) {
                fatal!("Put(k, version {i}) gave {error}");
            }
        }
        let took = start.elapsed();
        if took > limit {
            fatal!("{count} puts took {took:?}, at most {limit:?} are allowed");
        }
    }
}
