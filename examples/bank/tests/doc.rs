//! docs/your-own-service.md shows this folder as it is.

use std::path::Path;

/// The blocks of the page whose lead is the name of a file, such as `` `src/lib.rs`: ``.
fn files_on_the_page(page: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut lines = page.lines();
    let mut lead = None;
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            match lead.take() {
                Some(name) => files.push((name, block.join("\n") + "\n")),
                None => assert_eq!(language, "console", "a block of no file: {}", block[0]),
            }
        } else if !line.is_empty() {
            lead =
                line.strip_prefix('`').and_then(|rest| rest.strip_suffix("`:")).map(str::to_owned);
        }
    }
    files
}

/// Names of the dependencies in a manifest, in order.
fn dependencies(manifest: &str) -> Vec<&str> {
    let tables = manifest.split("\n[").filter(|table| {
        table.starts_with("dependencies]") || table.starts_with("dev-dependencies]")
    });
    let lines = tables.flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| {
            line.split([' ', '.']).next().filter(|name| !name.is_empty() && *name != "#")
        })
        .collect()
}

#[test]
fn the_page_shows_these_files() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &Path| {
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let page = read(&here.join("../../docs/your-own-service.md"));
    let shown = files_on_the_page(&page);
    for (name, text) in &shown {
        let file = read(&here.join(name));
        if name == "Cargo.toml" {
            assert_eq!(dependencies(text), dependencies(&file), "dependencies");
        } else {
            assert!(*text == file, "{name} is not what the page shows; copy it there");
        }
    }
    let mut names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let all =
        ["Cargo.toml", "src/lib.rs", "src/machine.rs", "tests/bank/main.rs", "tests/bank/model.rs"];
    assert_eq!(names, all);
}
