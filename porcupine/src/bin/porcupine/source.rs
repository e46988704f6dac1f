//! Files as streams, and how far reading is.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

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

/// How gzip files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Opens a file, or standard input for `-`, to read by lines; unpacked if it begins as gzip files do.
pub(crate) fn open(file: &Path, progress: &Progress) -> Result<Box<dyn BufRead>> {
    let bytes: Box<dyn Read> = if file == Path::new("-") {
        Box::new(stdin())
    } else {
        Box::new(File::open(file).context("cannot open it")?)
    };
    let mut bytes = BufReader::with_capacity(1 << 16, progress.0.wrap_read(bytes));
    Ok(if bytes.fill_buf().context("cannot read it")?.starts_with(&GZIP) {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(bytes)))
    } else {
        Box::new(bytes)
    })
}
