//! A client, a server and a bad network: `cargo run -p labrpc --example echo`.
//!
//! The same code runs twice: simulated, where it takes no time and the seed repeats it, and on
//! threads.

use std::time::Duration;

use labrpc::{CallError, Method, Network, NetworkError, Server, Service};

/// The method, known to both sides.
struct Echo;

impl Method for Echo {
    const SERVICE: &'static str = "Echo";
    const METHOD: &'static str = "Echo";
    type Args = String;
    type Reply = String;
}

fn talk() -> Result<Vec<String>, NetworkError> {
    // 1. A server with one service.
    let network = Network::new();
    let echo = Service::new("Echo").method::<Echo>(|words| format!("{words}, {words}!"));
    network.add_server("server", Server::new().add(echo));

    // 2. An end connected to it, and a network that loses and delays.
    let end = network.make_end("client")?;
    network.connect("client", "server")?;
    network.enable("client", true)?;
    network.set_reliable(false);

    // 3. Calls. "No reply" means: perhaps it ran. An echo can be asked for again.
    let mut lines = Vec::new();
    for words in ["hello", "is anybody there", "good night"] {
        let start = labrt::now();
        let mut tries = 1;
        let heard = loop {
            match end.call::<Echo>(&words.to_owned()) {
                Ok(heard) => break heard,
                Err(CallError::NoReply) => tries += 1,
                Err(mistake) => break mistake.to_string(),
            }
        };
        let took: Duration = start.elapsed();
        lines.push(format!("{heard:<40} {tries} tries, {:.1} ms", took.as_secs_f64() * 1e3));
    }
    lines.push(format!("{} calls, {} bytes", network.total_count(), network.total_bytes()));
    Ok(lines)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "simulated, seed 7\n{}\n",
        labrt::sim::run(labrt::sim::Config::new(7), talk).result??.join("\n")
    );
    println!("on threads\n{}", talk()?.join("\n"));
    Ok(())
}
