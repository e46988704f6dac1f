//! Cargo's target folder, below which runs leave their files.

use std::path::{Path, PathBuf};

/// Cargo marks its target folders with this file.
const MARK: &str = "CACHEDIR.TAG";

/// The folder of one run: `target/lab/<test>-<run>`, where `run` is its seed or `threads`.
///
/// The target folder is the one that the running program lies in, else that of
/// `CARGO_TARGET_DIR`, else `target`.
#[must_use]
pub fn folder_of(test: &str, run: &str) -> PathBuf {
    runs_folder().join(format!("{test}-{run}"))
}

/// The folder with the folders of all runs: `target/lab`.
#[must_use]
pub fn runs_folder() -> PathBuf {
    let marked = std::env::current_exe().ok().and_then(|exe| {
        exe.ancestors().find(|folder| folder.join(MARK).is_file()).map(Path::to_path_buf)
    });
    marked
        .or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("target"))
        .join("lab")
}
