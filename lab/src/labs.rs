//! The parts of the labs, as the Makefile's `test-*` targets name them.

use anyhow::{Result, bail};

/// One part: which packages have its tests, and what the names of those contain.
#[derive(Debug, PartialEq, Eq)]
pub struct Lab {
    pub name: &'static str,
    pub packages: &'static [&'static str],
    pub filter: &'static str,
}

const fn lab(name: &'static str, packages: &'static [&'static str], filter: &'static str) -> Lab {
    Lab { name, packages, filter }
}

/// In the order of the course, which is what a range like `3a-4c` goes by; then the rest.
pub const LABS: &[Lab] = &[
    lab("2", &["kvsrv"], "_2"),
    lab("3a", &["raft"], "_3a"),
    lab("3b", &["raft"], "_3b"),
    lab("3c", &["raft"], "_3c"),
    lab("3d", &["raft"], "_3d"),
    lab("4a", &["rsm"], "_4a"),
    lab("4b", &["kvraft"], "_4b"),
    lab("4c", &["rsm", "kvraft"], "_4c"),
    lab("5a", &["shardkv"], "_5a"),
    lab("5b", &["shardkv"], "_5b"),
    lab("5c", &["shardkv"], "_5c"),
    lab("kv3a", &["kvraft"], "_kv3a"),
    lab("kv3b", &["kvraft"], "_kv3b"),
    lab("kvlimit1", &["kvraft"], "_kvlimit1"),
    lab("nemesis", &["raft", "rsm", "kvraft", "shardkv"], "nemesis"),
];

/// The parts that `text` asks for, each once, in the table's order: names, ranges, lists of both (`3a-3d,kv3a`), or `all`.
pub fn parse(text: &str) -> Result<Vec<&'static Lab>> {
    let mut wanted = vec![false; LABS.len()];
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if item == "all" {
            wanted.fill(true);
        } else if let Some((from, to)) = item.split_once('-') {
            let (from, to) = (position(from)?, position(to)?);
            if from > to {
                bail!("LAB={item} is an empty range");
            }
            wanted[from..=to].fill(true);
        } else {
            wanted[position(item)?] = true;
        }
    }
    let labs: Vec<&Lab> = LABS.iter().zip(wanted).filter(|it| it.1).map(|it| it.0).collect();
    if labs.is_empty() {
        bail!("which tests? Say LAB={}", names());
    }
    Ok(labs)
}

fn position(name: &str) -> Result<usize> {
    let name = name.trim().to_ascii_lowercase();
    match LABS.iter().position(|lab| lab.name == name) {
        Some(at) => Ok(at),
        None => bail!("there is no LAB={name}: take one of {}, a range or a list", names()),
    }
}

fn names() -> String {
    let names: Vec<&str> = LABS.iter().map(|lab| lab.name).collect();
    names.join(", ") + " or all"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<&'static str> {
        parse(text).unwrap().iter().map(|lab| lab.name).collect()
    }

    #[test]
    fn names_ranges_and_lists() {
        assert_eq!(parsed("4C"), ["4c"]);
        assert_eq!(parsed("3a-3d"), ["3a", "3b", "3c", "3d"]);
        assert_eq!(parsed("4b, 3d-4b ,2"), ["2", "3d", "4a", "4b"]);
        assert_eq!(parsed("all").len(), LABS.len());
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let error = |text| parse(text).unwrap_err().to_string();
        assert!(error("6d").starts_with("there is no LAB=6d: take one of 2, 3a"));
        assert!(error("").starts_with("which tests?"));
        assert_eq!(error("4c-3a"), "LAB=4c-3a is an empty range");
    }

    #[test]
    fn the_table_is_that_of_the_makefile() {
        let makefile = include_str!("../../Makefile");
        for lab in LABS.iter().filter(|lab| lab.name != "nemesis") {
            let target = format!("test-{}: ##", lab.name);
            let recipe = makefile.split(&target).nth(1).and_then(|rest| rest.lines().nth(1));
            let recipe = recipe.unwrap_or_else(|| panic!("no {target}"));
            assert!(recipe.contains(&format!(",{})", lab.filter)), "{recipe}");
            for package in lab.packages {
                assert!(recipe.contains(&format!("-p {package}")), "{recipe}");
            }
        }
    }
}
