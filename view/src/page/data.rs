//! What the page draws, from the events of a run: as arrays, since runs are long.
//!
//! Times are nanoseconds; those of a list are differences to the one before. Texts that come again
//! are written once.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use events::{Cluster, Event, Fault, Operation, Record, raft, rpc};

use crate::Run;
use crate::annotation::{Annotation, Kind, NEMESIS_ROW};
use crate::history::Op;
use crate::members::{self, Members, is_shown};

/// The data of a page. Field names are short: they are written once, but read in the page's script.
#[derive(Serialize)]
struct Data<'a> {
    title: &'a str,
    verdict: &'a str,
    report: &'a str,
    /// Name, short name and kind of each lane: 0 server, 1 clerk, 2 anything else.
    lanes: Vec<LaneRow>,
    methods: Vec<String>,
    targets: Vec<String>,
    texts: Vec<String>,
    calls: Vec<CallRow>,
    states: Vec<StateRow>,
    /// Lane, time, index.
    applied: Vec<(usize, u64, u64)>,
    /// Lane, time, kind ([`Mark`]), text.
    marks: Vec<(i64, u64, u8, usize)>,
    /// Lane, call, return or -1, request, answer, kind (0 read, 1 write), answered with an error,
    /// marked.
    ops: Vec<OperationRow>,
    /// Row, start, end or -1, text, details, colour, whether it is a fault.
    notes: Vec<NoteRow>,
    /// Lane or -1, time, target, text: log lines that are nothing else.
    lines: Vec<(i64, u64, usize, usize)>,
    end: u64,
    focus: Option<u64>,
    /// When, lane or -1, text.
    failure: Option<(u64, i64, &'a str)>,
    /// Where the picture begins and ends, and how many events are not in it.
    cut: Option<(u64, u64, u64)>,
}

/// As in `Data::ops`.
type OperationRow = (usize, u64, i64, usize, usize, u8, bool, bool);

/// Name, short name, kind.
type LaneRow = (String, String, u8);

/// Lane, time, term, role, last, commit, base, task that changed it, and a text or -1.
type StateRow = (usize, u64, u64, u8, u64, u64, u64, u64, i64);

/// From lane, to lane, method, fate, number, bytes, sent; then, each since the one before or -1:
/// arrived, reply left, reply came or the call failed; how it ended; task of the handler; what was
/// sent, what was answered: a text or -1.
type CallRow = (i64, i64, usize, u8, u64, u64, u64, i64, i64, i64, u8, u64, i64, i64);

/// Kinds of marks on a lane.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Mark {
    Save,
    Snapshot,
    Install,
    Start,
    ShutDown,
    Crash,
    Killed,
    Fault,
}

/// A call as it is being put together. Times are absolute.
#[derive(Clone, Default)]
struct Call {
    from: i64,
    to: i64,
    method: usize,
    number: u64,
    bytes: u64,
    lost: bool,
    unreachable: bool,
    sent: u64,
    arrived: Option<u64>,
    handled: Option<u64>,
    ended: Option<u64>,
    end: End,
    handler: u64,
    request_text: i64,
    reply_text: i64,
}

/// How a call ended.
#[derive(Clone, Copy, Default, PartialEq)]
#[repr(u8)]
enum End {
    /// It had not, when the run ended.
    #[default]
    Open,
    Answered,
    /// Without an answer.
    Failed,
    /// The reply was lost on its way.
    ReplyLost,
    /// The reply came when the call had ended.
    Late,
}

struct State {
    lane: usize,
    t: u64,
    state: raft::State,
    task: u64,
    text: i64,
}

/// Strings by number.
#[derive(Default)]
struct Table {
    numbers: BTreeMap<String, usize>,
    texts: Vec<String>,
}

impl Table {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len();
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }
}

/// Everything in the run, before the part that fits on the page is chosen.
#[derive(Default)]
struct Content {
    words: Words,
    members: Members,
    lanes: Lanes,
    methods: Table,
    targets: Table,
    texts: Table,
    calls: Vec<Call>,
    states: Vec<State>,
    applied: Vec<(usize, u64, u64)>,
    marks: Vec<(i64, u64, Mark, usize)>,
    lines: Vec<(i64, u64, usize, usize)>,
    /// By number in the history, the clerk's lane.
    clerks: BTreeMap<i64, usize>,
    /// Lanes of clerks whose client is not known, with the clerk's number.
    unnamed_clerks: BTreeMap<usize, i64>,
    /// Faults that have begun and not ended, by number: when, and what. Their annotations come with
    /// their ends.
    faults: BTreeMap<usize, (u64, String)>,
    /// Times of the first and the last event.
    begin: Option<u64>,
    end: u64,
}

/// Writes the text of an event.
#[derive(Clone, Copy)]
struct Words(fn(&dyn fmt::Display) -> String);

impl Default for Words {
    fn default() -> Words {
        Words(|event| event.to_string())
    }
}

#[derive(Default)]
struct Lanes(Table);

impl Lanes {
    /// The lane of a server or a clerk. `None` for the test itself.
    fn of(&mut self, name: &str) -> Option<usize> {
        is_shown(name).then(|| self.0.number(name))
    }
}

/// The lane, or -1.
fn lane_or_none(lane: Option<usize>) -> i64 {
    lane.map_or(-1, |lane| lane as i64)
}

/// What is under way while the events are read.
#[derive(Default)]
struct UnderWay {
    /// The calls, by number.
    calls: BTreeMap<u64, usize>,
    /// By number of the task: the text of the message that Raft is sending.
    messages: BTreeMap<u64, usize>,
    /// By number of the task: the call that carries it.
    callers: BTreeMap<u64, usize>,
}

impl Content {
    fn read(records: impl Iterator<Item = Record>, words: Words) -> Content {
        let mut content = Content { words, ..Content::default() };
        let mut under_way = UnderWay::default();
        for record in records {
            let record = &record;
            content.members.learn(record);
            if !record.event.is_declaration() {
                content.begin.get_or_insert(record.t);
            }
            content.end = record.t;
            match &record.event {
                Event::Rpc(call) => content.call(record, call, &mut under_way),
                Event::Raft(raft) => content.raft(record, raft, &mut under_way),
                Event::Cluster(cluster) => content.cluster(record, cluster),
                Event::Fault(fault) => content.fault(record, fault),
                Event::Operation(Operation::Clerk { clerk, node }) => {
                    if let Some(lane) = content.lanes.of(node) {
                        content.clerks.insert(*clerk, lane);
                    }
                }
                // They are in the history, with more about them.
                Event::Operation(_) => {}
                _ => content.line(record),
            }
        }
        content
    }

    /// The number of the text of an event, or of a part of one.
    fn text(&mut self, event: &dyn fmt::Display) -> usize {
        let text = (self.words.0)(event);
        self.texts.number(&text)
    }

    fn line(&mut self, record: &Record) {
        let lane = lane_or_none(self.lanes.of(record.about()));
        let target = self.targets.number(record.event.target());
        let text = self.text(&record.event);
        self.lines.push((lane, record.t, target, text));
    }

    fn call(&mut self, record: &Record, rpc: &events::Rpc, under_way: &mut UnderWay) {
        let number = rpc.call;
        if let rpc::What::Sent { from, to, method, bytes, fate, .. } = &rpc.what {
            let call = Call {
                from: lane_or_none(self.lanes.of(from)),
                to: lane_or_none(to.as_deref().and_then(|to| self.lanes.of(to))),
                method: self.methods.number(method),
                number,
                bytes: *bytes,
                lost: *fate == rpc::Fate::Lost,
                unreachable: *fate == rpc::Fate::Unreachable,
                sent: record.t,
                request_text: under_way
                    .messages
                    .remove(&record.number)
                    .map_or(-1, |text| text as i64),
                reply_text: -1,
                ..Call::default()
            };
            under_way.calls.insert(number, self.calls.len());
            under_way.callers.insert(record.number, self.calls.len());
            self.calls.push(call);
            return;
        }
        let at = under_way.calls.get(&number);
        let Some(call) = at.and_then(|at| self.calls.get_mut(*at)) else { return };
        match &rpc.what {
            // Of a request that came twice, the first.
            rpc::What::Delivered => call.arrived = call.arrived.or(Some(record.t)),
            rpc::What::Handled if call.handled.is_none() => {
                call.handled = Some(record.t);
                call.handler = record.number;
            }
            rpc::What::ReplyLost { .. } => call.end = End::ReplyLost,
            rpc::What::ReplyLate if call.end == End::Failed => call.end = End::Late,
            rpc::What::Answered { .. } => (call.ended, call.end) = (Some(record.t), End::Answered),
            rpc::What::Failed { .. } => {
                call.ended = Some(record.t);
                if call.end == End::Open {
                    call.end = End::Failed;
                }
            }
            _ => {}
        }
    }

    fn raft(&mut self, record: &Record, raft: &events::Raft, under_way: &mut UnderWay) {
        let Some(lane) = self.lanes.of(record.about()) else { return };
        let mark = match &raft.what {
            raft::What::State { state, change } => {
                // The page writes lines about indexes by itself.
                let plain = matches!(change, raft::Change::Commit | raft::Change::Log { .. });
                let text = if plain { -1 } else { self.text(&raft.what) as i64 };
                let (task, state) = (record.number, *state);
                self.states.push(State { lane, t: record.t, state, task, text });
                return;
            }
            raft::What::Applied { index } => {
                self.applied.push((lane, record.t, *index));
                return;
            }
            raft::What::Sent { message, .. } => {
                let text = self.text(message);
                under_way.messages.insert(record.number, text);
                return;
            }
            raft::What::Received { reply, .. } => {
                let text = self.text(reply);
                let at = under_way.callers.get(&record.number);
                if let Some(call) = at.and_then(|at| self.calls.get_mut(*at)) {
                    call.reply_text = text as i64;
                }
                return;
            }
            raft::What::Saved { .. } => Mark::Save,
            raft::What::SavedSnapshot { .. } => Mark::Snapshot,
            raft::What::InstalledSnapshot { .. } => Mark::Install,
            raft::What::Killed => Mark::Killed,
            _ => return self.line(record),
        };
        let text = self.text(&raft.what);
        self.marks.push((lane as i64, record.t, mark, text));
    }

    fn fault(&mut self, record: &Record, fault: &Fault) {
        match fault {
            Fault::Began { fault, name, .. } => {
                self.faults.insert(*fault, (record.t, name.clone()));
            }
            Fault::Ended { fault, .. } => {
                self.faults.remove(fault);
            }
            _ => {}
        }
        self.line(record);
    }

    fn cluster(&mut self, record: &Record, cluster: &Cluster) {
        let (mark, node) = match cluster {
            Cluster::Member { .. } => return,
            Cluster::Started { node } => (Mark::Start, Some(node)),
            Cluster::ShutDown { node } => (Mark::ShutDown, Some(node)),
            Cluster::Crashed { node } => (Mark::Crash, Some(node)),
            Cluster::Partitioned { .. } => (Mark::Fault, None),
            _ => return self.line(record),
        };
        let lane = node.and_then(|node| self.lanes.of(node));
        let text = self.text(cluster);
        self.marks.push((lane_or_none(lane), record.t, mark, text));
    }
}

/// An operation on its lane.
struct OpRow {
    lane: usize,
    call: u64,
    returned: Option<u64>,
    request: usize,
    answer: usize,
    write: bool,
    failed: bool,
    marked: bool,
}

fn operations(content: &mut Content, ops: &[Op], marked: &[usize]) -> Vec<OpRow> {
    let mut rows = Vec::with_capacity(ops.len());
    for (at, op) in ops.iter().enumerate() {
        let lane = match content.clerks.get(&op.client) {
            Some(lane) => *lane,
            None => {
                let lane = content.lanes.0.number(&format!("clerk {}", op.client));
                content.unnamed_clerks.insert(lane, op.client);
                lane
            }
        };
        rows.push(OpRow {
            lane,
            call: op.call,
            returned: op.returned,
            request: content.texts.number(&op.request()),
            answer: content.texts.number(&op.answer()),
            write: op.is_write(),
            failed: op.has_failed(),
            marked: marked.contains(&at),
        });
    }
    rows
}

/// Bytes that one row of each kind takes on the page, about; calls with their texts.
mod cost {
    pub(super) const CALL: usize = 110;
    pub(super) const STATE: usize = 45;
    pub(super) const APPLIED: usize = 20;
    pub(super) const MARK: usize = 45;
    pub(super) const OP: usize = 80;
    pub(super) const LINE: usize = 110;
}

/// The first and the last time between which everything fits on the page, and how many items lie
/// outside. `None` if the whole run fits.
fn window(mut items: Vec<(u64, usize)>, focus: u64, limit: usize) -> Option<(u64, u64, u64)> {
    let total: usize = items.iter().map(|(_, cost)| cost).sum();
    if total <= limit {
        return None;
    }
    items.sort_unstable();
    let middle = items.partition_point(|(t, _)| *t <= focus);
    let (mut first, mut last, mut left) = (middle, middle, limit);
    loop {
        // What led to the focus matters more than what followed: two steps back, one on.
        let mut moved = false;
        for back in [true, true, false] {
            let next =
                if back { first.checked_sub(1) } else { (last < items.len()).then_some(last) };
            let Some(next) = next else { continue };
            let Some(room) = left.checked_sub(items[next].1) else { continue };
            left = room;
            moved = true;
            if back { first = next } else { last = next + 1 }
        }
        if !moved {
            break;
        }
    }
    let from = items.get(first).map_or(0, |item| item.0);
    let to = items[last.max(1) - 1].0;
    Some((from, to, (items.len() - (last - first)) as u64))
}

pub(super) fn json(
    run: &Run,
    records: impl Iterator<Item = Record>,
    missing: u64,
    limit: usize,
) -> String {
    json_in(Words::default(), run, records, missing, limit)
}

fn json_in(
    words: Words,
    run: &Run,
    records: impl Iterator<Item = Record>,
    missing: u64,
    limit: usize,
) -> String {
    let mut content = Content::read(records, words);
    let mut ops = operations(&mut content, &run.ops, &run.marked);
    let end = end_of(run, &content, &ops);
    let failure = run.failure.as_ref().map(|failure| {
        (failure.t, lane_or_none(content.lanes.of(&failure.node)), failure.what.as_str())
    });
    let focus = run.focus.or(failure.map(|(t, _, _)| t));

    let mut items: Vec<(u64, usize)> = Vec::new();
    items.extend(content.calls.iter().map(|call| (call.sent, cost::CALL)));
    items.extend(content.states.iter().map(|state| (state.t, cost::STATE)));
    items.extend(content.applied.iter().map(|it| (it.1, cost::APPLIED)));
    items.extend(content.marks.iter().map(|it| (it.1, cost::MARK)));
    items.extend(content.lines.iter().map(|it| (it.1, cost::LINE)));
    items.extend(ops.iter().map(|op| (op.call, cost::OP)));
    let mut cut = window(items, focus.unwrap_or(end), limit);
    if let Some((from, to, _)) = cut {
        content.keep(from, to);
        ops.retain(|op| op.marked || (from..=to).contains(&op.call));
    }
    if missing > 0 {
        let (start, to, more) = cut.unwrap_or((content.begin.unwrap_or(0), end, 0));
        cut = Some((start, to, more + missing));
    }
    let order = content.sorted_lanes();
    let data = content.data(run, ops, order, Frame { end, focus, failure, cut });
    let json = serde_json::to_string(&data).unwrap_or_else(|error| format!("\"{error}\""));
    // The data stands in a script: a literal </script> or <!-- would end it. In JSON, `<` is only
    // ever part of a string.
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// What is known before the rows are written.
struct Frame<'a> {
    end: u64,
    focus: Option<u64>,
    failure: Option<(u64, i64, &'a str)>,
    cut: Option<(u64, u64, u64)>,
}

fn end_of(run: &Run, content: &Content, ops: &[OpRow]) -> u64 {
    let notes = run.annotations.iter().map(|note| note.end.unwrap_or(note.start)).max();
    let ops = ops.iter().map(|op| op.returned.unwrap_or(op.call)).max();
    let failure = run.failure.as_ref().map(|failure| failure.t);
    [Some(content.end), notes, ops, failure].into_iter().flatten().max().unwrap_or(0)
}

impl Content {
    /// The lanes in the order of the page, and the position there of each.
    fn sorted_lanes(&self) -> (Vec<LaneRow>, Vec<usize>) {
        let kind = |lane: usize| match self.unnamed_clerks.get(&lane) {
            // After the clients, in their own order.
            Some(clerk) => members::Kind::Client(CLERKS + clerk.unsigned_abs()),
            None => self.members.kind(&self.lanes.0.texts[lane]),
        };
        let names = &self.lanes.0.texts;
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|lane| (kind(*lane), &names[*lane]));
        let mut positions = vec![0; names.len()];
        for (position, lane) in order.iter().enumerate() {
            positions[*lane] = position;
        }
        let row = |lane: &usize| {
            let number = match kind(*lane) {
                members::Kind::Server(..) => 0,
                members::Kind::Client(_) => 1,
                members::Kind::Other => 2,
            };
            (names[*lane].clone(), self.members.short(&names[*lane]), number)
        };
        (order.iter().map(row).collect(), positions)
    }
}

/// More than there are clients.
const CLERKS: u64 = 1 << 32;

impl Content {
    /// Drops what lies outside of a time, but not what changes seldom: roles, terms, lives.
    fn keep(&mut self, from: u64, to: u64) {
        let inside = |t: u64| (from..=to).contains(&t);
        self.calls.retain(|call| inside(call.sent));
        self.lines.retain(|it| inside(it.1));
        self.marks.retain(|it| {
            inside(it.1) || matches!(it.2, Mark::Start | Mark::ShutDown | Mark::Crash | Mark::Fault)
        });
        // The last sample before is where a lane begins.
        let mut before: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, state) in self.states.iter().enumerate().take_while(|(_, state)| state.t < from) {
            before.insert(state.lane, at);
        }
        let mut at = 0;
        self.states.retain(|state| {
            at += 1;
            inside(state.t) || state.text >= 0 || before.get(&state.lane) == Some(&(at - 1))
        });
        let mut before: BTreeMap<usize, usize> = BTreeMap::new();
        for (at, it) in self.applied.iter().enumerate().take_while(|(_, it)| it.1 < from) {
            before.insert(it.0, at);
        }
        at = 0;
        self.applied.retain(|it| {
            at += 1;
            inside(it.1) || before.get(&it.0) == Some(&(at - 1))
        });
    }

    fn data<'a>(
        self,
        run: &'a Run,
        ops: Vec<OpRow>,
        (lanes, positions): (Vec<LaneRow>, Vec<usize>),
        frame: Frame<'a>,
    ) -> Data<'a> {
        let mut texts = Used::new(self.texts.texts);
        let lane = |lane: usize| positions[lane];
        let maybe = |lane: i64| usize::try_from(lane).map_or(-1, |lane| positions[lane] as i64);
        let mut t = 0;
        let mut since = |now: u64| now - std::mem::replace(&mut t, now);
        let calls =
            self.calls.iter().map(|call| row(call, since(call.sent), maybe, &mut texts)).collect();
        t = 0;
        let mut since = |now: u64| now - std::mem::replace(&mut t, now);
        let states = self.states.iter().map(|state| {
            let raft::State { term, role, last, commit, base, .. } = state.state;
            let (last, base) = (last.index, base.index);
            let (at, t, role) = (lane(state.lane), since(state.t), role_number(role));
            (at, t, term, role, last, commit, base, state.task, texts.maybe(state.text))
        });
        let states = states.collect();
        t = 0;
        let mut since = |now: u64| now - std::mem::replace(&mut t, now);
        let applied = self.applied.iter().map(|it| (lane(it.0), since(it.1), it.2)).collect();
        t = 0;
        let mut since = |now: u64| now - std::mem::replace(&mut t, now);
        let marks =
            self.marks.iter().map(|it| (maybe(it.0), since(it.1), it.2 as u8, texts.number(it.3)));
        let marks = marks.collect();
        let lines =
            self.lines.iter().map(|it| (maybe(it.0), it.1, it.2, texts.number(it.3))).collect();
        let ops = ops.iter().map(|op| {
            let returned = op.returned.map_or(-1, |at| at as i64);
            (
                lane(op.lane),
                op.call,
                returned,
                texts.number(op.request),
                texts.number(op.answer),
                u8::from(op.write),
                op.failed,
                op.marked,
            )
        });
        let ops = ops.collect();
        Data {
            title: &run.title,
            verdict: &run.verdict,
            report: &run.report,
            lanes,
            methods: self.methods.texts,
            targets: self.targets.texts,
            texts: texts.written,
            calls,
            states,
            applied,
            marks,
            ops,
            notes: run
                .annotations
                .iter()
                .map(note)
                .chain(self.faults.values().map(open_fault))
                .collect(),
            lines,
            end: frame.end,
            focus: frame.focus,
            failure: frame.failure.map(|(t, at, what)| (t, maybe(at), what)),
            cut: frame.cut,
        }
    }
}

/// The number of a role in the page's script.
fn role_number(role: raft::Role) -> u8 {
    match role {
        raft::Role::Follower => 0,
        raft::Role::PreCandidate | raft::Role::Candidate => 1,
        raft::Role::Leader => 2,
    }
}

/// The texts that are used, numbered anew.
struct Used {
    all: Vec<String>,
    numbers: Vec<Option<usize>>,
    written: Vec<String>,
}

impl Used {
    fn new(all: Vec<String>) -> Used {
        Used { numbers: vec![None; all.len()], all, written: Vec::new() }
    }

    fn number(&mut self, text: usize) -> usize {
        *self.numbers[text].get_or_insert_with(|| {
            self.written.push(shortened(std::mem::take(&mut self.all[text])));
            self.written.len() - 1
        })
    }

    fn maybe(&mut self, text: i64) -> i64 {
        usize::try_from(text).map_or(-1, |text| self.number(text) as i64)
    }
}

/// Longest text of a line, in bytes.
const LONG: usize = 400;

fn shortened(mut text: String) -> String {
    if text.len() > LONG {
        text.truncate(text.floor_char_boundary(LONG));
        text.push('…');
    }
    text
}

fn row(call: &Call, since: u64, lane: impl Fn(i64) -> i64, texts: &mut Used) -> CallRow {
    let after = |later: Option<u64>, earlier: Option<u64>| match (later, earlier) {
        (Some(later), Some(earlier)) => later.saturating_sub(earlier) as i64,
        _ => -1,
    };
    let fate = u8::from(call.lost) + 2 * u8::from(call.unreachable);
    (
        lane(call.from),
        lane(call.to),
        call.method,
        fate,
        call.number,
        call.bytes,
        since,
        after(call.arrived, Some(call.sent)),
        after(call.handled, call.arrived),
        after(call.ended, Some(call.sent)),
        call.end as u8,
        call.handler,
        texts.maybe(call.request_text),
        texts.maybe(call.reply_text),
    )
}

type NoteRow = (String, u64, i64, String, String, &'static str, bool);

fn open_fault((begun, fault): &(u64, String)) -> NoteRow {
    let row = NEMESIS_ROW.trim_start_matches("$ ").to_owned();
    (row, *begun, -1, shortened(fault.clone()), String::new(), "fault", true)
}

fn note(note: &Annotation) -> NoteRow {
    (
        // On this page a failure is what ended the run.
        note.tag.trim_start_matches("$ ").replace("Failure", "Faults"),
        note.start,
        note.end.map_or(-1, |end| end as i64),
        shortened(note.text.clone()),
        shortened(note.details.clone()),
        match note.kind {
            Kind::Success => "good",
            Kind::Failure => "bad",
            Kind::Fault => "fault",
            Kind::Neutral => "neutral",
            Kind::Info | Kind::User => "info",
        },
        note.kind == Kind::Fault,
    )
}

#[cfg(test)]
#[path = "../../tests/synthetic/mod.rs"]
mod synthetic;

#[cfg(test)]
mod tests {
    use events::raft::{Role, State};
    use events::{Cluster, Fault, Log};

    use super::*;

    fn records() -> Vec<Record> {
        let mut run = synthetic::Run::new(2);
        for server in 0..2 {
            run.start(0, server);
        }
        let state = |role| State { term: 1, role, vote: Some(1), ..State::default() };
        run.state(1_000_000, 1, state(Role::Candidate));
        run.state(2_000_000, 1, state(Role::Leader));
        run.call(1, 3_000_000, 1, 0, false);
        run.call(2, 4_000_000, 1, 0, true);
        let what = raft::What::Saved { term_and_vote: true, entries: 0, bytes: 0 };
        run.raft(5_000_000, 1, 7, what);
        run.raft(5_000_000, 0, 7, raft::What::Killed);
        let fault = |name: &str| Fault::Began { fault: 0, name: name.to_owned(), targets: vec![1] };
        run.add(6_000_000, "test", 0, fault("leader isolated"));
        let node = run.node(1);
        run.add(7_000_000, "test", 0, Cluster::Crashed { node });
        let text = "S1 T9 becomes Leader".to_owned(); // a user's line is no change of role
        let level = events::Level::Info;
        let line = Log { level, target: "raft::election".into(), text, fields: BTreeMap::new() };
        run.add(8_000_000, "server-0-1", 0, line);
        run.records
    }

    /// The data without its texts.
    fn picture(words: Words) -> serde_json::Value {
        let data = json_in(words, &Run::default(), records().into_iter(), 0, usize::MAX);
        let mut data: serde_json::Value = serde_json::from_str(&data).unwrap();
        let texts = data["texts"].take();
        assert!(texts.as_array().is_some_and(|texts| texts.len() > 5), "{texts}");
        data
    }

    #[test]
    fn other_words_do_not_change_the_picture() {
        let reworded = Words(|event| event.to_string().chars().rev().collect());
        assert_eq!(picture(reworded), picture(Words::default()));
    }

    #[test]
    fn a_trace_has_no_words_of_ours() {
        for record in records() {
            if !matches!(record.event, Event::Log(_)) {
                let json = serde_json::to_string(&record).unwrap();
                assert!(!json.contains(&record.event.to_string()), "{json}");
            }
        }
    }
}
