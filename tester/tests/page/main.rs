//! The page of a failing run in a real browser. `view/tests/page` has the tests of the page itself.
//!
//! Needs Chromium (`chromium`, or what `CHROMIUM` names); says so and passes where there is none.

#[path = "../../../porcupine/tests/picture/browser.rs"]
mod browser;
#[path = "../kit/service.rs"]
#[expect(dead_code, reason = "another test uses the rest")]
mod service;

use std::path::PathBuf;

use browser::{browse, data};
use runner::{Settings, TestId, TestOptions};
use tester::kv::KvHarness;

use service::{Flaw, KvClerk, kv_cluster};

/// From a failing test to a page with the contradiction marked.
#[test]
fn a_failing_run_has_a_page() {
    let mut settings = Settings::default();
    settings.seed = Some(1);
    let test = TestId::new("page_of_a_failure", "tester");
    let judgement = runner::judge(&test, &TestOptions::default(), &settings, || {
        let cluster = kv_cluster(true, Flaw::StaleVersions);
        let harness = KvHarness::new(cluster.clone(), KvClerk::new, false);
        cluster.begin("Test: a wrong version");
        let clerk = harness.make_clerk();
        for i in 0..20 {
            harness.put(&clerk, "k", &i.to_string(), kvapi::Version::new(i)).unwrap();
            harness.get(&clerk, "k").unwrap();
        }
        harness.cleanup();
    });
    let line = judgement.text.lines().find_map(|line| line.trim().strip_prefix("page: "));
    let path = PathBuf::from(line.unwrap_or_else(|| panic!("no page in\n{}", judgement.text)));
    assert!(path.ends_with("lab/page_of_a_failure-1/run.html"));
    let page = std::fs::read_to_string(path).unwrap();
    let Some((dom, console)) = browse("failing.html", &page, "") else { return };
    assert_eq!(console, "");
    assert_eq!((data(&dom, "ops"), data(&dom, "calls")), ("40", "40"));
    assert!(data(&dom, "marked").parse::<usize>().unwrap() > 0);
    assert!(data(&dom, "selected").starts_with("op"), "{}", data(&dom, "selected"));
}
