//! A page after its scripts ran. Tests of other crates that look at pages include this file.

use std::path::Path;
use std::process::Command;

/// The page, and what the console said. `None` without a browser.
///
/// A browser that dies or hands out nothing has said nothing about the page, so it is started
/// again, twice at most.
pub(crate) fn browse(name: &str, page: &str, fragment: &str) -> Option<(String, String)> {
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, page).expect("it can be written");
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-profile"));
    let mut failures = String::new();
    for _ in 0..3 {
        let output = Command::new(&browser)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-sync"])
            .args(["--disable-component-update", "--window-size=1400,800"])
            .args(["--virtual-time-budget=4000", "--enable-logging=stderr", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("file://{}#{}", path.display(), fragment.replace(' ', "%20")))
            .output();
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                eprintln!("SKIPPED: cannot run {browser:?} ({error}); install Debian's chromium");
                return None;
            }
        };
        let dom = String::from_utf8_lossy(&output.stdout).into_owned();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        let loaded = dom.trim_end().ends_with("</html>") && dom.contains("<script");
        if output.status.success() && loaded {
            let console: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
            return Some((dom, console.join("\n")));
        }
        failures += &format!("{}, {} bytes of page\n{log}\n", output.status, dom.len());
        let _ = std::fs::remove_dir_all(&profile);
    }
    panic!("{browser} did not load {}:\n{failures}", path.display());
}

/// The value of `data-name` on the body.
pub(crate) fn data<'a>(dom: &'a str, name: &str) -> &'a str {
    let start = dom.find(&format!("data-{name}=\"")).unwrap_or_else(|| panic!("no data-{name}"));
    dom[start..].split('"').nth(1).expect("a quoted value")
}
