//! Two tasks that play, on threads and in a simulation; then a player that takes two locks in the
//! wrong order.
//!
//! `cargo run -p labrt --example ping_pong [seed]`

use std::sync::Arc;
use std::time::Duration;

use labrt::sim::{self, Config};
use labrt::{Mutex, Node, channel};

/// Ten strokes of 100 ms each; gives the time they took by labrt's clock.
fn play() -> Duration {
    let start = labrt::now();
    let (serve, incoming) = channel::bounded(0);
    let (back, returned) = channel::bounded(0);
    let node = Node::new("pong");
    let pong = node.spawn("player", move || {
        for stroke in &incoming {
            labrt::sleep(Duration::from_millis(100));
            if back.send(stroke + 1).is_err() {
                return;
            }
        }
    });
    let mut stroke = 0;
    while stroke < 10 {
        serve.send(stroke).expect("pong plays until we stop");
        stroke = returned.recv().expect("pong plays until we stop");
    }
    drop(serve);
    pong.join().expect("pong stops when we do");
    start.elapsed()
}

/// Two players who each hold one bat and want the other's.
fn quarrel() {
    let (left, right) = (Arc::new(Mutex::new("left bat")), Arc::new(Mutex::new("right bat")));
    let (other_left, other_right) = (Arc::clone(&left), Arc::clone(&right));
    let player = labrt::spawn_named("lefty", move || {
        let _mine = other_left.lock();
        labrt::sleep(Duration::from_millis(1));
        let _yours = other_right.lock();
    });
    let _mine = right.lock();
    labrt::sleep(Duration::from_millis(1));
    let _yours = left.lock();
    player.join().expect("the run is stopped before");
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("threads: the game took {:?}", play());
    let run = sim::run(Config::new(seed), play);
    println!("simulated: {:?}, trace {:016x}", run.result, run.report.trace_hash);
    if let Err(failure) = sim::run(Config::new(seed), quarrel).result {
        println!("\n{failure}");
    }
}
