//! The page in a real browser: it draws, marks, answers clicks, and the console stays empty.
//!
//! Needs Chromium (`chromium`, or what `CHROMIUM` names); says so and passes where there is none.

mod browser;

use browser::{browse, data};
use porcupine::models::versioned_kv::{Input, Output, VersionedKv};
use porcupine::{
    Annotation, Operation, Options, PictureOptions, check_operations_verbose, explain, picture,
};

/// One key, three clients, a stale get at the end.
fn stale() -> Vec<Operation<Input, Output>> {
    vec![
        Operation::new(1, 0, Input::put("k", "x", 0), 1_000, Output::Done),
        Operation::new(2, 2_000, Input::put("k", "y", 1), 3_000, Output::Done),
        Operation::new(3, 500, Input::get("k"), 1_500, Output::NoKey).with_meta("</script><b>"),
        Operation::pending(4, 2_500, Input::put("k", "z", 2)),
        Operation::new(1, 4_000, Input::get("k"), 5_000, Output::value("x", 1)),
        Operation::new(2, 4_000, Input::get("l"), 4_500, Output::NoKey),
    ]
}

fn page(history: &[Operation<Input, Output>], annotations: &[Annotation]) -> String {
    let options = Options::default();
    let report = check_operations_verbose(&VersionedKv, history, &options).unwrap();
    let found = explain(&VersionedKv, history, &options).unwrap();
    picture(
        &VersionedKv,
        history,
        &report,
        &PictureOptions {
            title: "a <test>",
            annotations,
            marked: found.as_ref().map_or(&[], |found| &found.operations),
            text: found.as_ref().map_or("", |found| &found.text),
        },
    )
}

#[test]
fn the_page_renders_and_marks_what_is_illegal() {
    let notes = [
        Annotation::interval("nemesis", 1_200, 2_200, "partition").spanning().with_color("teal"),
        Annotation::point("checks", 3_500, "leader?").with_details("S1 says yes"),
    ];
    let Some((dom, console)) = browse("stale.html", &page(&stale(), &notes), "") else { return };
    assert_eq!(console, "");
    assert!(!dom.contains("data-error"), "{dom}");
    assert_eq!(data(&dom, "rendered"), "6");
    assert_eq!(data(&dom, "illegal"), "1");
    assert!(dom.contains("not linearizable"));
    assert!(dom.contains("a &lt;test&gt;"));
    assert!(dom.contains("contradict each other, whatever the others did"));
    // A tag for each kind of annotation, to be hidden.
    assert!(dom.contains(" nemesis") && dom.contains(" checks"));
}

#[test]
fn a_click_shows_details() {
    let Some((dom, console)) = browse("click.html", &page(&stale(), &[]), "click=4") else {
        return;
    };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "selected"), "4");
    assert!(dom.contains("get('k') -&gt; ('x', '1', 'OK')"), "{dom}");
    assert!(dom.contains("VIOLATION"));
    assert!(dom.contains("client 1   entry 4   part k"));
    // The times as they are in the history, beside those of the axis.
    assert!(dom.contains("[4000, 5000]"), "{dom}");
    // Another one, with its place in the order and the states around it.
    let Some((dom, _)) = browse("click2.html", &page(&stale(), &[]), "click=1") else { return };
    assert!(dom.contains("found 'x' at version 1, left 'y' at version 2"), "{dom}");
}

/// Two clients take turns, so that no operation overlaps another.
fn turns(operations: usize) -> Vec<Operation<Input, Output>> {
    let put = |at: usize| Input::put("k", &format!("value-{at}"), at as u64);
    (0..operations)
        .map(|at| {
            let call = 1_000_000 * at as u64;
            Operation::new(at as i64 % 2, call, put(at), call + 3, Output::Done)
        })
        .collect()
}

/// By events every text has room, however short the operations are; by time it has not.
#[test]
fn texts_are_not_cut_off_on_the_axis_by_events() {
    let page = page(&turns(60), &[]);
    let Some((dom, console)) = browse("events.html", &page, "") else { return };
    assert_eq!(console, "");
    assert!(!dom.contains("data-error"), "{dom}");
    assert_eq!(data(&dom, "cut"), "0");
    assert!(data(&dom, "rendered").parse::<usize>().unwrap() >= 4);
    let Some((dom, _)) = browse("events2.html", &page, "axis=time") else { return };
    assert!(data(&dom, "cut").parse::<usize>().unwrap() > 10, "{}", data(&dom, "cut"));
}

#[test]
fn pointing_at_an_operation_shows_its_states() {
    let Some((dom, console)) = browse("hover.html", &page(&stale(), &[]), "hover=1") else {
        return;
    };
    assert_eq!(console, "");
    let tip = &dom[dom.find("id=\"tip\"").unwrap()..dom.find("id=\"left\"").unwrap()];
    assert!(tip.contains("found 'x' at version 1, left 'y' at version 2"), "{tip}");
}

/// What contradicts each other lies far apart: a button leads from one to the other.
#[test]
fn steps_lead_to_what_is_marked_and_not_on_the_screen() {
    let mut history = turns(200);
    history.push(Operation::new(7, 0, Input::put("m", "x", 0), 1, Output::Done));
    history.push(Operation::new(7, 2, Input::put("m", "y", 1), 3, Output::Done));
    let stale = Output::value("x", 1);
    history.push(Operation::new(7, 500_000_000, Input::get("m"), 500_000_001, stale));
    let page = page(&history, &[]);
    let Some((dom, console)) = browse("steps.html", &page, "") else { return };
    assert_eq!(console, "");
    let steps = |dom: &str| -> Vec<usize> {
        data(dom, "steps").split(' ').map(|count| count.parse().unwrap()).collect()
    };
    // The violation is on the screen; the write that contradicts it is to the left.
    assert_eq!(data(&dom, "illegal"), "1");
    assert_eq!(steps(&dom)[..2], [1, 0], "{}", data(&dom, "steps"));
    let Some((dom, _)) = browse("steps2.html", &page, "step") else { return };
    assert_eq!(steps(&dom)[..2], [0, 1], "{}", data(&dom, "steps"));
    assert_ne!(data(&dom, "selected"), "");
}

/// Each partition under its name, and folded only its name.
#[test]
fn partitions_fold() {
    let page = page(&stale(), &[]);
    let Some((dom, console)) = browse("fold.html", &page, "") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "lanes"), "7"); // k and 4 clients, l and 1
    let Some((dom, _)) = browse("fold2.html", &page, "fold") else { return };
    assert_eq!(data(&dom, "lanes"), "2");
    assert_eq!(data(&dom, "rendered"), "6");
    // With many lanes what is linearizable is folded at first.
    let mut many = stale();
    for at in 0..50 {
        let key = Input::get(&format!("key-{at}"));
        many.push(Operation::new(100 + at, 10, key, 20, Output::NoKey));
    }
    let Some((dom, _)) = browse("fold3.html", &self::page(&many, &[]), "") else { return };
    assert_eq!(data(&dom, "lanes"), "56"); // 52 names and the 4 clients of k
}

#[test]
fn only_what_is_there_is_offered() {
    let button = |dom: &str, id: &str| {
        let start = dom.find(&format!("id=\"{id}\"")).unwrap();
        dom[start..].split('>').next().unwrap().to_owned()
    };
    let Some((dom, _)) = browse("sound.html", &page(&turns(3), &[]), "") else { return };
    for id in ["jump", "why", "folds"] {
        assert!(button(&dom, id).contains("display: none"), "{id}: {}", button(&dom, id));
    }
    let Some((dom, _)) = browse("unsound.html", &page(&stale(), &[]), "") else { return };
    for id in ["jump", "why", "folds"] {
        assert!(!button(&dom, id).contains("display: none"), "{id}: {}", button(&dom, id));
    }
}

#[test]
fn an_empty_history_has_a_page() {
    let Some((dom, console)) = browse("empty.html", &page(&[], &[]), "") else { return };
    assert_eq!(console, "");
    assert_eq!(data(&dom, "rendered"), "0");
}

/// Twenty thousand operations: a small page, which draws them and says how long that takes.
#[test]
fn a_long_history_stays_small_and_smooth() {
    let mut history = Vec::new();
    for round in 0..1_000u64 {
        for client in 0..20 {
            let at = round * 1_000_000 + client as u64 * 1_000;
            let (input, output) = match client {
                0 => (Input::put("key", "some value", round), Output::Done),
                1 => (Input::put("key", "other value", round), Output::Maybe),
                _ => (Input::get("key"), Output::value("some value", round + 1)),
            };
            history.push(Operation::new(client, at, input, at + 900_000, output));
        }
    }
    history[15_000].returned.as_mut().unwrap().output = Output::value("nobody wrote this", 700);
    let page = page(&history, &[]);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    let Some((dom, console)) = browse("long.html", &page, "frames=60") else { return };
    assert_eq!(console, "");
    // All but the rows below the edge of the window.
    let rendered: usize = data(&dom, "rendered").parse().unwrap();
    assert!(rendered >= 10_000, "{rendered} drawn");
    assert_eq!(data(&dom, "illegal"), "1");
    // No bound in time here: the machine may be busy with other tests. A person who wants the
    // figure sees it.
    let frames: Vec<f64> =
        data(&dom, "frames").split(' ').map(|frame| frame.parse().unwrap()).collect();
    let [half, most, slowest] = frames[..] else { panic!("{frames:?}") };
    println!(
        "{} operations, {} bytes: half of 60 frames within {half} ms, 9 of 10 within {most} ms, the slowest {slowest} ms",
        history.len(),
        page.len()
    );
}
