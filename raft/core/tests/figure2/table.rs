//! docs/FIGURE2.md and the code, kept together.

const TABLE: &str = include_str!("../../../../docs/FIGURE2.md");

/// A Rust file by its name; those of the safety tests as well.
fn source(file: &str) -> Option<&'static str> {
    macro_rules! sources {
        ($($name:literal => $path:literal),* $(,)?) => {
            match file { $($name => Some(include_str!($path)),)* _ => None }
        };
    }
    sources! {
        "types.rs" => "../../src/types.rs",
        "timing.rs" => "../../src/timing.rs",
        "mod.rs" => "../../src/consensus/mod.rs",
        "durable.rs" => "../../src/consensus/durable.rs",
        "effects.rs" => "../../src/consensus/effects.rs",
        "log.rs" => "../../src/consensus/log.rs",
        "follower.rs" => "../../src/consensus/follower.rs",
        "candidate.rs" => "../../src/consensus/candidate.rs",
        "leader.rs" => "../../src/consensus/leader.rs",
        "progress.rs" => "../../src/consensus/progress.rs",
        "quorum.rs" => "../../src/consensus/quorum.rs",
        "read.rs" => "../../src/consensus/read.rs",
        "snapshot.rs" => "../../src/consensus/snapshot.rs",
        "invariants.rs" => "../../src/consensus/invariants.rs",
        "all_servers" => "all_servers.rs",
        "followers" => "followers.rs",
        "candidates" => "candidates.rs",
        "leaders" => "leaders.rs",
        "reads" => "reads.rs",
        "replies" => "replies.rs",
        "request_vote" => "request_vote.rs",
        "append_entries" => "append_entries.rs",
        "install_snapshot" => "install_snapshot.rs",
        "restart" => "restart.rs",
        "figure_8" => "figure_8.rs",
        "table" => "table.rs",
        "random_orders" => "../safety/random_orders.rs",
        "figure3" => "../safety/figure3_properties.rs",
    }
}

fn has_function(file: &str, name: &str) -> bool {
    let text = source(file).unwrap_or_else(|| panic!("docs/FIGURE2.md names a file {file}"));
    text.contains(&format!("fn {name}(")) || text.contains(&format!("fn {name}<"))
}

/// What stands in backquotes in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Every function and every test that the table names exists.
#[test]
fn every_rule_names_code_and_tests_that_exist() {
    let mut tests = 0;
    for line in TABLE.lines() {
        let mut file = "figure3";
        for name in quoted(line) {
            if let Some((module, test)) = name.split_once("::") {
                assert!(has_function(module, test), "no test {name}");
                tests += 1;
            } else if name.ends_with(".rs") && !name.contains('/') {
                file = name;
            } else if line.starts_with("| ") && !name.starts_with(char::is_uppercase) {
                assert!(has_function(file, name), "no function {name} in {file}");
            }
        }
    }
    assert!(tests > 100, "{tests} tests named");
}

/// Every test of a rule is in the table.
#[test]
fn every_test_is_named_in_the_table() {
    let files = [
        "all_servers",
        "followers",
        "candidates",
        "leaders",
        "replies",
        "request_vote",
        "append_entries",
        "install_snapshot",
        "restart",
        "figure_8",
        "reads",
    ];
    let mut missing = Vec::new();
    for file in files {
        let text = source(file).expect("listed above");
        for after in text.split("#[test]").skip(1) {
            let name = after.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            let name = format!("{file}::{}", name.expect("a test has a name"));
            if !TABLE.contains(&format!("`{name}`")) {
                missing.push(name);
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/FIGURE2.md: {missing:#?}");
}
