//! Public histories with their known verdicts. They are not part of the project: `PORCUPINE_DATA`
//! names the folder that has them, in `jepsen`, `knossos` and `porcupine-kv`.

use std::path::PathBuf;

use crate::porcupine;

/// The folder of some of the histories; `None` where there are none.
fn folder(name: &str) -> Option<PathBuf> {
    let Some(data) = std::env::var_os("PORCUPINE_DATA") else {
        eprintln!(
            "skipped: PORCUPINE_DATA does not name a folder with jepsen, knossos and porcupine-kv"
        );
        return None;
    };
    Some(PathBuf::from(data).join(name))
}

/// All files in a folder, sorted.
fn files(folder: PathBuf) -> Vec<String> {
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<String> =
        entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect();
    files.retain(|file| !file.ends_with("README.md"));
    files.sort();
    assert!(!files.is_empty(), "{folder:?} is empty");
    files
}

/// 52 histories that Jepsen recorded against etcd. A failed compare-and-set had found another
/// value.
#[test]
fn etcd_logs_have_their_known_verdicts() {
    let Some(folder) = folder("jepsen") else { return };
    let linearizable = [2, 18, 38, 48, 56, 76, 80, 92, 98, 100, 102];
    for number in (0..=102).step_by(2) {
        let path = folder.join(format!("etcd_{number:03}.log")).display().to_string();
        let (status, text) = porcupine(&["check", "--failed-cas", "differs", &path]);
        let expected = if linearizable.contains(&number) { 0 } else { 1 };
        assert_eq!(status, expected, "{text}");
    }
}

/// The histories of knossos, as they are. One of them has no operations.
#[test]
fn knossos_histories_have_their_known_verdicts() {
    let Some(folder) = folder("knossos") else { return };
    for (name, expected) in [("good", 0), ("bad", 1)] {
        for path in files(folder.join(name)) {
            let init = if path.contains("multi-register") { "{:x 0 :y 0}" } else { "nil" };
            let (status, text) = porcupine(&["check", "--allow-empty", "--init", init, &path]);
            assert_eq!(status, expected, "{text}");
        }
    }
}

/// Key-value logs of the original Porcupine.
#[test]
fn key_value_logs_have_their_known_verdicts() {
    let Some(folder) = folder("porcupine-kv") else { return };
    for path in files(folder) {
        let expected = i32::from(path.contains("-bad"));
        let (status, text) = porcupine(&["check", "--timeout", "60s", &path]);
        assert_eq!(status, expected, "{text}");
    }
}
