//! The command from outside: what it prints, and its exit status.
#![cfg(feature = "cli")]

mod everything;
mod formats;
mod mutations;
mod public;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

const GOOD: &str = r#"
{"client":1,"op":"put","key":"k","value":"x","version":0,"err":"OK","call":0,"return":10}

{"client":2,"op":"get","key":"k","out_value":"x","out_version":1,"err":"OK","call":5,"return":15,"meta":{"a":1}}
{"client":3,"op":"put","key":"k","value":"y","version":1,"call":20}
{"client":1,"op":"get","key":"k","out_value":"y","out_version":2,"err":"OK","call":30,"return":40}
"#;

/// Runs the command; its exit status and what it printed, both streams together.
fn porcupine(arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_porcupine")).args(arguments).output().expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("no signal"), String::from_utf8(text).expect("UTF-8"))
}

fn file(name: &str, content: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("it can be written");
    path.display().to_string()
}

#[test]
fn a_linearizable_history_is_0() {
    let (status, text) = porcupine(&["check", &file("good.jsonl", GOOD)]);
    assert!(text.contains("good.jsonl: linearizable (4 operations"), "{text}");
    assert_eq!(status, 0);
}

#[test]
fn an_illegal_history_is_1_and_explained() {
    let bad =
        GOOD.replace(r#""out_value":"y","out_version":2"#, r#""out_value":"z","out_version":2"#);
    let (status, text) = porcupine(&["check", "--explain", &file("bad.jsonl", &bad)]);
    assert!(text.contains("NOT linearizable"), "{text}");
    assert!(text.contains("(line 6)"), "{text}");
    assert!(text.contains("get('k') -> ('z', '2', 'OK')"), "{text}");
    assert!(text.contains("One operation cannot be explained"), "{text}");
    assert_eq!(status, 1);
}

#[test]
fn an_exhausted_budget_is_3() {
    let (status, text) = porcupine(&["check", "--steps", "3", &file("budget.jsonl", GOOD)]);
    assert!(text.contains("unknown: the step budget is used up"), "{text}");
    assert_eq!(status, 3);
}

#[test]
fn bad_input_is_2_and_names_the_line() {
    let cases = [
        ("not json", "{", "line 7: EOF"),
        ("no object", "[]", "line 7: not a JSON object: \"[]\""),
        (
            "an array of the fields",
            r#"[1,"get","k","","","",0,"ErrNoKey",50,60]"#,
            "line 7: not a JSON object",
        ),
        (
            "no key",
            r#"{"client":1,"op":"get","call":50,"return":60}"#,
            "line 7: missing field `key`, at column 45",
        ),
        (
            "no such op",
            r#"{"client":1,"op":"pop","key":"k","call":50,"return":60}"#,
            "line 7: op \"pop\"",
        ),
        (
            "no such err",
            r#"{"client":1,"op":"get","key":"k","err":"Bad","call":50,"return":60}"#,
            "line 7: err \"Bad\"",
        ),
        (
            "misspelt",
            r#"{"client":1,"op":"get","key":"k","err":"ErrNoKey","call":50,"ret":60}"#,
            "line 7: unknown field `ret`, did you mean \"return\"?",
        ),
        (
            "unlike any",
            r#"{"client":1,"op":"get","key":"k","err":"ErrNoKey","call":50,"xyz":60}"#,
            "line 7: unknown field `xyz`\n",
        ),
        (
            "twice",
            r#"{"client":1,"op":"get","key":"k","err":"ErrNoKey","call":50,"call":60}"#,
            "line 7: duplicate field `call`",
        ),
        (
            "return before call",
            r#"{"client":1,"op":"get","key":"k","err":"ErrNoKey","call":50,"return":49}"#,
            "line 7 (entry 4): entry 4 returns at 49, before its call at 50",
        ),
        (
            "overlap",
            r#"{"client":1,"op":"get","key":"k","err":"ErrNoKey","call":35,"return":49}"#,
            "line 7 (entry 4)",
        ),
    ];
    for (name, line, expected) in cases {
        let path = file(&format!("{name}.jsonl"), &format!("{GOOD}{line}\n"));
        let (status, text) = porcupine(&["check", &path]);
        assert!(text.contains(expected), "{name}: {text}");
        assert_eq!(status, 2, "{name}: {text}");
    }
    assert_eq!(porcupine(&["check", "/no/such/file"]).0, 2);
    assert_eq!(porcupine(&["check"]).0, 2);
    assert_eq!(porcupine(&["--help"]).0, 0);
}

#[test]
fn the_worst_of_several_files_counts() {
    let (good, broken) = (file("a.jsonl", GOOD), file("b.jsonl", "nonsense"));
    assert_eq!(porcupine(&["check", &good, &broken, &good]).0, 2);
}

#[test]
fn standard_input_is_read_packed_or_not() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(GOOD.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let fastest = ruzstd::encoding::CompressionLevel::Fastest;
    let zstd = ruzstd::encoding::compress_to_vec(GOOD.as_bytes(), fastest);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (name, bytes) in [("plain", GOOD.as_bytes()), ("gzip", &gzip), ("zstd", &zstd)] {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_porcupine"))
            .args(["check", "-"])
            .stdin(fs::File::open(&path).unwrap())
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains("-: linearizable (4 operations"), "{name}: {text}");
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
}

/// Appends at once of one letter, each a different number of times, and a get that shows as many of
/// it and another letter. No beginning of what it shows rules an order out, so all sets of appends
/// must be tried. The budget ends, in time, steps or memory, and that is said.
#[test]
fn what_is_exponential_ends_with_its_budget() {
    let mut history = String::new();
    for client in 1..=24 {
        let value = "a".repeat(client);
        history += &format!(
            "{{\"client\":{client},\"op\":\"append\",\"key\":\"k\",\"value\":\"{value}\",\"call\":0,\"return\":1000}}\n"
        );
    }
    let shown = format!("{}b", "a".repeat(24 * 25 / 2));
    history += &format!(
        "{{\"client\":30,\"op\":\"get\",\"key\":\"k\",\"out_value\":\"{shown}\",\"call\":2000,\"return\":3000}}\n"
    );
    let path = file("appends.jsonl", &history);
    for (budget, why) in [
        (["--timeout", "200ms"], "the time is up"),
        (["--steps", "100000"], "the step budget is used up"),
        (["--memory", "10M"], "the memory budget is used up"),
    ] {
        let (status, text) =
            porcupine(&[&["check", "--model", "append-kv", &path], &budget[..]].concat());
        assert!(text.contains(why), "{budget:?}: {text}");
        assert_eq!(status, 3, "{budget:?}: {text}");
    }
}

#[test]
fn a_page_is_drawn() {
    let page = PathBuf::from(file("page.html", ""));
    let (status, text) =
        porcupine(&["show", &file("draw.jsonl", GOOD), "--html", &page.display().to_string()]);
    assert_eq!(status, 0, "{text}");
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("get('k') -\\u003e") || page.contains("get('k') ->"));
    for forbidden in ["http://", "https://", "src=", "<link"] {
        assert!(!page.contains(forbidden), "the page must not load {forbidden}");
    }
}

#[test]
fn annotations_are_drawn_beside_it() {
    let notes = concat!(
        r#"{"tag":"$ Failure","start":3,"end":9,"text":"crash = [1]","kind":"fault"}"#,
        "\n\n",
        r#"{"tag":"checks","start":12,"text":"one leader","details":"S2","unknown":1}"#,
    );
    let (history, page) = (file("beside.jsonl", GOOD), file("beside.html", ""));
    let show = |notes: &str| {
        let notes = file("notes.jsonl", notes);
        porcupine(&["show", &history, "--html", &page, "--annotations", &notes])
    };
    let (status, text) = show(notes);
    assert_eq!(status, 0, "{text}");
    let drawn = fs::read_to_string(&page).unwrap();
    assert!(drawn.contains(r##"["$ Failure",3,9,"crash = [1]","","#2f8f8f",1]"##), "{drawn}");
    assert!(drawn.contains(r#"["checks",12,null,"one leader","S2","",0]"#), "{drawn}");

    let (status, text) = show(&notes.replace(r#""end":9"#, r#""end":2"#));
    assert!(text.contains("notes.jsonl: line 1: it ends at 2, before it starts at 3"), "{text}");
    assert_eq!(status, 2);
    let (status, text) = show(&notes.replace(r#""start":12,"#, ""));
    assert!(text.contains("notes.jsonl: line 3: missing field `start`"), "{text}");
    assert_eq!(status, 2);
}

#[test]
fn a_page_never_overwrites_an_input() {
    let history = file("kept.jsonl", GOOD);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let detour = folder.join("../tmp/kept.jsonl").display().to_string();
    for html in [&history, &detour] {
        let (status, text) = porcupine(&["check", &history, "--html", html]);
        assert!(text.contains("would overwrite the input"), "{text}");
        assert_eq!(status, 2, "{text}");
    }
    // Not the second of several files either, nor the annotations.
    let (other, notes) = (file("other.jsonl", GOOD), file("kept-notes.jsonl", ""));
    assert_eq!(porcupine(&["check", &other, &history, "--html", &history]).0, 2);
    assert_eq!(porcupine(&["show", &other, "--html", &notes, "--annotations", &notes]).0, 2);
    assert_eq!(fs::read_to_string(&history).unwrap(), GOOD);
    assert_eq!(fs::read_to_string(&notes).unwrap(), "");
}

#[test]
fn nothing_to_check_is_an_error_unless_asked_for() {
    for (name, content) in [("empty", ""), ("blank", "\n \n"), ("edn", "[]"), ("log", "a log\n")] {
        let path = file(&format!("nothing-{name}"), content);
        let format = match name {
            "edn" | "log" => name,
            _ => "jsonl",
        };
        let (status, text) = porcupine(&["check", &path, "--format", format]);
        assert!(text.contains("nothing to check"), "{name}: {text}");
        assert_eq!(status, 2, "{name}: {text}");
        let (status, text) = porcupine(&["check", &path, "--format", format, "--allow-empty"]);
        assert_eq!(status, 0, "{name}: {text}");
    }
}

#[test]
fn json_has_a_verdict_for_each_partition() {
    let bad = GOOD.replace(r#""out_value":"y""#, r#""out_value":"z""#)
        + r#"{"client":7,"op":"get","key":"l","err":"ErrNoKey","call":35,"return":49}"#;
    let (good, bad) = (file("json-good.jsonl", GOOD), file("json-bad.jsonl", &bad));
    let broken = file("json-broken.jsonl", "nonsense");
    let output = Command::new(env!("CARGO_BIN_EXE_porcupine"))
        .args(["check", "--json", "--explain", &good, &bad, &broken])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [good, bad, broken] = &lines[..] else { panic!("{text}") };
    assert_eq!(good["verdict"], "linearizable");
    assert_eq!(good["model"], "versioned-kv");
    assert_eq!(good["partitions"][0]["operations"], 4);
    assert_eq!(bad["verdict"], "not linearizable");
    assert_eq!(bad["partitions"][0]["name"], "k");
    assert_eq!(bad["partitions"][0]["verdict"], "not linearizable");
    assert_eq!(bad["partitions"][0]["stuck"]["line"], 6);
    assert_eq!(bad["partitions"][1]["name"], "l");
    assert_eq!(bad["partitions"][1]["verdict"], "linearizable");
    assert_eq!(bad["explanation"]["lines"], serde_json::json!([6]));
    assert_eq!(bad["weaker"]["sequential"], "violated");
    assert_eq!(bad["weaker"]["monotonic_reads"], "violated");
    assert!(broken["error"].as_str().unwrap().contains("line 1"), "{broken}");
}

/// A stale read of another client's write: nothing but real time is violated.
#[test]
fn weaker_conditions_are_named() {
    let stale = r#"
{"client":1,"op":"put","key":"k","value":"x","version":0,"err":"OK","call":0,"return":10}
{"client":2,"op":"get","key":"k","err":"ErrNoKey","call":20,"return":30}
"#;
    let (status, text) = porcupine(&["check", &file("weaker.jsonl", stale)]);
    assert!(
        text.contains("  still sequentially consistent, reads your writes, monotonic reads\n"),
        "{text}"
    );
    assert_eq!(status, 1);
    let own = stale.replace("\"client\":2", "\"client\":1");
    let (_, text) = porcupine(&["check", &file("weaker2.jsonl", &own)]);
    let says = "  still monotonic reads; not sequentially consistent, reads your writes\n";
    assert!(text.contains(says), "{text}");
}
