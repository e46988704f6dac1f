//! Files as streams, and how far reading is.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use porcupine::formats::unpack;

/// A line on the terminal, if there is one, that says what is going on. Appears only when it takes
/// long enough to be read.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(file: &Path) -> Progress {
        let size = std::fs::metadata(file).map_or(0, |data| data.len());
        let bar = ProgressBar::new(size).with_message(format!("reading {}", file.display()));
        if let Ok(style) = ProgressStyle::with_template("{msg} {bytes}/{total_bytes} {wide_bar}") {
            bar.set_style(style);
        }
        Progress(bar)
    }

    pub(crate) fn checking(&self, operations: usize) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            self.0.set_style(style);
        }
        self.0.set_message(format!("checking {operations} operations"));
        self.0.enable_steady_tick(std::time::Duration::from_millis(200));
    }

    pub(crate) fn done(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}

/// Opens a file, or standard input for `-`, unpacked.
pub(crate) fn open(file: &Path, progress: &Progress) -> Result<Box<dyn BufRead>> {
    let bytes: Box<dyn Read> = if file == Path::new("-") {
        Box::new(stdin())
    } else {
        Box::new(File::open(file).context("cannot open it")?)
    };
    let bytes = BufReader::with_capacity(1 << 16, progress.0.wrap_read(bytes));
    unpack(bytes).context("cannot read it")
}

/// The files of a test's folder that have the history, the best first.
const IN_FOLDER: [&str; 5] =
    ["history.edn", "history.edn.gz", "history.txt", "history.txt.gz", "jepsen.log"];

/// The file to read: of a folder, as Jepsen and Maelstrom leave behind, the history in it.
pub(crate) fn history_file(file: &Path) -> Result<PathBuf> {
    if !file.is_dir() {
        return Ok(file.to_owned());
    }
    match IN_FOLDER.iter().map(|name| file.join(name)).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("the folder has none of {}", IN_FOLDER.join(", ")),
    }
}

/// Whether two paths lead to one file, whatever they are called.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let (Ok(a), Ok(b)) = (std::fs::metadata(one), std::fs::metadata(other)) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = (a, b);
        matches!((one.canonicalize(), other.canonicalize()), (Ok(a), Ok(b)) if a == b)
    }
}
