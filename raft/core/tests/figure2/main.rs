//! Every rule of the paper's Figure 2 and of Section 7, each shown by a small scene on the pure
//! core.
//!
//! A scene puts one server (or a few, for Figure 8) into a state, lets something happen to it, and
//! looks at what it wants done. `stage` has the props, `disk` a disk that carries out saves.
//! `docs/FIGURE2.md` says which test proves which rule.

#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "props shared by the files of one test binary")]
#![allow(unused_must_use, reason = "the stage carries out all but the messages, which may be lost")]

mod all_servers;
mod append_entries;
mod candidates;
mod disk;
mod figure_8;
mod followers;
mod install_snapshot;
mod leaders;
mod marks;
mod reads;
mod replies;
mod request_vote;
mod restart;
mod stage;
mod table;
