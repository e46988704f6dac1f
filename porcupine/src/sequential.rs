//! Weaker conditions than linearizability: sequential consistency and session guarantees.
//!
//! | condition | one order of all operations | that keeps |
//! |---|---|---|
//! | linearizable | yes | real time |
//! | sequentially consistent (Lamport 1979) | yes | each client's own order |
//! | read your writes (Terry et al. 1994) | no: one for each read | the client's writes before it |
//! | monotonic reads (Terry et al. 1994) | no: one for each client | the client's reads |
//!
//! What is linearizable is all of these. A history that is not may still be: a cache that lags
//! behind is often sequentially consistent.
//!
//! Sequential consistency is not local: two objects may each have an order, and not both together.
//! So a history is checked as a whole, after each partition alone, which is cheaper and often
//! enough to refute it.

use std::collections::BTreeMap;

use crate::budget::Budget;
use crate::check::{Options, Verdict, check_operations};
use crate::hash::FoldBuilder;
use crate::history::{HistoryError, Operation};
use crate::model::{Model, Outlook, Step};

/// Whether some order of all operations explains their answers and keeps the order of each client.
///
/// Real time does not matter, except for the order of one client's operations. A call that never
/// returned may come after all that its client did, or not at all.
///
/// The budget is for the whole check: steps count the orders' prefixes that are looked at. Its
/// memory is not looked at; a step takes some hundred bytes.
///
/// ```
/// use porcupine::models::register::{Input, Output, Register};
/// use porcupine::{Operation, Options, Verdict, check_operations, check_sequential};
///
/// let history = [
///     Operation::new(1, 0, Input::Write(1), 10, Output::Done),
///     Operation::new(2, 20, Input::Read, 30, Output::Value(None)), // stale
/// ];
/// let options = Options::default();
/// let report = check_operations(&Register::new(), &history, &options)?;
/// assert_eq!(report.verdict(), Verdict::Illegal);
/// assert_eq!(check_sequential(&Register::new(), &history, &options)?, Verdict::Ok);
/// # Ok::<(), porcupine::HistoryError>(())
/// ```
///
/// # Errors
///
/// When the history cannot be one: names the entry.
pub fn check_sequential<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
) -> Result<Verdict, HistoryError> {
    let clients = by_client(history)?;
    let mut names: Vec<String> =
        history.iter().map(|operation| model.partition(&operation.input).into_owned()).collect();
    let part_of: Vec<u32> = {
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        sorted.dedup();
        let position = |name: &String| sorted.binary_search(&name).unwrap_or(0) as u32;
        names.iter().map(position).collect()
    };
    names.sort();
    names.dedup();
    let mut unknown = false;
    if names.len() > 1 {
        for part in 0..names.len() as u32 {
            let own: Vec<Vec<usize>> = clients
                .iter()
                .map(|client| client.iter().copied().filter(|at| part_of[*at] == part).collect())
                .collect();
            match (Orders { model, history, part_of: &part_of, clients: &own })
                .search(&options.budget)
            {
                Verdict::Illegal => return Ok(Verdict::Illegal),
                Verdict::Unknown => unknown = true,
                Verdict::Ok => {}
            }
        }
    }
    if unknown {
        return Ok(Verdict::Unknown);
    }
    Ok(Orders { model, history, part_of: &part_of, clients: &clients }.search(&options.budget))
}

/// Each client's operations in the order of their calls.
fn by_client<I, O>(history: &[Operation<I, O>]) -> Result<Vec<Vec<usize>>, HistoryError> {
    let mut clients: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, operation) in history.iter().enumerate() {
        clients.entry(operation.client).or_default().push(at);
    }
    let end = |at: usize| history[at].return_time().unwrap_or(u64::MAX);
    for (client, operations) in &mut clients {
        operations.sort_by_key(|at| (history[*at].call, end(*at), *at));
        for at in operations.iter() {
            let (call, returned) = (history[*at].call, end(*at));
            if returned < call {
                return Err(HistoryError::ReturnBeforeCall { entry: *at, call, returned });
            }
        }
        for pair in operations.windows(2) {
            let pending = history[pair[0]].returned.is_none();
            if pending || end(pair[0]) > history[pair[1]].call {
                let (earlier, entry, client) = (pair[0], pair[1], *client);
                return Err(HistoryError::Overlap { entry, earlier, client });
            }
        }
    }
    Ok(clients.into_values().collect())
}

/// How far each client is, and what each partition holds, as numbers of states.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    next: Box<[u32]>,
    states: Box<[u32]>,
}

#[expect(
    clippy::disallowed_types,
    reason = "their order cannot show: they are never iterated over"
)]
type Seen = std::collections::HashSet<Place, FoldBuilder>;
#[expect(clippy::disallowed_types, reason = "its order cannot show: it is never iterated over")]
type Numbers<S> = std::collections::HashMap<S, u32, FoldBuilder>;

struct Orders<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input, M::Output>],
    part_of: &'a [u32],
    /// Positions in the history.
    clients: &'a [Vec<usize>],
}

impl<M: Model> Orders<'_, M> {
    /// Depth first, with the places that were left already kept in mind. Of the clients' next
    /// operations the one that returned first is tried first: if the history is linearizable or
    /// nearly so, that leads straight to the end.
    fn search(&self, budget: &Budget<'_>) -> Verdict {
        let parts = self.part_of.iter().max().map_or(0, |last| *last as usize + 1);
        let mut states = vec![self.model.init()];
        let mut numbers: Numbers<M::State> = Numbers::default();
        numbers.insert(self.model.init(), 0);
        let mut seen = Seen::default();
        let start =
            Place { next: vec![0; self.clients.len()].into(), states: vec![0; parts].into() };
        let mut stack = vec![start];
        let mut steps = 0u64;
        while let Some(mut place) = stack.pop() {
            // Read-only operations at once: they can be moved to the earliest place where they are
            // legal.
            let mut again = true;
            while again {
                again = false;
                for client in 0..self.clients.len() {
                    while let Some(at) = self.next(&place, client) {
                        let operation = &self.history[at];
                        let (input, output) = (&operation.input, operation.output());
                        let state = &states[place.states[self.part_of[at] as usize] as usize];
                        if !self.model.read_only(input, output)
                            || self.model.step(state, input, output) != Step::Unchanged
                        {
                            break;
                        }
                        steps += 1;
                        place.next[client] += 1;
                        again = true;
                    }
                }
            }
            if (0..self.clients.len()).all(|client| {
                self.next(&place, client).is_none_or(|at| self.history[at].returned.is_none())
            }) {
                return Verdict::Ok;
            }
            if !seen.insert(place.clone()) {
                continue;
            }
            let mut choices = Vec::new();
            for client in 0..self.clients.len() {
                let Some(at) = self.next(&place, client) else { continue };
                let operation = &self.history[at];
                steps += 1;
                if budget.steps.is_some_and(|most| steps > most)
                    || budget.stop.is_some_and(|stop| steps.is_multiple_of(64) && stop())
                {
                    return Verdict::Unknown;
                }
                let part = self.part_of[at] as usize;
                let state = &states[place.states[part] as usize];
                let (input, output) = (&operation.input, operation.output());
                if output.is_some() && self.model.outlook(state, input, output) == Outlook::Never {
                    choices.clear(); // it must come and cannot any more
                    break;
                }
                let number = match self.model.step(state, input, output) {
                    Step::Illegal => continue,
                    Step::Interrupted => return Verdict::Unknown,
                    Step::Unchanged => place.states[part],
                    Step::To(state) => match numbers.get(&state) {
                        Some(number) => *number,
                        None => {
                            let number = states.len() as u32;
                            states.push(state.clone());
                            numbers.insert(state, number);
                            number
                        }
                    },
                };
                let mut after = place.clone();
                after.next[client] += 1;
                after.states[part] = number;
                choices.push((operation.return_time().unwrap_or(u64::MAX), client, after));
            }
            // The last one on the stack is tried first.
            choices.sort_by_key(|(time, client, _)| std::cmp::Reverse((*time, *client)));
            stack.extend(choices.into_iter().map(|(_, _, after)| after));
        }
        Verdict::Illegal
    }

    /// The client's next operation, as a position in the history.
    fn next(&self, place: &Place, client: usize) -> Option<usize> {
        self.clients[client].get(place.next[client] as usize).copied()
    }
}

/// Whether each client sees its own writes: every read is explained by all that its client changed
/// in the partition before, in that order, together with any of what the others changed, in any
/// order.
///
/// A read is an operation that is [read-only](Model::read_only); all others are writes. Says
/// [`Verdict::Ok`] of a model that has no read-only operations. The budget is for each read.
///
/// # Errors
///
/// When the history cannot be one: names the entry.
pub fn check_read_your_writes<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
) -> Result<Verdict, HistoryError>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let sessions = Sessions::new(model, history)?;
    let mut worst = Verdict::Ok;
    for own in sessions.each() {
        // All reads of the client in one order is more than is asked for, and mostly true.
        if sessions.explained(&own, options)? == Verdict::Ok {
            continue;
        }
        for (place, read) in own.iter().enumerate().filter(|(_, at)| sessions.reads[**at]) {
            let mut needed: Vec<usize> =
                own[..place].iter().copied().filter(|at| !sessions.reads[*at]).collect();
            needed.push(*read);
            match sessions.explained(&needed, options)? {
                Verdict::Illegal => return Ok(Verdict::Illegal),
                Verdict::Unknown => worst = Verdict::Unknown,
                Verdict::Ok => {}
            }
        }
    }
    Ok(worst)
}

/// Whether each client's reads go forward: all reads of the client in a partition are explained by
/// one growing sequence of changes, in the order in which it made the reads.
///
/// What is a read, and the budget, are as for [`check_read_your_writes`]; the budget is for each
/// client and partition.
///
/// # Errors
///
/// When the history cannot be one: names the entry.
pub fn check_monotonic_reads<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    options: &Options<'_>,
) -> Result<Verdict, HistoryError>
where
    M::Input: Clone,
    M::Output: Clone,
{
    let sessions = Sessions::new(model, history)?;
    let mut worst = Verdict::Ok;
    for own in sessions.each() {
        let needed: Vec<usize> = own.into_iter().filter(|at| sessions.reads[*at]).collect();
        match sessions.explained(&needed, options)? {
            Verdict::Illegal => return Ok(Verdict::Illegal),
            Verdict::Unknown => worst = Verdict::Unknown,
            Verdict::Ok => {}
        }
    }
    Ok(worst)
}

struct Sessions<'a, M: Model> {
    model: &'a M,
    history: &'a [Operation<M::Input, M::Output>],
    clients: Vec<Vec<usize>>,
    part_of: Vec<u32>,
    parts: u32,
    /// For each operation whether it is a read that was answered.
    reads: Vec<bool>,
}

impl<'a, M: Model> Sessions<'a, M>
where
    M::Input: Clone,
    M::Output: Clone,
{
    fn new(
        model: &'a M,
        history: &'a [Operation<M::Input, M::Output>],
    ) -> Result<Self, HistoryError> {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let part_of = history
            .iter()
            .map(|operation| {
                let fresh = numbers.len() as u32;
                *numbers.entry(model.partition(&operation.input).into_owned()).or_insert(fresh)
            })
            .collect();
        let read = |operation: &Operation<M::Input, M::Output>| {
            operation.returned.is_some() && model.read_only(&operation.input, operation.output())
        };
        let reads = history.iter().map(read).collect();
        let clients = by_client(history)?;
        Ok(Sessions { model, history, clients, part_of, parts: numbers.len() as u32, reads })
    }

    /// The answered operations of each client in each partition, in order.
    fn each(&self) -> Vec<Vec<usize>> {
        let mut each = Vec::new();
        for client in &self.clients {
            let mut own = vec![Vec::new(); self.parts as usize];
            for at in client.iter().copied().filter(|at| self.history[*at].returned.is_some()) {
                own[self.part_of[at] as usize].push(at);
            }
            each.extend(own.into_iter().filter(|own| own.iter().any(|at| self.reads[*at])));
        }
        each
    }

    /// Whether these operations of one client happened in this order, each as it was answered, with
    /// any of the other changes to the partition in between. That is a question of linearizability:
    /// the operations follow each other, and the other changes are calls that never returned.
    fn explained(&self, needed: &[usize], options: &Options<'_>) -> Result<Verdict, HistoryError> {
        let Some(first) = needed.first() else { return Ok(Verdict::Ok) };
        let part = self.part_of[*first];
        let mut is_needed = vec![false; self.history.len()];
        let mut trial = Vec::new();
        for (place, at) in (1u64..).zip(needed) {
            is_needed[*at] = true;
            let operation = &self.history[*at];
            let Some(output) = operation.output() else { continue };
            let (input, output) = (operation.input.clone(), output.clone());
            trial.push(Operation::new(0, 10 * place, input, 10 * place + 5, output));
        }
        for (at, operation) in self.history.iter().enumerate() {
            let changes = !self.model.read_only(&operation.input, operation.output());
            if changes && self.part_of[at] == part && !is_needed[at] {
                trial.push(Operation::pending(1 + at as i64, 0, operation.input.clone()));
            }
        }
        Ok(check_operations(self.model, &trial, options)?.verdict())
    }
}
