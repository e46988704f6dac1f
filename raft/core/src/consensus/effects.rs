//! What a step wants done, in the order to do it.

use super::event::Sent;
use super::read::ReadRefused;
use crate::marks::Marks;
use crate::messages::{Reply, Request};
use crate::types::{Index, LogPosition, ServerId, Snapshot};

/// The driver carries these out top to bottom; the order is the safety argument.
///
/// 1. `save` reaches the disk, or the vote and the entries that the rest speaks of do not exist
///    (Figure 2: "Updated on stable storage before responding to RPCs").
/// 2. `reply` and `messages` leave. They may promise what was saved.
/// 3. `install`, then `committed`, go to the service: in index order, each index once (§5.3, §7).
///
/// The effects of one step are carried out before those of the next. A driver that saves on the
/// side ([`Config::delayed_saves`](super::Config::delayed_saves)) may take further steps meanwhile.
/// It delays 2 and 3 of a step until that step's save and all earlier ones are durable, with one
/// exception: [`Outgoing::may_precede_save`]. Several steps' saves may share one write, see
/// [`Save`]. 3 keeps the order of the steps.
#[must_use = "an effect that is dropped is a lost message or a forgotten vote"]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effects {
    /// What the disk must hold before anything else happens.
    pub save: Save,
    /// The number of the last save that was handed out, this step's included; counts from 1. What
    /// this step shows is on the disk once that save is.
    pub save_number: u64,
    /// The answer to the request that was this step's event; there is one for every request.
    pub reply: Option<Reply>,
    /// Calls to make. Each comes back as one `Event::Reply` or `Event::Failed`; one that never
    /// comes back does no harm.
    pub messages: Vec<Outgoing>,
    /// The leader's snapshot, which the service takes in place of all it has.
    pub install: Option<Snapshot>,
    /// First and last index of the entries that became committed and that the service gets next;
    /// read them with [`Node::entry`](super::Node::entry) before the next step.
    pub committed: Option<(Index, Index)>,
    /// Where the command of this step's `Event::Propose` went; `None` when this server does not
    /// lead, when `overloaded` is set, and for any other event.
    pub proposed: Option<LogPosition>,
    /// This leader has as many uncommitted entries as its limits allow, so it rejected the command
    /// of this step's `Event::Propose`.
    pub overloaded: bool,
    /// What became of this step's `Event::Read`: its number, or why not. Numbers count from 1 in
    /// each term, and end with the leadership: what is not confirmed by then never will be.
    pub read: Option<Result<u64, ReadRefused>>,
    /// All reads of this term up to this number may be answered, from a state that includes this
    /// index.
    pub confirmed: Option<(u64, Index)>,
    /// The role this server has taken on in this step, for the log. A candidate that starts over
    /// in a new term is one too.
    pub new_role: Option<super::RoleKind>,
    /// Places worth reaching that this step has reached, for the statistics of test runs.
    pub marks: Marks,
}

/// A call to make to another server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outgoing {
    /// Whom to call.
    pub to: ServerId,
    /// What to call it with.
    pub request: Request,
    /// To be handed back with the outcome, unchanged.
    pub sent: Sent,
}

impl Outgoing {
    /// Whether this request may leave before its step is saved: a leader's AppendEntries. The
    /// leader's term has been durable since it asked for votes, and its own copy of the entries
    /// does not count before it is durable (dissertation §10.2.1).
    pub fn may_precede_save(&self) -> bool {
        matches!(self.request, Request::Append(_))
    }
}

/// What has to reach the disk, read from the node through its accessors.
///
/// Three writes in this order; the second and third must be one atomic write:
///
/// 1. the snapshot, [`Node::snapshot`](super::Node::snapshot);
/// 2. the header: [`term`](super::Node::term), [`voted_for`](super::Node::voted_for) and
///    [`base`](super::Node::base);
/// 3. the log records.
///
/// A crash after the first loses nothing: on restart the log is trimmed to the newer snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Save {
    /// The snapshot is new.
    pub snapshot: bool,
    /// Term, vote or base changed.
    pub header: bool,
    /// The log changed.
    pub log: Option<LogWrite>,
}

impl Save {
    /// Whether there is nothing to save.
    pub fn is_empty(&self) -> bool {
        *self == Save::default()
    }
}

/// How the records on the disk, one for each entry, become those of the log in memory. Done in the
/// order of the fields; it counts on every earlier `LogWrite` having been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogWrite {
    /// Cut the tail: keep this many records.
    pub keep: usize,
    /// Then trim this many at the front.
    pub drop_front: usize,
    /// Then append the entries from this index…
    pub first: Index,
    /// … to this one, which is the last of the log. Nothing to append if it is below `first`.
    pub last: Index,
}
