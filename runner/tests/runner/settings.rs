//! The `LAB_*` variables and their values.

use std::time::Duration;

use runner::{Backend, Mode, Settings, SettingsError};

pub fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_lookup(|name| {
        let value = variables.iter().find(|(variable, _)| *variable == name);
        Ok(value.map(|(_, value)| (*value).to_owned()))
    })
}

#[test]
fn nothing_set_and_everything_set() {
    assert_eq!(settings(&[]).unwrap(), Settings::default());
    let empty = [("LAB_SEED", ""), ("LAB_SEEDS", " "), ("LAB_BACKEND", ""), ("LAB_LOG", "")];
    assert_eq!(settings(&empty).unwrap(), Settings::default());
    let all = settings(&[
        ("LAB_SEED", "17"),
        ("LAB_SEEDS", "500"),
        ("LAB_BACKEND", "threads"),
        ("LAB_LOG", "raft=debug"),
        ("LAB_SUMMARY", "a/b.jsonl"),
        ("LAB_HISTORY", "h"),
        ("LAB_REPORT", "key"),
        ("LAB_REPEAT", "again {test}"),
    ]);
    let all = all.unwrap();
    assert_eq!((all.seed, all.mode), (Some(17), Mode::Sweep { seeds: 500 }));
    assert_eq!((all.backend, all.log.as_deref()), (Backend::Threads, Some("raft=debug")));
    assert_eq!((all.summary, all.history), (Some("a/b.jsonl".into()), Some("h".into())));
    assert_eq!(all.report.as_deref(), Some("key"));
    assert_eq!(all.repeat.as_deref(), Some("again {test}"));
    let schedule = settings(&[("LAB_SCHEDULE", "a/b.json"), ("LAB_SHRINK", "0")]).unwrap();
    assert_eq!((schedule.input, schedule.shrink), (Some("a/b.json".into()), Some(Duration::ZERO)));
    assert_eq!(settings(&[("LAB_SEED", "0")]).unwrap().seed, Some(0));
    assert_eq!(settings(&[("LAB_BACKEND", "sim")]).unwrap().backend, Backend::Sim);
}

#[test]
fn the_modes() {
    let mode = |variables: &[(&str, &str)]| settings(variables).map(|settings| settings.mode);
    assert_eq!(mode(&[("LAB_SEED", "7")]), Ok(Mode::Once));
    let replay = mode(&[("LAB_REPLAY", "1"), ("LAB_EXPECT", "00000000000000ff")]);
    assert_eq!(replay, Ok(Mode::Replay { expect: Some(255) }));
    let worker = mode(&[("LAB_WORKER", "twice"), ("LAB_SEEDS", "3")]);
    assert_eq!(worker, Ok(Mode::Worker { seeds: 3, twice: true }));
    assert_eq!(mode(&[("LAB_WORKER", "once")]), Ok(Mode::Worker { seeds: 1, twice: false }));
    for other in ["LAB_SEEDS", "LAB_WORKER"] {
        let value = if other == "LAB_SEEDS" { "2" } else { "once" };
        let error = mode(&[("LAB_REPLAY", "1"), (other, value)]).unwrap_err();
        assert_eq!(error.to_string(), format!("LAB_REPLAY does not go with {other}"));
    }
}

#[test]
fn bad_values_are_clear_errors() {
    let error = |variable, value| settings(&[(variable, value)]).unwrap_err().to_string();
    let range = "must be a whole number from 0 to 18446744073709551615";
    assert_eq!(error("LAB_SEED", "abc"), format!("LAB_SEED {range}, not \"abc\""));
    assert!(error("LAB_SEED", "-1").contains("not \"-1\""));
    assert!(error("LAB_SEED", "18446744073709551616").contains("whole number"));
    assert!(error("LAB_SEEDS", "0").starts_with("LAB_SEEDS must be a whole number from 1"));
    let threads = error("LAB_BACKEND", "Threads");
    assert_eq!(threads, "LAB_BACKEND must be sim or threads, not \"Threads\"");
    assert_eq!(error("LAB_REPLAY", "yes"), "LAB_REPLAY must be 0 or 1, not \"yes\"");
    assert!(error("LAB_WORKER", "thrice").contains("once or twice"));
    assert!(error("LAB_EXPECT", "ff").contains("16 hexadecimal digits"));
    let overflow = settings(&[("LAB_SEED", "18446744073709551615"), ("LAB_SEEDS", "2")]);
    assert!(matches!(overflow, Err(SettingsError::SeedsOverflow { .. })));
}

/// Found before anything runs, not after.
#[test]
fn outputs_that_cannot_be_written() {
    let file = std::env::temp_dir().join(format!("runner-file-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let below = file.join("x").display().to_string();
    for variable in ["LAB_SUMMARY", "LAB_HISTORY"] {
        let settings = settings(&[(variable, below.as_str())]).unwrap();
        let error = settings.check_outputs().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{variable}={below}: cannot be written: ")), "{error}");
    }
    let sound = settings(&[("LAB_SUMMARY", file.to_str().unwrap())]).unwrap();
    assert_eq!(sound.check_outputs(), Ok(()));
    std::fs::remove_file(&file).unwrap();
}
