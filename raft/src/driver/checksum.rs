//! CRC-32 of bytes in pieces, without reading a piece twice.
//!
//! A CRC is the remainder of the bytes, taken as a polynomial, by a fixed polynomial P. To put a piece `b` behind `a` shifts `a` up by
//! the length of `b`, which for the remainder is one multiplication: `crc(a b) = crc(a) · x^(8·|b|) + crc(b)  (mod P)`. A snapshot
//! shares most of its pieces with the one before, so of most only the remainder and the power are needed, which the piece keeps.

use labrt::Pieces;

/// P without its highest term. As everywhere in this CRC, the highest bit belongs to the lowest power.
const P: u32 = 0xEDB8_8320;
/// The polynomial 1.
const ONE: u32 = 1 << 31;
/// The polynomial x.
const X: u32 = 1 << 30;

/// The checksum of all bytes, however they are cut: the same as that of the whole.
pub(super) fn checksum(data: &Pieces) -> u32 {
    data.iter().fold(0, |sum, piece| {
        let noted = piece.note(|bytes| {
            let power = power_of_x(8 * bytes.len() as u64);
            (u64::from(power) << 32) | u64::from(crc32fast::hash(bytes))
        });
        let (power, crc) = ((noted >> 32) as u32, noted as u32);
        times(sum, power) ^ crc
    })
}

/// The product modulo P.
fn times(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    for power in (0..32).rev() {
        product ^= b & ((a >> power) & 1).wrapping_neg();
        b = (b >> 1) ^ (P & (b & 1).wrapping_neg());
    }
    product
}

/// x to this power, modulo P.
fn power_of_x(mut power: u64) -> u32 {
    let (mut result, mut square) = (ONE, X);
    while power > 0 {
        if power & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use labrt::Piece;

    use super::*;

    #[test]
    fn cuts_do_not_change_it() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for len in [0, 1, 2, 100, bytes.len()] {
            let bytes = &bytes[..len];
            let whole = crc32fast::hash(bytes);
            assert_eq!(checksum(&Pieces::from(bytes)), whole);
            for cut in [1, 3, 64, 4096] {
                let pieces: Vec<Arc<Piece>> =
                    bytes.chunks(cut).map(|chunk| Arc::new(Piece::from(chunk.to_vec()))).collect();
                assert_eq!(checksum(&pieces.into()), whole, "{len} bytes by {cut}");
            }
        }
    }
}
