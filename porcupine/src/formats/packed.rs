//! Packed files: gzip and zstd, recognised by how they begin.

use std::io::{self, BufRead, BufReader, Read};

/// How gzip files begin.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How zstd files begin.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The unpacked bytes of `from`: unpacked if it begins as gzip or zstd files do, else as it is.
///
/// # Errors
///
/// When the first bytes cannot be read. What is damaged later shows while reading.
pub fn unpack<'a>(mut from: impl BufRead + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let beginning = from.fill_buf()?;
    Ok(if beginning.starts_with(&GZIP) {
        Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(from)))
    } else if beginning.starts_with(&ZSTD) {
        Box::new(BufReader::with_capacity(1 << 16, Frames { rest: Some(from), frame: None }))
    } else {
        Box::new(from)
    })
}

type Frame<R> = ruzstd::decoding::StreamingDecoder<R, ruzstd::decoding::FrameDecoder>;

/// The frames of a zstd file, one after the other.
struct Frames<R: BufRead> {
    rest: Option<R>,
    frame: Option<Frame<R>>,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(frame) = &mut self.frame {
                let read = frame.read(into)?;
                if read > 0 {
                    return Ok(read);
                }
                self.rest = self.frame.take().map(Frame::into_inner);
            }
            let Some(mut rest) = self.rest.take() else { return Ok(0) };
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = Frame::new(rest).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::unpack;

    fn unpacked(bytes: &[u8]) -> std::io::Result<String> {
        let mut text = String::new();
        unpack(bytes)?.read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn all_ways_to_pack_are_unpacked() {
        let text = "a history\n".repeat(10_000);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(
            text.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        for bytes in [text.clone().into_bytes(), gzip.finish().unwrap(), zstd.clone()] {
            assert!(unpacked(&bytes).unwrap() == text);
        }
        // Packed in pieces, as by several programs into one file.
        assert!(unpacked(&[zstd.clone(), zstd.clone()].concat()).unwrap() == text.repeat(2));
        // Cut off.
        assert!(unpacked(&zstd[..zstd.len() / 2]).is_err());
    }
}
