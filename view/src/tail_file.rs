//! A file of lines that keeps the last ones, however many are written.
//!
//! The end of a run is where it failed, so that is what must survive. Lines go into a file; when it
//! is full it becomes the older half and a new one is begun. At the end the halves are put together
//! again.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct TailFile {
    path: PathBuf,
    out: BufWriter<File>,
    /// Lines of one half.
    half: u64,
    /// Lines in the present half; at most `half`.
    lines: u64,
    /// Lines of halves that were given up.
    dropped: u64,
    /// There is an older half.
    older: bool,
}

impl TailFile {
    /// A new file at `path`, of `half` to twice as many lines; what was there is replaced.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(crate) fn create(path: &Path, half: u64) -> io::Result<TailFile> {
        let out = new_file(path)?;
        let path = path.to_path_buf();
        Ok(TailFile { path, out, half, lines: 0, dropped: 0, older: false })
    }

    /// Adds a line, which ends with a line feed.
    ///
    /// # Errors
    /// When the disk is full, or worse.
    pub(crate) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.lines == self.half {
            self.turn()?;
        }
        self.lines += 1;
        self.out.write_all(line)
    }

    fn turn(&mut self) -> io::Result<()> {
        self.out.flush()?;
        if self.older {
            self.dropped += self.half;
        }
        fs::rename(&self.path, self.older_path())?;
        self.out = new_file(&self.path)?;
        self.older = true;
        self.lines = 0;
        Ok(())
    }

    /// Puts the halves together, with `head(n)` in front if `n` > 0 lines were dropped.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn finish(&mut self, head: impl FnOnce(u64) -> Vec<u8>) -> io::Result<()> {
        self.out.flush()?;
        if !self.older {
            return Ok(());
        }
        let whole_path = self.path.with_extension("whole");
        let mut whole = new_file(&whole_path)?;
        if self.dropped > 0 {
            whole.write_all(&head(self.dropped))?;
        }
        for part in [self.older_path(), self.path.clone()] {
            io::copy(&mut File::open(part)?, &mut whole)?;
        }
        whole.flush()?;
        fs::rename(whole_path, &self.path)?;
        fs::remove_file(self.older_path())?;
        // Whoever still writes begins a file of its own, which nobody sees.
        self.older = false;
        Ok(())
    }

    fn older_path(&self) -> PathBuf {
        self.path.with_extension("older")
    }
}

fn new_file(path: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(1 << 16, File::create(path)?))
}

#[cfg(test)]
mod tests {
    use super::TailFile;

    fn write(name: &str, half: u64, lines: u64) -> String {
        let folder = std::env::temp_dir().join(format!("tail_file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        let mut file = TailFile::create(&path, half).unwrap();
        for number in 0..lines {
            file.write_line(format!("{number}\n").as_bytes()).unwrap();
        }
        file.finish(|dropped| format!("{dropped} dropped\n").into()).unwrap();
        assert!(!path.with_extension("older").exists() && !path.with_extension("whole").exists());
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_last_lines_are_kept_in_order() {
        assert_eq!(write("short.txt", 3, 3), "0\n1\n2\n");
        assert_eq!(write("two-halves.txt", 3, 6), "0\n1\n2\n3\n4\n5\n");
        assert_eq!(write("cut.txt", 3, 7), "3 dropped\n3\n4\n5\n6\n");
        assert_eq!(write("long.txt", 3, 14), "9 dropped\n9\n10\n11\n12\n13\n");
    }
}
