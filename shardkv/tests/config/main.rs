//! Configurations: the spec's computed vectors, the course's test, and what callers can get wrong.
//! No network.

use std::collections::BTreeMap;

use shardkv::{ConfigError, ConfigNum, Gid, Groups, SHARDS, ShardConfig, ShardId};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn group(gid: u64, servers: &[&str]) -> Groups {
    BTreeMap::from([(Gid::new(gid), names(servers))])
}

/// A group with one server whose name nobody else has.
fn any_group(gid: u64) -> Groups {
    group(gid, &[&format!("server-{gid}-0")])
}

fn table(config: &ShardConfig) -> String {
    let gids: Vec<String> = config.shards().iter().map(Gid::to_string).collect();
    gids.join(" ")
}

fn check_config(config: &ShardConfig, gids: &[u64]) {
    let gids: Vec<Gid> = gids.iter().copied().map(Gid::new).collect();
    assert_eq!(config.groups().keys().copied().collect::<Vec<_>>(), gids);
    if gids.is_empty() {
        return;
    }
    let load = |gid: &Gid| config.shards().iter().filter(|owner| *owner == gid).count();
    let loads: Vec<usize> = gids.iter().map(load).collect();
    assert_eq!(loads.iter().sum::<usize>(), SHARDS, "every shard has a group that is there");
    let (most, least) = (loads.iter().max().unwrap(), loads.iter().min().unwrap());
    assert!(most - least <= 1, "unbalanced: {loads:?}");
}

/// Which shard a key is in: FNV-1a modulo 12.
#[test]
fn keys_are_spread_as_the_spec_computes() {
    for (key, shard) in [("", 1), ("a", 4), ("k", 6), ("k0", 10), ("k1", 9)] {
        assert_eq!(ShardId::of_key(key).get(), shard, "{key:?}");
    }
    const TABLE: [[usize; 10]; 6] = [
        [10, 9, 0, 11, 6, 5, 8, 7, 6, 5],
        [7, 8, 5, 6, 3, 4, 1, 2, 11, 0],
        [4, 3, 2, 1, 0, 11, 10, 9, 0, 11],
        [9, 10, 11, 0, 5, 6, 7, 8, 5, 6],
        [10, 9, 0, 11, 6, 5, 8, 7, 6, 5],
        [3, 4, 1, 2, 7, 8, 5, 6, 11, 0],
    ];
    for (i, shard) in TABLE.iter().flatten().enumerate() {
        assert_eq!(ShardId::of_key(&format!("k{i}")).get(), *shard, "k{i}");
    }
}

/// Nine groups join, eight leave: every table of the spec.
#[test]
fn shards_are_shared_out_as_the_spec_computes() {
    const JOINS: [&str; 9] = [
        "1 1 1 1 1 1 1 1 1 1 1 1",
        "2 2 2 2 2 2 1 1 1 1 1 1",
        "3 3 2 2 2 2 3 3 1 1 1 1",
        "4 3 4 2 2 2 3 3 4 1 1 1",
        "4 3 4 5 2 2 3 3 4 5 1 1",
        "6 6 4 5 2 2 3 3 4 5 1 1",
        "6 6 4 5 2 2 3 3 4 5 7 1",
        "6 6 4 5 8 2 3 3 4 5 7 1",
        "6 6 4 5 8 2 9 3 4 5 7 1",
    ];
    const LEAVES: [&str; 8] = [
        "6 6 4 5 8 1 9 3 4 5 7 1",
        "6 6 4 5 8 1 9 7 4 5 7 1",
        "6 6 8 5 8 1 9 7 9 5 7 1",
        "6 6 8 1 8 1 9 7 9 6 7 1",
        "7 8 8 1 8 1 9 7 9 9 7 1",
        "1 8 8 1 8 1 9 8 9 9 9 1",
        "1 1 9 1 1 1 9 9 9 9 9 1",
        "1 1 1 1 1 1 1 1 1 1 1 1",
    ];
    let mut config = ShardConfig::new();
    for (gid, expected) in (1..).zip(JOINS) {
        config.join_balance(any_group(gid)).unwrap();
        assert_eq!(table(&config), expected, "join {gid}");
    }
    for (gid, expected) in (2..).zip(LEAVES) {
        config.leave_balance(&[Gid::new(gid)]).unwrap();
        assert_eq!(table(&config), expected, "leave {gid}");
    }
    assert_eq!(config.num(), ConfigNum::new(17));
}

/// The first group leaves and comes back; nobody is left.
#[test]
fn a_group_that_comes_back_gets_shards_again() {
    let mut config = ShardConfig::new();
    config.join_balance(any_group(1)).unwrap();
    config.join_balance(any_group(2)).unwrap();
    config.leave_balance(&[Gid::new(1)]).unwrap();
    assert_eq!(table(&config), "2 2 2 2 2 2 2 2 2 2 2 2");
    config.join_balance(any_group(1)).unwrap();
    assert_eq!(table(&config), "1 1 1 1 1 1 2 2 2 2 2 2");
    config.leave_balance(&[Gid::new(1), Gid::new(2)]).unwrap();
    assert_eq!(table(&config), "0 0 0 0 0 0 0 0 0 0 0 0");
    assert_eq!(config.num(), ConfigNum::new(5));
}

/// The course's `TestBasic`.
#[test]
fn basic() {
    let mut config = ShardConfig::new();
    check_config(&config, &[]);
    config.join_balance(group(1, &["x", "y", "z"])).unwrap();
    check_config(&config, &[1]);
    config.join_balance(group(2, &["a", "b", "c"])).unwrap();
    check_config(&config, &[1, 2]);
    assert_eq!(config.groups()[&Gid::new(1)], names(&["x", "y", "z"]));
    assert_eq!(config.groups()[&Gid::new(2)], names(&["a", "b", "c"]));
    config.leave_balance(&[Gid::new(1)]).unwrap();
    check_config(&config, &[2]);
    config.leave_balance(&[Gid::new(2)]).unwrap();
    check_config(&config, &[]);
}

/// The course's JSON, groups in the order of their numbers as text, and back.
#[test]
fn text_is_the_courses_json() {
    let mut config = ShardConfig::new();
    assert_eq!(config.to_string(), r#"{"Num":0,"Shards":[0,0,0,0,0,0,0,0,0,0,0,0],"Groups":{}}"#);
    config.join_balance([any_group(2), any_group(10)].into_iter().flatten().collect()).unwrap();
    let text = r#"{"Num":1,"Shards":[2,2,2,2,2,2,10,10,10,10,10,10],"Groups":{"10":["server-10-0"],"2":["server-2-0"]}}"#;
    // Shards go one by one to the emptier group, so they alternate.
    let text = text.replace("2,2,2,2,2,2,10,10,10,10,10,10", "2,10,2,10,2,10,2,10,2,10,2,10");
    assert_eq!(config.to_string(), text);
    assert_eq!(text.parse::<ShardConfig>().unwrap(), config);
    for bad in ["", "{}", r#"{"Num":1,"Shards":[1],"Groups":{}}"#] {
        assert!(bad.parse::<ShardConfig>().is_err(), "{bad}");
    }
}

/// A text whose groups make no sense is refused, and the message says which.
#[test]
fn texts_that_make_no_sense_are_refused_by_name() {
    let bad = [
        (r#""1":["x"],"1":["y"]"#, "group 1 stands twice"),
        (r#""1":["x","x"]"#, "group 1 names server \"x\" twice"),
        (r#""1":[""]"#, "group 1 has a server without a name"),
        (r#""1":[]"#, "group 1 has no servers"),
        (r#""1":["x"],"2":["x"]"#, "belongs to group 1 already"),
        (r#""0":["x"]"#, "0 cannot be a group's number"),
    ];
    for (groups, why) in bad {
        let text =
            format!(r#"{{"Num":1,"Shards":[1,1,1,1,1,1,1,1,1,1,1,1],"Groups":{{{groups}}}}}"#);
        let error = text.parse::<ShardConfig>().expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
}

/// Mistakes are errors, and change nothing.
#[test]
fn a_refused_change_changes_nothing() {
    let mut config = ShardConfig::new();
    config.join_balance(group(1, &["x"])).unwrap();
    let before = config.clone();
    let joins = [
        (Groups::new(), ConfigError::NoGroups),
        (group(0, &["y"]), ConfigError::NotAGroup),
        (group(2, &[]), ConfigError::NoServers(Gid::new(2))),
        (group(1, &["y"]), ConfigError::Present(Gid::new(1))),
        (group(2, &["x"]), ConfigError::NameTaken { name: "x".to_owned(), gid: Gid::new(1) }),
        (group(2, &["y", ""]), ConfigError::EmptyName(Gid::new(2))),
        (
            group(2, &["y", "z", "y"]),
            ConfigError::RepeatedServer { name: "y".to_owned(), gid: Gid::new(2) },
        ),
    ];
    for (joining, error) in joins {
        assert_eq!(config.join_balance(joining), Err(error));
        assert_eq!(config, before);
    }
    assert_eq!(config.leave_balance(&[]), Err(ConfigError::NoGroups));
    let both = [Gid::new(1), Gid::new(2)];
    assert_eq!(config.leave_balance(&both), Err(ConfigError::Absent(Gid::new(2))));
    assert_eq!(config, before);
}
