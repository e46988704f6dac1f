//! The state of a network: ends, servers, their connections, and counts.
//!
//! One lock guards all of it. It is held for moments and never across a switch point, so it need
//! not be one of labrt's, which the simulator would watch. No code of a user runs while it is held:
//! handlers and answers are taken out under the lock and dropped after it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::calls::{Call, Calls, Recipient};
use crate::client_end::{Answer, ClientEnd, Request, Transport};
use crate::fault::{self, Conditions, LinkFaults};
use crate::{CallError, Name, NetworkError, Server};

/// Bounds of a message's latency in a simulation, in nanoseconds.
const SIMULATED_LATENCY: (u64, u64) = (100_000, 500_000);

/// A simulated LAN. Cheap to clone; all clones are the same network, and when the last one goes, it
/// is [cleaned up](Network::cleanup).
///
/// It belongs to the back end it was made on: a network of a simulation serves tasks of that
/// simulation.
#[derive(Clone)]
pub struct Network {
    handle: Arc<Handle>,
}

/// The state shared by the clones of a network. Ends share the fabric only: handlers own ends, so
/// the fabric would otherwise own itself.
struct Handle {
    fabric: Arc<Fabric>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.fabric.clean_up();
    }
}

/// The network as seen by ends and messages in flight.
pub(crate) struct Fabric {
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) conditions: Conditions,
    pub(crate) long_delays: bool,
    /// Whether the network was cleaned up: it then accepts nothing. Never reset.
    pub(crate) finished: bool,
    /// Requests accepted.
    pub(crate) accepted: u64,
    /// Bytes of arguments accepted and of replies delivered.
    pub(crate) bytes: u64,
    pub(crate) calls: Calls,
    /// Never shrinks: a deleted end keeps its slot, so that old handles find it dead.
    pub(crate) ends: Vec<End>,
    pub(crate) servers: Vec<ServerSlot>,
    /// Indexes of the ends that were not deleted.
    end_names: BTreeMap<Name, usize>,
    server_names: BTreeMap<Name, usize>,
}

pub(crate) struct End {
    /// The node that calls through it, for events.
    pub(crate) owner: Arc<str>,
    /// Always `false` once the end is deleted.
    pub(crate) enabled: bool,
    /// Index of the server it is connected to, which need not exist yet.
    pub(crate) server: Option<usize>,
    pub(crate) faults: Option<Box<LinkFaults>>,
}

/// A name that a server has, had, or will have.
pub(crate) struct ServerSlot {
    pub(crate) name: Name,
    pub(crate) object: Option<Arc<Server>>,
    /// Added to every message to or from it.
    pub(crate) slowness: Duration,
}

impl Network {
    /// An empty network, reliable, without long delays and long reordering.
    #[expect(clippy::new_without_default, reason = "what it makes depends on the back end")]
    pub fn new() -> Network {
        let latency = if labrt::is_simulated() { SIMULATED_LATENCY } else { (0, 0) };
        let state = State {
            conditions: Conditions { reliable: true, long_reordering: false, latency },
            long_delays: false,
            finished: false,
            accepted: 0,
            bytes: 0,
            calls: Calls::default(),
            ends: Vec::new(),
            servers: Vec::new(),
            end_names: BTreeMap::new(),
            server_names: BTreeMap::new(),
        };
        Network {
            handle: Arc::new(Handle { fabric: Arc::new(Fabric { state: Mutex::new(state) }) }),
        }
    }

    fn fabric(&self) -> &Arc<Fabric> {
        &self.handle.fabric
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.fabric().state.lock()
    }

    /// Ends the network: all calls in flight, and all later calls, end with [`CallError::NoReply`]
    /// at once. Running handlers may finish. The servers are dropped; the totals can still be read.
    /// Idempotent.
    pub fn cleanup(&self) {
        self.fabric().clean_up();
    }

    // ---- conditions --------------------------------------------------------------------------------------------------

    /// Unreliable: requests are delayed by 0 to 26 ms, and one request and one reply in ten are
    /// lost. Affects calls made from now on.
    pub fn set_reliable(&self, reliable: bool) {
        self.lock().conditions.reliable = reliable;
    }

    /// Whether the network is reliable.
    pub fn is_reliable(&self) -> bool {
        self.lock().conditions.reliable
    }

    /// Delays two replies in three by 200 to 2199 ms, so that they overtake each other; also on a
    /// reliable network. Affects calls made from now on.
    pub fn set_long_reordering(&self, on: bool) {
        self.lock().conditions.long_reordering = on;
    }

    /// Whether replies are held back.
    pub fn is_long_reordering(&self) -> bool {
        self.lock().conditions.long_reordering
    }

    /// Makes calls to unreachable servers take up to 7 s to fail instead of 100 ms. Affects calls
    /// made from now on.
    pub fn set_long_delays(&self, on: bool) {
        self.lock().long_delays = on;
    }

    /// Whether calls to unreachable servers take long to fail.
    pub fn is_long_delays(&self) -> bool {
        self.lock().long_delays
    }

    /// The latency of every message, chosen from this range. Default: 0.1 to 0.5 ms in a
    /// simulation, zero on threads. An empty range means its start. In a simulation without
    /// latency, callers that spin stop the clock.
    pub fn set_latency(&self, range: RangeInclusive<Duration>) {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4);
        // A bound far beyond any run keeps the arithmetic safe.
        let bound = |time: &Duration| nanos(time).min(u64::MAX / 4);
        self.lock().conditions.latency = (bound(range.start()), bound(range.end()));
    }

    // ---- ends ---------------------------------------------------------------------------------------------------------

    /// A new end, disabled and not connected. Events name the current node as its owner.
    ///
    /// # Errors
    /// [`NetworkError::NameTaken`].
    pub fn make_end(&self, name: impl Into<Name>) -> Result<ClientEnd, NetworkError> {
        self.make_end_of(labrt::Node::current().name(), name)
    }

    /// The same, for calls of another node, which events name as the caller.
    ///
    /// # Errors
    /// [`NetworkError::NameTaken`].
    pub fn make_end_of(
        &self,
        owner: impl Into<Arc<str>>,
        name: impl Into<Name>,
    ) -> Result<ClientEnd, NetworkError> {
        let (owner, name) = (owner.into(), name.into());
        let mut state = self.lock();
        if state.end_names.contains_key(&name) {
            return Err(NetworkError::NameTaken(name));
        }
        let index = state.ends.len();
        state.ends.push(End { owner, enabled: false, server: None, faults: None });
        state.end_names.insert(name, index);
        drop(state);
        let fabric = Arc::clone(self.fabric());
        Ok(ClientEnd::new(Arc::new(Port { fabric, end: index })))
    }

    /// Deletes an end. Handles to it behave as if it were disabled, and its calls in flight end.
    /// The name can be used again.
    ///
    /// # Errors
    /// [`NetworkError::UnknownEnd`].
    pub fn delete_end(&self, name: impl Into<Name>) -> Result<(), NetworkError> {
        let name = name.into();
        let mut state = self.lock();
        let Some(index) = state.end_names.remove(&name) else {
            return Err(NetworkError::UnknownEnd(name));
        };
        let end = &mut state.ends[index];
        end.enabled = false;
        end.server = None;
        end.faults = None;
        drop(state);
        self.fabric().poll_soon(|call| call.end == index);
        Ok(())
    }

    /// Connects an end to a server, which need not exist yet. Calls in flight stay with the server
    /// to which they were sent.
    ///
    /// # Errors
    /// [`NetworkError::UnknownEnd`].
    pub fn connect(
        &self,
        end: impl Into<Name>,
        server: impl Into<Name>,
    ) -> Result<(), NetworkError> {
        let mut state = self.lock();
        let end = state.end(end.into())?;
        let server = state.server_slot(server.into());
        state.ends[end].server = Some(server);
        Ok(())
    }

    /// Enables or disables an end. Calls in flight on a disabled end fail within 100 ms, unless it
    /// is enabled again by then.
    ///
    /// # Errors
    /// [`NetworkError::UnknownEnd`].
    pub fn enable(&self, end: impl Into<Name>, enabled: bool) -> Result<(), NetworkError> {
        let mut state = self.lock();
        let index = state.end(end.into())?;
        let was = std::mem::replace(&mut state.ends[index].enabled, enabled);
        drop(state);
        if was && !enabled {
            self.fabric().poll_soon(|call| call.end == index);
        }
        Ok(())
    }

    /// Replaces the faults of this end's link; `LinkFaults::default()` removes them.
    ///
    /// # Errors
    /// [`NetworkError::UnknownEnd`].
    pub fn set_link(&self, end: impl Into<Name>, faults: LinkFaults) -> Result<(), NetworkError> {
        let mut state = self.lock();
        let index = state.end(end.into())?;
        let faults = if faults == LinkFaults::default() { None } else { Some(Box::new(faults)) };
        state.ends[index].faults = faults;
        Ok(())
    }

    // ---- servers ------------------------------------------------------------------------------------------------------

    /// Registers a server under a name. It replaces the server that had the name, whose calls in
    /// flight end within 100 ms.
    pub fn add_server(&self, name: impl Into<Name>, server: impl Into<Arc<Server>>) {
        let server = server.into();
        let id = server.id();
        let mut state = self.lock();
        let index = state.server_slot(name.into());
        let old =
            if state.finished { Some(server) } else { state.servers[index].object.replace(server) };
        drop(state);
        if old.is_some_and(|old| old.id() != id) {
            self.fabric().poll_soon(|call| call.is_to(index));
        }
    }

    /// Removes a server from the network; its calls in flight end within 100 ms. Its handlers may
    /// finish, but their replies are dropped. Nothing happens if there is no such server.
    pub fn delete_server(&self, name: impl Into<Name>) {
        let mut state = self.lock();
        let Some(&index) = state.server_names.get(&name.into()) else { return };
        let old = state.servers[index].object.take();
        drop(state);
        if old.is_some() {
            self.fabric().poll_soon(|call| call.is_to(index));
        }
    }

    /// Makes a server slow: every request and every reply is delayed by this much. The setting
    /// belongs to the name, also for later servers of that name. It affects calls made from now on;
    /// zero removes it.
    pub fn set_server_delay(&self, name: impl Into<Name>, delay: Duration) {
        let mut state = self.lock();
        let index = state.server_slot(name.into());
        state.servers[index].slowness = delay;
    }

    // ---- what was counted ---------------------------------------------------------------------------------------------

    /// Requests that reached the server of this name since it was added, those whose reply was lost
    /// included.
    ///
    /// # Errors
    /// [`NetworkError::UnknownServer`] when no server has the name now.
    pub fn count(&self, server: impl Into<Name>) -> Result<u64, NetworkError> {
        let name = server.into();
        let state = self.lock();
        let slot = state.server_names.get(&name).map(|&index| &state.servers[index]);
        match slot.and_then(|slot| slot.object.as_ref()) {
            Some(server) => Ok(server.rpc_count()),
            None => Err(NetworkError::UnknownServer(name)),
        }
    }

    /// Requests accepted from callers, those that were lost or went to disabled ends included.
    pub fn total_count(&self) -> u64 {
        self.lock().accepted
    }

    /// Bytes of all arguments accepted and all replies delivered, as encoded.
    pub fn total_bytes(&self) -> u64 {
        self.lock().bytes
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

/// The network side of one end.
struct Port {
    fabric: Arc<Fabric>,
    end: usize,
}

impl Transport for Port {
    fn send(&self, request: Request, answer: Answer) {
        self.fabric.accept(self.end, request, answer);
    }
}

impl Fabric {
    fn clean_up(&self) {
        let mut state = self.state.lock();
        state.finished = true;
        let calls = state.calls.drain();
        let servers: Vec<_> =
            state.servers.iter_mut().filter_map(|slot| slot.object.take()).collect();
        drop(state);
        for call in calls {
            call.answer.give(Err(CallError::NoReply));
        }
        drop(servers);
    }

    /// Makes the callers of these calls check their server within 100 ms.
    fn poll_soon(self: &Arc<Fabric>, concerned: impl Fn(&Call) -> bool) {
        let mut state = self.state.lock();
        let mut due = Vec::new();
        for (id, call) in state.calls.iter_mut() {
            if !call.poll_due && call.to != Recipient::Nobody && concerned(call) {
                call.poll_due = true;
                due.push(id);
            }
        }
        drop(state);
        for id in due {
            let fabric = Arc::clone(self);
            labrt::after(fault::next_poll(labrt::random_u64()), move || fabric.poll(id));
        }
    }
}

impl Call {
    fn is_to(&self, server: usize) -> bool {
        matches!(self.to, Recipient::Server { index, .. } if index == server)
    }
}

impl State {
    fn end(&self, name: Name) -> Result<usize, NetworkError> {
        self.end_names.get(&name).copied().ok_or(NetworkError::UnknownEnd(name))
    }

    /// The slot of this name, made if there is none yet.
    fn server_slot(&mut self, name: Name) -> usize {
        if let Some(&index) = self.server_names.get(&name) {
            return index;
        }
        let index = self.servers.len();
        self.servers.push(ServerSlot {
            name: name.clone(),
            object: None,
            slowness: Duration::ZERO,
        });
        self.server_names.insert(name, index);
        index
    }

    /// Whether a positive reply can no longer reach this call.
    #[inline]
    pub(crate) fn is_dead(&self, end: usize, to: Recipient) -> bool {
        match to {
            Recipient::Nobody => true,
            Recipient::Server { index, id } => {
                !self.ends[end].enabled
                    || self.servers[index].object.as_ref().is_none_or(|now| now.id() != id)
            }
        }
    }
}
