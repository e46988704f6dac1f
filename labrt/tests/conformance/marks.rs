//! Counting places in the code.

use crate::on_both;

labrt::marks! {
    enum Mark in "test" {
        Often = "reached often",
        Once = "reached once",
        Never = "never reached",
    }
}

#[test]
fn marks_are_counted_by_whoever_reaches_them() {
    Mark::declare();
    on_both(|| {
        let before = labrt::mark::counts();
        let tasks: Vec<_> = (0..3).map(|_| labrt::spawn(|| Mark::Often.reach())).collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        Mark::Once.reach();
        let after = labrt::mark::counts();
        let reached = |mark: Mark| after[mark.text()] - before[mark.text()];
        assert_eq!(Mark::ALL.iter().map(|mark| reached(*mark)).collect::<Vec<_>>(), [3, 1, 0]);
        if labrt::is_simulated() {
            assert_eq!(before["test: reached often"], 0, "a run starts from nothing");
        }
    });
}
