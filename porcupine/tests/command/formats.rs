//! Files of every format and for every model, small ones written here.

use crate::{file, porcupine};

/// Checks a file that is called `name`, with more arguments.
fn check(name: &str, content: &str, arguments: &[&str]) -> (i32, String) {
    porcupine(&[&["check", &file(name, content)], arguments].concat())
}

#[track_caller]
fn expect(name: &str, content: &str, arguments: &[&str], status: i32, says: &str) {
    let (found, text) = check(name, content, arguments);
    assert!(text.contains(says), "{name}: {text}");
    assert_eq!(found, status, "{name}: {text}");
}

const OLD_LOG: &str = "INFO  jepsen.core - Worker 1 starting\n\
    INFO  jepsen.util - 0\t:invoke\t:read\tnil\n\
    INFO  jepsen.util - 1   :invoke :write  3\n\
    INFO  jepsen.util - :nemesis    :info   :start  nil\n\
    INFO  jepsen.util - 0\t:ok\t:read\tnil\n\
    INFO  jepsen.util - 1\t:info\t:write\t:timed-out\n\
    INFO  jepsen.util - 2\t:invoke\t:cas\t[3 4]\n\
    INFO  jepsen.util - 2\t:ok\t:cas\t[3 4]\n";

#[test]
fn old_jepsen_logs_are_read() {
    expect("jepsen.log", OLD_LOG, &[], 0, "linearizable (3 operations of register");
    expect("jepsen2.log", &OLD_LOG.replace("write  3", "write  5"), &[], 1, "NOT linearizable");
    let stray = OLD_LOG.replace("0\t:ok", "7\t:ok");
    expect("jepsen3.log", &stray, &[], 2, "line 5: process 7 did not invoke anything");
    let twice = OLD_LOG.replace("1   :invoke", "0   :invoke");
    let says = "line 3: process 0 invokes while its operation of line 2 is open";
    expect("jepsen4.log", &twice, &[], 2, says);
    let other = OLD_LOG.replace(":ok\t:read", ":ok\t:write");
    expect("jepsen5.log", &other, &[], 2, "line 5: process 0 invoked \"read\", not \"write\"");
    let misspelt = OLD_LOG.replace(":ok\t:read", ":okk\t:read");
    expect("jepsen6.log", &misspelt, &[], 2, "line 5: type \"okk\", did you mean \"ok\"?");
}

#[test]
fn new_jepsen_logs_are_read() {
    let line = |second: u32, rest: &str| {
        format!("2023-04-05 12:00:{second:02},123{{GMT}}\tINFO\t[jepsen worker 0] {rest}\n")
    };
    let log = [
        line(1, "jepsen.core: Running test"),
        line(2, "jepsen.util: 0\t:invoke\t:write\t1"),
        line(3, "jepsen.util: 0\t:ok\t:write\t1"),
        line(4, "jepsen.util: :nemesis\t:info\t:kill\t{\"n1\" :killed}"),
        line(5, "jepsen.util: 1\t:invoke\t:read\tnil"),
        line(6, "jepsen.util: 1\t:ok\t:read\t1"),
    ]
    .concat();
    expect("new.log", &log, &[], 0, "linearizable (2 operations of register");
    expect("new2.log", &log.replace(":read\t1", ":read\t2"), &[], 1, "(line 5)");
}

#[test]
fn history_txt_is_read() {
    let txt = "0\t:invoke\t:write\t\"a b\"\n0\t:ok\t:write\t\"a b\"\n\
               1\t:invoke\t:read\tnil\n:nemesis\t:info\t:stop\tnil\n1\t:ok\t:read\t\"a b\"\n";
    expect("history.txt", txt, &[], 0, "linearizable (2 operations of register");
    expect("history2.txt", &txt.replace(":ok\t:read\t\"a b\"", ":ok\t:read\t\"a\""), &[], 1, "");
    expect(
        "history3.txt",
        &txt.replace("1\t:ok", "1\tok"),
        &[],
        2,
        "line 5: not a type of an event",
    );
}

const EDN: &str = "; a comment
[{:process 0, :type :invoke, :f :write, :value 1, :time 10, :index 0}
 #jepsen.history.Op{:process 1, :type :invoke, :f :read, :value nil, :time 20}
 {:process :nemesis, :type :info, :f :isolate, :value nil, :time 25}
 {:process 0, :type :ok, :f :write, :value 1, :time 30}
 {:process 1, :type :ok, :f :read, :value nil, :time 40}
 {:process 1, :type :invoke, :f :cas, :value [1 2], :time 50}
 {:process 1, :type :ok, :f :cas, :value [1 2], :time 60}]
";

#[test]
fn history_edn_is_read_in_all_its_shapes() {
    expect("all.edn", EDN, &[], 0, "linearizable (3 operations of register");
    let list = EDN.replace('[', "(").replace(']', ")").replace("(1 2)", "[1 2]");
    expect("list.edn", &list, &[], 0, "linearizable (3 operations");
    let lines = EDN.replace("[{", "{").replace("}]", "}");
    expect("lines.edn", &lines, &[], 0, "linearizable (3 operations");
    let stale = EDN.replace(":value nil, :time 40", ":value 3, :time 40");
    // The times of the file are in the answer.
    expect("stale.edn", &stale, &[], 1, "the return at 40 of client 1's read: 3 (line 3)");
    expect("cut.edn", &EDN.replace("}]", "}"), &[], 2, "line 9: the file ends without the ']'");
    expect("more.edn", &format!("{EDN}\n{{}}"), &[], 2, "line 10: not a history, which has ended");
    expect("broken.edn", &EDN.replace("[1 2], :time 60}", "[1 2"), &[], 2, "line 9: ");
}

#[test]
fn what_is_misspelt_in_edn_is_an_error() {
    let fields = [
        (
            ":process 1, :type :invoke, :f :read",
            ":proces 1, :type :invoke, :f :read",
            "line 3: unknown field `proces`",
        ),
        (
            ":f :write, :value 1, :time 30",
            ":f :write, :vlaue 1, :time 30",
            "line 5: unknown field `vlaue`, did you mean \"value\"?",
        ),
        (":f :write, :value 1, :time 30", ":value 1, :time 30", "line 5: missing field `f`"),
        (
            ":f :write, :value 1, :time 30",
            ":f :write, :f :read, :time 30",
            "line 5: duplicate field",
        ),
        (
            ":type :ok, :f :read",
            ":type :fial, :f :read",
            "line 6: type \"fial\", did you mean \"fail\"?",
        ),
        (
            ":f :cas, :value [1 2], :time 50",
            ":f :caz, :value [1 2], :time 50",
            "line 8: process 1 invoked \"caz\", not \"cas\"",
        ),
    ];
    for (right, wrong, says) in fields {
        expect("misspelt.edn", &EDN.replace(right, wrong), &[], 2, says);
    }
    let caz = EDN.replace(":cas", ":caz");
    let says = "line 7: op \"caz\", did you mean \"cas\"?";
    expect("caz.edn", &caz, &["--model", "register"], 2, says);
    let pair = EDN.replace("[1 2]", "[1 2 3]");
    expect("pair.edn", &pair, &[], 2, "line 7: the argument of cas is [1 2 3]; expected [old new]");
}

#[test]
fn what_failed_did_not_happen_and_what_is_unknown_may_have() {
    let entry = |kind: &str, rest: &str| format!("INFO  jepsen.util - {kind} {rest}\n");
    let log = |entries: &[(&str, &str)]| -> String {
        entries.iter().map(|(kind, rest)| entry(kind, rest)).collect()
    };
    // A write that failed is never read.
    let write =
        log(&[("0 :invoke", ":write 1"), ("0 :fail", ":write 1"), ("1 :invoke", ":read nil")]);
    expect("fail.log", &(write.clone() + &entry("1 :ok", ":read nil")), &[], 0, "(1 operations");
    expect("fail2.log", &(write + &entry("1 :ok", ":read 1")), &[], 1, "");
    // A failed compare-and-set says nothing about the value, unless the log is an old one of etcd.
    let cas = log(&[
        ("0 :invoke", ":write 1"),
        ("0 :ok", ":write 1"),
        ("1 :invoke", ":cas [1 2]"),
        ("1 :fail", ":cas [1 2]"),
        ("2 :invoke", ":read nil"),
        ("2 :ok", ":read 1"),
    ]);
    expect("cas.log", &cas, &[], 0, "(2 operations");
    expect("cas2.log", &cas, &["--failed-cas", "differs"], 1, "(3 operations");
    // What is unknown may come at any later time; its process goes on under another number.
    let late = log(&[
        ("0 :invoke", ":write 1"),
        ("0 :info", ":write :timed-out"),
        ("0 :invoke", ":read nil"),
        ("0 :ok", ":read nil"),
        ("0 :invoke", ":read nil"),
        ("0 :ok", ":read 1"),
    ]);
    expect("info.log", &late, &[], 0, "(3 operations");
    // nil is a value like others.
    let nil = log(&[("0 :invoke", ":cas [nil 1]"), ("0 :ok", ":cas [nil 1]")]);
    expect("nil.log", &nil, &[], 0, "");
    expect("nil2.log", &nil, &["--init", "0"], 1, "");
    let zero = log(&[("0 :invoke", ":read nil"), ("0 :ok", ":read 0")]);
    expect("init.log", &zero, &[], 1, "");
    expect("init2.log", &zero, &["--init", "0"], 0, "");
}

#[test]
fn keys_inside_values_are_independent() {
    let edn = "{:process 0 :type :invoke :f :write :value [:x 1]}
        {:process 1 :type :invoke :f :write :value [:y 2]}
        {:process 0 :type :ok :f :write :value [:x 1]}
        {:process 1 :type :ok :f :write :value [:y 2]}
        {:process 0 :type :invoke :f :read :value [:x nil]}
        {:process 1 :type :invoke :f :cas :value [:y [2 3]]}
        {:process 0 :type :ok :f :read :value [:x 1]}
        {:process 1 :type :ok :f :cas :value [:y [2 3]]}";
    expect("keys.edn", edn, &[], 0, "linearizable (4 operations of register");
    let bad = edn.replace(":ok :f :read :value [:x 1]", ":ok :f :read :value [:x 2]");
    expect("keys2.edn", &bad, &[], 1, ":x: no order up to");
    // Without keys the values are pairs, and there is no compare-and-set of them here.
    expect("keys3.edn", edn, &["--keys", "field"], 1, "");
    let one = edn.replace(":value [:x nil]", ":value nil");
    expect("keys4.edn", &one, &["--keys", "inside"], 2, "line 5: the value nil has no key");
}

/// The key-value logs of the original Porcupine.
#[test]
fn key_value_logs_are_read() {
    let log = "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"a\"}
{:process 0, :type :ok, :f :append, :key \"0\", :value \"a\"}
{:process 1, :type :invoke, :f :get, :key \"0\", :value nil}
{:process 1, :type :ok, :f :get, :key \"0\", :value \"a\"}
{:process 2, :type :invoke, :f :get, :key \"1\", :value nil}
{:process 2, :type :ok, :f :get, :key \"1\", :value \"\"}
";
    expect("kv.txt", log, &[], 0, "linearizable (3 operations of append-kv");
    expect("kv2.txt", &log.replace(":value \"\"", ":value \"b\""), &[], 1, "(line 5)");
}

/// What a run of Jepsen or Maelstrom leaves behind.
#[test]
fn folders_and_results() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("store/latest");
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.display().to_string();
    let results = "{:perf {:valid? true}, :workload {:valid? true}, :valid? true}";
    file("store/latest/results.edn", results);
    let _ = std::fs::remove_file(format!("{folder}/history.edn"));
    let (status, text) = porcupine(&["check", &folder]);
    assert!(text.contains("the folder has none of history.edn"), "{text}");
    assert_eq!(status, 2);
    file("store/latest/history.edn", EDN);
    let (status, text) = porcupine(&["check", &folder]);
    assert!(text.contains("linearizable (3 operations"), "{text}");
    assert_eq!(status, 0);
    let (status, text) = porcupine(&["check", &format!("{folder}/results.edn")]);
    assert!(text.contains("line 1: these are results"), "{text}");
    assert_eq!(status, 2);
}

#[test]
fn what_is_no_history_is_an_error() {
    let mark = "\u{feff}{\"client\":1,\"op\":\"get\",\"key\":\"k\",\"err\":\"ErrNoKey\",\"call\":1,\"return\":2}\n";
    expect("mark.jsonl", mark, &[], 2, "line 1: the file begins with a byte-order mark");
    expect(
        "mark.edn",
        &format!("\u{feff}{EDN}"),
        &[],
        2,
        "line 1: the file begins with a byte-order mark",
    );
    expect("prose.txt", "Dear all,\n", &[], 2, "line 1: begins like no known format");
    // A file of another kind must not pass as a history in which nothing happened.
    expect(
        "other.log",
        "INFO  other - 1 :invoke :read nil\n",
        &["--format", "log"],
        2,
        "nothing to check",
    );
}

/// One sound and one unsound history of each model, as JSON lines.
#[test]
fn json_lines_are_read_for_every_model() {
    // Operation, argument, answer, name of the answer; one after the other, by one client each.
    type Line<'a> = (&'a str, &'a str, &'a str, &'a str);
    let write = |lines: &[Line<'_>]| -> String {
        let line = |(at, (op, value, out, err)): (usize, &Line<'_>)| {
            let (call, end) = (10 * at, 10 * at + 5);
            format!(
                "{{\"client\":1,\"op\":\"{op}\",\"value\":{value},\"out_value\":{out},\
                 \"err\":\"{err}\",\"call\":{call},\"return\":{end}}}\n"
            )
        };
        lines.iter().enumerate().map(line).collect()
    };
    let cases: &[(&str, &[&str], &[Line<'_>], Line<'_>)] = &[
        (
            "register",
            &[],
            &[
                ("write", "\"a\"", "null", ""),
                ("cas", "[\"b\",\"c\"]", "null", "Differs"),
                ("cas", "[\"a\",\"c\"]", "null", "OK"),
                ("write", "\"d\"", "null", "Fail"),
                ("read", "null", "\"c\"", "OK"),
            ],
            ("read", "null", "\"a\"", "OK"),
        ),
        (
            "counter",
            &["--model", "counter", "--init", "2"],
            &[("add", "3", "null", ""), ("read", "null", "5", ""), ("add-and-get", "-5", "0", "")],
            ("read", "null", "1", ""),
        ),
        (
            "set",
            &["--model", "set"],
            &[("add", "1", "null", ""), ("add", "2", "true", ""), ("read", "null", "[2,1]", "")],
            ("contains", "1", "false", ""),
        ),
        (
            "queue",
            &[],
            &[
                ("enqueue", "2", "null", ""),
                ("enqueue", "1", "null", ""),
                ("dequeue", "null", "2", ""),
                ("dequeue", "null", "1", ""),
            ],
            ("dequeue", "null", "3", ""),
        ),
        (
            "priority-queue",
            &[],
            &[
                ("insert", "2", "null", ""),
                ("insert", "1", "null", ""),
                ("min", "null", "1", ""),
                ("remove-min", "null", "1", ""),
                ("remove-min", "null", "2", ""),
                ("remove-min", "null", "null", "Empty"),
            ],
            ("remove-min", "null", "1", ""),
        ),
        (
            "multi-register",
            &["--init", "{\"x\" 0}"],
            &[
                (
                    "txn",
                    "[[\"r\",\"x\",null],[\"w\",\"y\",1]]",
                    "[[\"r\",\"x\",0],[\"w\",\"y\",1]]",
                    "",
                ),
                ("txn", "[[\"r\",\"y\",null]]", "[[\"r\",\"y\",1]]", ""),
            ],
            ("txn", "[[\"r\",\"y\",null]]", "[[\"r\",\"y\",null]]", ""),
        ),
        (
            "list-append",
            &[],
            &[
                (
                    "txn",
                    "[[\"append\",1,10],[\"r\",1,null]]",
                    "[[\"append\",1,10],[\"r\",1,[10]]]",
                    "",
                ),
                (
                    "txn",
                    "[[\"append\",1,20],[\"append\",2,5]]",
                    "[[\"append\",1,20],[\"append\",2,5]]",
                    "",
                ),
                ("txn", "[[\"r\",1,null]]", "[[\"r\",1,[10,20]]]", ""),
            ],
            ("txn", "[[\"r\",1,null]]", "[[\"r\",1,[20,10]]]", ""),
        ),
        (
            "bank",
            &["--init", "{0 10, 1 0}"],
            &[
                ("transfer", "{\"from\":0,\"to\":1,\"amount\":4}", "null", ""),
                ("transfer", "{\"from\":0,\"to\":1,\"amount\":7}", "null", "Refused"),
                ("read", "null", "{\"0\":6,\"1\":4}", ""),
            ],
            ("read", "null", "[10,0]", ""),
        ),
        (
            "mutex",
            &[],
            &[("acquire", "null", "null", ""), ("release", "null", "null", "")],
            ("release", "null", "null", ""),
        ),
        (
            "lock",
            &["--model", "lock"],
            &[("acquire", "null", "null", ""), ("acquire", "7", "null", "Refused")],
            ("release", "7", "null", ""),
        ),
        (
            "reentrant-lock",
            &["--model", "reentrant-lock"],
            &[
                ("acquire", "null", "null", ""),
                ("acquire", "null", "null", ""),
                ("release", "null", "null", ""),
                ("acquire", "9", "null", "Refused"),
            ],
            ("acquire", "9", "null", ""),
        ),
        (
            "lease",
            &[],
            &[
                ("acquire", "null", "1", ""),
                ("renew", "1", "null", ""),
                ("acquire", "null", "2", ""),
                ("release", "1", "null", "Refused"),
            ],
            ("renew", "1", "null", ""),
        ),
    ];
    for (name, arguments, sound, unsound) in cases {
        let says = format!("of {name}");
        expect(&format!("{name}.jsonl"), &write(sound), arguments, 0, &says);
        let unsound = write(&[*sound, &[*unsound]].concat());
        expect(&format!("{name}-bad.jsonl"), &unsound, arguments, 1, &says);
        let unknown = write(sound).replace("\"err\":\"\"", "\"err\":\"Off\"");
        let (status, text) = check(&format!("{name}-err.jsonl"), &unknown, arguments);
        assert!(status == 2 && text.contains("err \"Off\""), "{name}: {text}");
    }
}

/// Objects under keys, and an outcome that nobody knows.
#[test]
fn json_lines_have_keys_and_unknown_outcomes() {
    let lines = r#"{"client":1,"op":"enqueue","key":"a","value":1,"call":1,"return":2}
{"client":1,"op":"enqueue","key":"b","value":2,"err":"Info","call":3,"return":4}
{"client":1,"op":"dequeue","key":"b","out_value":2,"call":5,"return":6}
{"client":1,"op":"dequeue","key":"a","out_value":1,"call":7,"return":8}
"#;
    expect("queues.jsonl", lines, &[], 0, "linearizable (4 operations of queue");
    let bad = lines.replace("\"key\":\"a\",\"out_value\":1", "\"key\":\"a\",\"out_value\":2");
    expect("queues2.jsonl", &bad, &[], 1, "a: no order up to");
    let wrong = lines.replace("out_value", "out_valeu");
    let says = "line 3: unknown field `out_valeu`, did you mean \"out_value\"?";
    expect("queues3.jsonl", &wrong, &[], 2, says);
}
