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
    // No bound in time here: the machine may be busy with other tests. A person who wants the figure sees it.
    let frames: Vec<f64> =
        data(&dom, "frames").split(' ').map(|frame| frame.parse().unwrap()).collect();
    let [half, most, slowest] = frames[..] else { panic!("{frames:?}") };
    println!(
        "{} operations, {} bytes: half of 60 frames within {half} ms, 9 of 10 within {most} ms, the slowest {slowest} ms",
        history.len(),
        page.len()
    );
}
