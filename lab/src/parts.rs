//! The parts of the labs and the crates of the workspace: what can be selected by name.

use anyhow::{Result, bail};

use crate::typed;

/// One part of the labs.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    /// Packages with tests of this part, in `tests/lab`.
    pub packages: &'static [&'static str],
    /// What the names of its tests contain.
    pub filter: &'static str,
    /// A second test target, which is not part of sweeps.
    pub also: Option<&'static str>,
}

const fn part(name: &'static str, packages: &'static [&'static str], filter: &'static str) -> Part {
    Part { name, packages, filter, also: None }
}

/// In the order of the course, which a range like `3a-4c` follows; then the rest.
pub const PARTS: &[Part] = &[
    Part { also: Some("memory"), ..part("2", &["kvsrv"], "_2") },
    part("3a", &["raft"], "_3a"),
    part("3b", &["raft"], "_3b"),
    part("3c", &["raft"], "_3c"),
    part("3d", &["raft"], "_3d"),
    part("4a", &["rsm"], "_4a"),
    part("4b", &["kvraft"], "_4b"),
    part("4c", &["rsm", "kvraft"], "_4c"),
    part("5a", &["shardkv"], "_5a"),
    part("5b", &["shardkv"], "_5b"),
    part("5c", &["shardkv"], "_5c"),
    part("kv3a", &["kvraft"], "_kv3a"),
    part("kv3b", &["kvraft"], "_kv3b"),
    part("kvlimit1", &["kvraft"], "_kvlimit1"),
    part("nemesis", &["raft", "rsm", "kvraft", "shardkv"], "nemesis"),
];

/// The parts that `text` asks for, each once, in the table's order: names, ranges, lists of both
/// (`3a-3d,kv3a`), or `all`.
///
/// # Errors
/// When a name is unknown or a range is empty. `option` is the option that the text is the value
/// of.
pub fn parse(option: &str, text: &str) -> Result<Vec<&'static Part>> {
    let position = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        match PARTS.iter().position(|part| part.name == name) {
            Some(at) => Ok(at),
            None => bail!(
                "{}: there is no part {name}: take one of {}, a range or a list",
                typed(option, text),
                names()
            ),
        }
    };
    let mut wanted = [false; PARTS.len()];
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if item == "all" {
            wanted.fill(true);
        } else if let Some((from, to)) = item.split_once('-') {
            let (from, to) = (position(from)?, position(to)?);
            if from > to {
                bail!("{}: {item} is an empty range", typed(option, text));
            }
            wanted[from..=to].fill(true);
        } else {
            wanted[position(item)?] = true;
        }
    }
    let parts: Vec<&Part> = PARTS.iter().zip(wanted).filter(|it| it.1).map(|it| it.0).collect();
    if parts.is_empty() {
        bail!("which tests? Give {}", typed(option, &names()));
    }
    Ok(parts)
}

fn names() -> String {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    names.join(", ") + " or all"
}
