//! Clusters, faults, histories and checks for the tests of the labs. Knows no Raft and no service.
//!
//! A lab test in a few lines:
//!
//! ```
//! use labrpc::{Method, Service};
//! use tester::{Cluster, ClusterOptions, ServerName, hosted, lab_test};
//!
//! enum Echo {}
//! impl Method for Echo {
//!     const SERVICE: &'static str = "Echo";
//!     const METHOD: &'static str = "Say";
//!     type Args = String;
//!     type Reply = String;
//! }
//!
//! # fn main() {
//! // in a `#[test] fn echo_answers()`
//! lab_test!(|| {
//!     let cluster = Cluster::new(ClusterOptions::new(1), |_setup| {
//!         let service = Service::new("Echo").method::<Echo>(|said: String| said + "!");
//!         vec![hosted([service], || {})]
//!     });
//!     cluster.begin("Test: echo");
//!     let answer = cluster.make_client().call::<Echo>(ServerName::new(0, 0), &"hello".to_owned());
//!     assert_eq!(answer.unwrap(), "hello!");
//!     cluster.end();
//! });
//! # }
//! ```
//!
//! It prints, in one piece, when it is over:
//!
//! ```text
//! Test: echo (reliable network)...
//!   ... Passed --  time  0.0s #peers 1 #RPCs     1 #Ops    0 (virtual; 0.000s wall)
//! ```
//!
//! The crate `runner` runs the body and reports what came of it; what tests need of it is exported here, too.
//!
//! # What is where
//!
//! ```text
//!   cluster.rs     network, groups and clients of one test; statistics; the end
//!   group.rs       servers of one group: start, shut down, crash, connect, partition
//!   server.rs      what a server is given, and what it is made of
//!   client.rs      ends for one clerk
//!   annotations.rs faults and checks on a time line
//!   invariants.rs  our Raft's steps, shown to the crate raftcheck
//!   nemesis/       faults by schedule, drawn from a seed
//!   history.rs     recorded operations of any service, and the verdict on them
//!   kv/            recorded clerks, workloads, and the verdict on what they saw
//! ```
//!
//! # Rules
//! - A verdict is pass, fail or inconclusive; inconclusive is never a pass.
//! - What the tester notes for itself neither waits nor draws random numbers: a run takes the same path with it and without it.
//! - Misuse by a test (a server that does not exist, one started twice) fails that test with a message.
//!
//! # Left out on purpose
//! Checks of Raft's behaviour, which stand in raft's own tests; pictures of linearizations, which porcupine draws.
#![forbid(unsafe_code)]

mod annotations;
mod client;
mod cluster;
mod group;
mod history;
mod invariants;
pub mod kv;
pub mod nemesis;
mod randstring;
mod report;
mod server;

pub use annotations::{Annotation, Annotations, CHECKER_ROW, FAULT_ROW, Kind, TEST_ROW};
pub use client::Client;
pub use cluster::{Cluster, ClusterOptions, GROUP_0};
pub use group::Group;
pub use history::History;
pub use randstring::randstring;
pub use report::{Figures, Lines, passed_line};
pub use runner::{
    Backend, Outcome, TIME_LIMIT, TestOptions, Verdict, fatal, inconclusive, lab_test, run, spawn,
};
pub use server::{Hosted, ParseServerNameError, ServerName, ServerSetup, Starter, hosted};
