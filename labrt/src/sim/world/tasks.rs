//! The tasks of a run, and the locks they hold.

use slab::Slab;

use crate::line::Line;
use crate::sim::coroutine::Coroutine;
use crate::wait::Wait;

/// A task that waits, at one particular wait: it goes stale as soon as that wait ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Waiter {
    pub(super) slot: u32,
    pub(super) epoch: u64,
}

/// A lock that a task holds.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub(super) address: usize,
    pub(super) created: Line,
    pub(super) taken: Line,
}

#[derive(Clone, Copy)]
pub(super) enum State {
    /// In the list of ready tasks, or in that of its paused node.
    Ready,
    Running,
    Blocked {
        wait: Wait,
        since: u64,
        at: Line,
    },
}

pub(super) struct Task {
    pub(super) number: u64,
    pub(super) name: &'static str,
    pub(super) node: u32,
    /// The node of the tasks it spawns: its own, except inside `Node::enter`.
    pub(super) spawn_node: u32,
    pub(super) spawned: Line,
    pub(super) state: State,
    /// `None` while the task runs. Boxed, since it changes hands twice a switch, and copying it
    /// costs more than the switch.
    pub(super) coroutine: Option<Box<Coroutine>>,
    /// Number of its present wait; a [`Waiter`] with another one is stale.
    pub(super) epoch: u64,
    pub(super) timed_out: bool,
    pub(super) dying: bool,
    /// It has panicked (and perhaps caught that).
    pub(super) panicked: bool,
    /// How often the kill was raised in it: more than once when the code swallows unwinding.
    pub(super) kills: u32,
    /// Blocking calls it made while unwinding; they all return at once.
    pub(super) refused: u32,
    /// Set when it cannot go on and cannot end either: its stack is to be leaked.
    pub(super) stuck: bool,
    pub(super) held: Vec<Held>,
    pub(super) joiners: Vec<Waiter>,
    /// Switches to it since `recent_mark`, the value of `Tasks::time_moves` then.
    pub(super) recent: u64,
    pub(super) recent_mark: u64,
}

pub(super) struct Tasks {
    slots: Slab<Task>,
    /// Tasks spawned so far.
    spawned: u64,
    /// Waits begun so far.
    epochs: u64,
    /// How often virtual time has moved.
    time_moves: u64,
    running: Option<u32>,
}

impl Tasks {
    pub(super) fn new() -> Tasks {
        Tasks { slots: Slab::new(), spawned: 0, epochs: 0, time_moves: 0, running: None }
    }

    /// Enters a new task. Returns its slot and number.
    pub(super) fn add(
        &mut self,
        node: u32,
        name: &'static str,
        spawned: Line,
        coroutine: Box<Coroutine>,
    ) -> (u32, u64) {
        let number = self.spawned;
        self.spawned += 1;
        let task = Task {
            number,
            name,
            node,
            spawn_node: node,
            spawned,
            state: State::Ready,
            coroutine: Some(coroutine),
            epoch: 0,
            timed_out: false,
            dying: false,
            panicked: false,
            kills: 0,
            refused: 0,
            stuck: false,
            held: Vec::new(),
            joiners: Vec::new(),
            recent: 0,
            recent_mark: 0,
        };
        (self.slots.insert(task) as u32, number)
    }

    pub(super) fn remove(&mut self, slot: u32) -> Task {
        self.slots.remove(slot as usize)
    }

    #[inline]
    pub(super) fn get(&self, slot: u32) -> Option<&Task> {
        self.slots.get(slot as usize)
    }

    #[inline]
    pub(super) fn task(&self, slot: u32) -> &Task {
        self.get(slot).expect("a slot in use")
    }

    #[inline]
    pub(super) fn task_mut(&mut self, slot: u32) -> &mut Task {
        self.slots.get_mut(slot as usize).expect("a slot in use")
    }

    /// All tasks, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Task)> {
        self.slots.iter().map(|(slot, task)| (slot as u32, task))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Task)> {
        self.slots.iter_mut().map(|(slot, task)| (slot as u32, task))
    }

    // ---- the running task ----------------------------------------------------------------------

    #[inline]
    pub(super) fn running(&self) -> Option<u32> {
        self.running
    }

    #[inline]
    pub(super) fn running_task(&self) -> Option<&Task> {
        self.get(self.running?)
    }

    #[inline]
    pub(super) fn current(&mut self) -> &mut Task {
        let slot = self.running.expect("a task is running");
        self.task_mut(slot)
    }

    /// Makes the task in `slot` the running one.
    #[inline]
    pub(super) fn start(&mut self, slot: u32) -> (u64, Box<Coroutine>) {
        self.running = Some(slot);
        let time_moves = self.time_moves;
        let task = self.task_mut(slot);
        if task.recent_mark != time_moves {
            task.recent_mark = time_moves;
            task.recent = 0;
        }
        task.recent += 1;
        task.state = State::Running;
        let coroutine = task.coroutine.take().expect("a task runs once at a time");
        (task.number, coroutine)
    }

    /// No task runs any more.
    #[inline]
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    pub(super) fn time_moved(&mut self) {
        self.time_moves += 1;
    }

    /// Switches to the task since virtual time last moved.
    pub(super) fn recent_switches(&self, task: &Task) -> u64 {
        if task.recent_mark == self.time_moves { task.recent } else { 0 }
    }

    // ---- waits ---------------------------------------------------------------------------------

    /// Begins a wait of the running task.
    #[inline]
    pub(super) fn prepare(&mut self) -> Waiter {
        self.epochs += 1;
        let epoch = self.epochs;
        let slot = self.running.expect("only a task can wait");
        let task = self.task_mut(slot);
        task.epoch = epoch;
        task.timed_out = false;
        Waiter { slot, epoch }
    }

    #[inline]
    pub(super) fn is_waiting(&self, waiter: Waiter) -> bool {
        self.get(waiter.slot).is_some_and(|task| {
            task.epoch == waiter.epoch && matches!(task.state, State::Blocked { .. })
        })
    }

    // ---- locks ---------------------------------------------------------------------------------

    pub(super) fn holder(&self, address: usize) -> Option<u32> {
        let holds = |task: &Task| task.held.iter().any(|lock| lock.address == address);
        self.iter().find(|(_, task)| holds(task)).map(|(slot, _)| slot)
    }

    /// The tasks of a ring of lock waits that would close if the running task waited for `address`.
    pub(super) fn lock_ring(&self, address: usize) -> Option<Vec<u32>> {
        let start = self.running?;
        let mut ring = vec![start];
        let mut next = address;
        loop {
            let holder = self.holder(next)?;
            if holder == start {
                return Some(ring);
            }
            if ring.contains(&holder) {
                return None; // a ring without the running task: it was reported when it closed
            }
            match self.task(holder).state {
                State::Blocked { wait: Wait::Lock { address, .. }, .. } => next = address,
                _ => return None,
            }
            ring.push(holder);
        }
    }
}
