//! Who listens to a run gets its events, on both back ends, and the run does not notice.

use std::sync::Arc;
use std::time::Duration;

use labrt::events::{self, Level, Log, Parts, Record, Sink, listen};
use parking_lot::Mutex;

use crate::on_both;

#[derive(Default)]
struct Lines(Mutex<Vec<(String, String)>>);

impl Sink for Lines {
    fn record(&self, record: &Record) {
        self.0.lock().push((record.about().to_owned(), record.event.to_string()));
    }

    fn parts(&self) -> Parts {
        Parts::LOG
    }
}

fn line(text: &str) -> Log {
    let (level, target) = (Level::Info, "test".into());
    Log { level, target, text: text.to_owned(), fields: Default::default() }
}

/// Emits from a task, a task of that task, and a timer callback.
fn emit_everywhere() {
    let node = labrt::Node::new("server");
    events::emit_about(&node, || line("about another node"));
    let task = node.spawn("task", || {
        events::emit(|| line("task"));
        labrt::spawn(|| events::emit(|| line("task of a task"))).join().unwrap();
    });
    task.join().unwrap();
    let (done, called) = labrt::oneshot::channel();
    labrt::after(Duration::from_millis(1), move || {
        events::emit(|| line("callback"));
        let _ = done.send(());
    });
    called.recv().unwrap();
}

#[test]
fn a_sink_is_inherited() {
    on_both(inherited);
}

fn inherited() {
    let lines = Arc::new(Lines::default());
    let listening = listen(lines.clone());
    emit_everywhere();
    drop(listening);
    emit_everywhere(); // nobody listens any more
    let heard: Vec<(String, String)> = lines.0.lock().clone();
    let texts: Vec<&str> = heard.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["about another node", "task", "task of a task", "callback"]);
    assert!(heard[..3].iter().all(|(node, _)| node == "server"), "{heard:?}");
}

#[test]
fn events_that_nobody_wants_are_not_made() {
    on_both(unwanted);
}

fn unwanted() {
    let listening = listen(Arc::new(Lines::default()));
    events::emit(|| -> events::Mark { unreachable!("nobody wants marks") });
    drop(listening);
    events::emit(|| -> Log { unreachable!("nobody listens") });
}

#[test]
fn listening_does_not_change_a_run() {
    let run = |listens: bool| {
        let config = labrt::sim::Config::new(7);
        let run = labrt::sim::run(config, move || {
            let lines = Arc::new(Lines::default());
            let _listening = listens.then(|| listen(lines.clone()));
            emit_everywhere();
            lines.0.lock().len()
        });
        (run.result.unwrap(), run.report.trace_hash)
    };
    let ((none, quiet), (some, heard)) = (run(false), run(true));
    assert_eq!((none, some), (0, 4));
    assert_eq!(quiet, heard);
}
