//! CRC-32 of bytes in pieces, without reading a piece twice.
//!
//! A CRC is the remainder of the bytes, taken as a polynomial, by a fixed polynomial P. To put a piece `b` behind `a` shifts `a` up by
//! the length of `b`, which for the remainder is one multiplication: `crc(a b) = crc(a) · x^(8·|b|) + crc(b)  (mod P)`. A snapshot
//! shares most of its parts with the one before, so of most only the remainder and the power are needed, which the part keeps.

use labrt::{Part, Pieces};

/// P without its highest term. As everywhere in this CRC, the highest bit belongs to the lowest power.
const P: u32 = 0xEDB8_8320;
/// The polynomial 1.
const ONE: u32 = 1 << 31;
/// The polynomial x.
const X: u32 = 1 << 30;

/// The checksum of all bytes, however they are cut: the same as that of the whole.
pub(super) fn checksum(data: &Pieces) -> u32 {
    match data.parts() {
        [] => 0,
        // The first part is mostly new, and needs no power: nothing stands before it.
        [Part::Piece(first), rest @ ..] => rest.iter().fold(crc32fast::hash(first), join),
        parts => parts.iter().fold(0, join),
    }
}

/// The checksum of what `crc` is of and this part.
fn join(crc: u32, part: &Part) -> u32 {
    let noted = Noted::of_part(part);
    times(crc, noted.power) ^ noted.crc
}

/// What bytes do to the checksum of what stands before them.
struct Noted {
    crc: u32,
    /// x to the number of their bits.
    power: u32,
}

impl Noted {
    fn of(data: &Pieces) -> Noted {
        Noted::from_number(data.note(|parts| {
            let sum = parts.iter().fold(Noted { crc: 0, power: ONE }, |before, part| Noted {
                crc: join(before.crc, part),
                power: times(before.power, Noted::of_part(part).power),
            });
            sum.to_number()
        }))
    }

    fn of_part(part: &Part) -> Noted {
        match part {
            Part::Pieces(pieces) => Noted::of(pieces),
            Part::Piece(piece) => Noted::from_number(piece.note(|bytes| {
                let crc = crc32fast::hash(bytes);
                Noted { crc, power: shift(bytes.len()) }.to_number()
            })),
        }
    }

    fn to_number(&self) -> u64 {
        (u64::from(self.power) << 32) | u64::from(self.crc)
    }

    fn from_number(number: u64) -> Noted {
        Noted { crc: number as u32, power: (number >> 32) as u32 }
    }
}

/// The product modulo P.
const fn times(a: u32, mut b: u32) -> u32 {
    let (mut product, mut power) = (0, 32);
    while power > 0 {
        power -= 1;
        product ^= b & ((a >> power) & 1).wrapping_neg();
        b = (b >> 1) ^ (P & (b & 1).wrapping_neg());
    }
    product
}

/// x to the number of bits in 1, 2, 4, 8, … bytes.
const SHIFTS: [u32; 64] = {
    let (mut shifts, mut square, mut at) = ([ONE; 64], X, 0);
    while at < 3 + 64 {
        if at >= 3 {
            shifts[at - 3] = square;
        }
        square = times(square, square);
        at += 1;
    }
    shifts
};

/// x to the number of bits in this many bytes.
fn shift(bytes: usize) -> u32 {
    let is_set = |at: &usize| bytes >> at & 1 == 1;
    (0..usize::BITS as usize).filter(is_set).fold(ONE, |power, at| times(power, SHIFTS[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_do_not_change_it() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for len in [0, 1, 2, 100, bytes.len()] {
            let bytes = &bytes[..len];
            let whole = crc32fast::hash(bytes);
            assert_eq!(checksum(&Pieces::from(bytes)), whole);
            for cut in [1, 3, 64, 4096] {
                let parts: Vec<Part> =
                    bytes.chunks(cut).map(|chunk| Part::from(chunk.to_vec())).collect();
                let pieces = Pieces::from(parts.clone());
                assert_eq!(checksum(&pieces), whole, "{len} bytes by {cut}");
                let halves = parts.split_at(parts.len() / 2);
                let nested = vec![
                    Part::Pieces(halves.0.to_vec().into()),
                    Part::Pieces(Pieces::default()),
                    Part::Pieces(halves.1.to_vec().into()),
                ];
                assert_eq!(checksum(&nested.into()), whole, "{len} bytes by {cut}, nested");
            }
        }
    }
}
