//! Marks: lines of code that a good set of tests should reach, such as the installation of a
//! snapshot over a conflicting log.
//!
//! A crate lists its marks with [`marks!`](crate::marks), [declares](Marks::declare) them at its
//! start, and calls [`reach`](Marks::reach) at these lines. Because the list is known, a sweep can
//! name the marks that no run has reached: cases that the tests do not try, or that can no longer
//! occur.
//!
//! Reaching a mark does not wait, uses no random number and is not part of the trace hash, so marks
//! do not change a run. Counting is always on and costs a few nanoseconds. Sinks of the run also
//! receive a [`Mark`](events::Mark) event.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::events;
use crate::sim::{self, Context};

/// The marks of one crate; made by [`marks!`](crate::marks).
#[derive(Debug)]
pub struct Marks {
    names: &'static [&'static str],
    /// How often each was reached on threads, in this process.
    counts: &'static [AtomicU64],
    /// Position of the first mark in the list of all declared marks of the process.
    first: OnceLock<usize>,
}

/// Those declared so far in this process.
static DECLARED: Mutex<Vec<&'static Marks>> = Mutex::new(Vec::new());

thread_local! {
    /// How often each declared mark was reached in the simulation that this OS thread belongs to.
    static SIMULATED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Marks {
    #[doc(hidden)]
    pub const fn new(names: &'static [&'static str], counts: &'static [AtomicU64]) -> Marks {
        Marks { names, counts, first: OnceLock::new() }
    }

    /// Declares the marks, so that marks that are never reached can be named. Further calls have no
    /// effect.
    pub fn declare(&'static self) {
        self.first();
    }

    fn first(&'static self) -> usize {
        *self.first.get_or_init(|| {
            let mut declared = DECLARED.lock();
            let first = declared.iter().map(|marks| marks.names.len()).sum();
            declared.push(self);
            first
        })
    }

    /// Counts one more time that mark `number` of this list was reached.
    pub fn reach(&'static self, number: usize) {
        events::emit(|| events::Mark { name: self.names[number].into() });
        if sim::context() == Context::Threads {
            self.first();
            self.counts[number].fetch_add(1, Ordering::Relaxed);
            return;
        }
        let place = self.first() + number;
        SIMULATED.with_borrow_mut(|counts| {
            if counts.len() <= place {
                counts.resize(place + 1, 0);
            }
            counts[place] += 1;
        });
    }
}

/// All declared marks, and how often each was reached: in a simulation, in this run so far; on
/// threads, in this process.
pub fn counts() -> BTreeMap<&'static str, u64> {
    let declared = DECLARED.lock();
    let names = declared.iter().flat_map(|marks| marks.names).copied();
    if sim::context() == Context::Threads {
        let counts = declared.iter().flat_map(|marks| marks.counts);
        return names.zip(counts.map(|count| count.load(Ordering::Relaxed))).collect();
    }
    SIMULATED.with_borrow(|counts| {
        let of = |place: usize| counts.get(place).copied().unwrap_or(0);
        names.enumerate().map(|(place, name)| (name, of(place))).collect()
    })
}

/// Lists the marks of a crate as an enum; each has a text that describes what happened there.
///
/// ```
/// labrt::marks! {
///     /// Places that tests of this crate should reach.
///     pub enum Mark in "kitchen" {
///         Overflow = "the pot boils over",
///         Empty = "the pot is empty",
///     }
/// }
///
/// Mark::declare();
/// Mark::Overflow.reach();
/// let counts = labrt::mark::counts();
/// assert_eq!(counts["kitchen: the pot boils over"], 1);
/// assert_eq!(counts["kitchen: the pot is empty"], 0);
/// ```
#[macro_export]
macro_rules! marks {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident in $group:literal {
        $($mark:ident = $text:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        $visibility enum $name {
            $(#[doc = $text] $mark,)+
        }

        #[allow(dead_code, reason = "a crate need not use every function of its marks")]
        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [$name] = &[$($name::$mark,)+];

            /// What happened there, after the name of the group.
            pub const fn text(self) -> &'static str {
                match self {
                    $($name::$mark => ::std::concat!($group, ": ", $text),)+
                }
            }

            /// Makes all of them known.
            pub fn declare() {
                $name::marks().declare();
            }

            /// Counts that this one was reached.
            pub fn reach(self) {
                $name::marks().reach(self as usize);
            }

            fn marks() -> &'static $crate::mark::Marks {
                const COUNT: usize = $name::ALL.len();
                static COUNTS: [::std::sync::atomic::AtomicU64; COUNT] =
                    [const { ::std::sync::atomic::AtomicU64::new(0) }; COUNT];
                static MARKS: $crate::mark::Marks =
                    $crate::mark::Marks::new(&[$($name::$mark.text(),)+], &COUNTS);
                &MARKS
            }
        }
    };
}
