//! Where what a failing run leaves behind is put.

use std::path::{Path, PathBuf};

/// Cargo marks its target folders with this file.
const MARK: &str = "CACHEDIR.TAG";

/// The folder of one run: `target/lab/<name>`.
pub(crate) fn folder_of(name: &str) -> PathBuf {
    target_dir().join("lab").join(name)
}

/// Cargo's target folder: the marked one that the running test binary lies in, else what `CARGO_TARGET_DIR` says, else `target`.
fn target_dir() -> PathBuf {
    let marked = std::env::current_exe().ok().and_then(|exe| {
        exe.ancestors().find(|folder| folder.join(MARK).is_file()).map(Path::to_path_buf)
    });
    marked
        .or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("target"))
}
