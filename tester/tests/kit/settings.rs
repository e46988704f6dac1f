//! What the `LAB_*` variables may say.

use tester::{Backend, Settings, SettingsError};

fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_lookup(|name| {
        let value = variables.iter().find(|(variable, _)| *variable == name);
        Ok(value.map(|(_, value)| (*value).to_owned()))
    })
}

#[test]
fn nothing_set_and_everything_set() {
    assert_eq!(settings(&[]).unwrap(), Settings::default());
    // The Makefile exports what it was not given as empty.
    let empty = [("LAB_SEED", ""), ("LAB_SEEDS", " "), ("LAB_BACKEND", ""), ("LAB_LOG", "")];
    assert_eq!(settings(&empty).unwrap(), Settings::default());
    let all = settings(&[
        ("LAB_SEED", "17"),
        ("LAB_SEEDS", "500"),
        ("LAB_BACKEND", "threads"),
        ("LAB_LOG", "raft=debug"),
        ("LAB_SUMMARY", "a/b.jsonl"),
        ("LAB_HISTORY", "h"),
        ("LAB_MAKE", "test-4c"),
    ]);
    let all = all.unwrap();
    assert_eq!((all.seed, all.seeds, all.backend), (Some(17), Some(500), Backend::Threads));
    assert_eq!(all.log.as_deref(), Some("raft=debug"));
    assert_eq!(all.make_target.as_deref(), Some("test-4c"));
    let replay = settings(&[("LAB_REPLAY", "1"), ("LAB_EXPECT", "00000000000000ff")]).unwrap();
    assert_eq!((replay.replay, replay.expect), (true, Some(255)));
    let schedule = settings(&[("LAB_SCHEDULE", "a/b.json"), ("LAB_SHRINK", "0")]).unwrap();
    assert_eq!((schedule.schedule, schedule.shrink), (Some("a/b.json".into()), Some(0)));
    assert_eq!(settings(&[("LAB_SEED", "0")]).unwrap().seed, Some(0));
    assert_eq!(settings(&[("LAB_BACKEND", "sim")]).unwrap().backend, Backend::Sim);
}

#[test]
fn bad_values_are_clear_errors() {
    let error = |variable, value| settings(&[(variable, value)]).unwrap_err().to_string();
    assert_eq!(
        error("LAB_SEED", "abc"),
        "LAB_SEED must be a whole number from 0 to 18446744073709551615, not \"abc\""
    );
    assert!(error("LAB_SEED", "-1").contains("not \"-1\""));
    assert!(error("LAB_SEED", "18446744073709551616").contains("whole number"));
    assert!(error("LAB_SEEDS", "0").starts_with("LAB_SEEDS must be a whole number from 1"));
    assert_eq!(
        error("LAB_BACKEND", "Threads"),
        "LAB_BACKEND must be sim or threads, not \"Threads\""
    );
    assert_eq!(error("LAB_REPLAY", "yes"), "LAB_REPLAY must be 0 or 1, not \"yes\"");
    assert!(error("LAB_EXPECT", "ff").contains("16 hexadecimal digits"));
    let many = settings(&[("LAB_REPLAY", "1"), ("LAB_SEEDS", "2")]);
    assert_eq!(many.unwrap_err(), SettingsError::ReplayOfMany);
    let overflow = settings(&[("LAB_SEED", "18446744073709551615"), ("LAB_SEEDS", "2")]);
    assert!(matches!(overflow, Err(SettingsError::SeedsOverflow { .. })));
}
