//! Every relative link in the documents of the workspace leads to a file, and to a heading in it.
//! The test stands beside that of `docs/FIGURE2.md`, in the crate that compiles fastest.

use std::path::{Path, PathBuf};

/// All Markdown files below a folder, without build output and hidden folders.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The lines that are not in a code block.
fn text(document: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    document.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The targets of `[text](target)`.
fn links(document: &str) -> Vec<&str> {
    let parts = text(document).flat_map(|line| line.split("](").skip(1));
    parts.filter_map(|part| part.split_once(')')).map(|(target, _)| target).collect()
}

/// The name that web pages give a heading: `## Where is …` is `where-is-`.
fn anchors(document: &str) -> Vec<String> {
    let headings = text(document).filter(|line| line.starts_with('#'));
    let plain = |line: &str| {
        let letters = line.trim_start_matches('#').trim().to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(plain).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    documents(&root, &mut found);
    assert!(found.len() > 15, "only {} documents found", found.len());
    let mut broken = Vec::new();
    for path in found {
        let document = std::fs::read_to_string(&path).expect("a document is text");
        for link in links(&document) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = path.parent().expect("a folder");
            let target = if file.is_empty() { path.clone() } else { folder.join(file) };
            let missing = if !target.exists() {
                true
            } else if anchor.is_empty() || target.is_dir() {
                false
            } else {
                let there = std::fs::read_to_string(&target).expect("a link into a document");
                !anchors(&there).iter().any(|name| name == anchor)
            };
            if missing {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}
