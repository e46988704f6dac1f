//! `PART=2/8`: the share of a sweep that one of several machines does.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Part `number` of `of`, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    pub number: u64,
    pub of: u64,
}

impl Share {
    /// Its seeds of the `count` from `first` on, as the first and the one after the last. The shares are neighbours, none is larger than
    /// another by more than one seed, and together they are all seeds.
    pub fn seeds(self, first: u64, count: u64) -> (u64, u64) {
        let bound = |part: u64| {
            let offset = u128::from(count) * u128::from(part) / u128::from(self.of);
            first + u64::try_from(offset).expect("not more than count")
        };
        (bound(self.number - 1), bound(self.number))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let parsed = text.split_once('/').and_then(|(number, of)| {
            Some(Share { number: number.trim().parse().ok()?, of: of.trim().parse().ok()? })
        });
        parsed
            .filter(|share| (1..=share.of).contains(&share.number))
            .ok_or_else(|| format!("PART must be like 2/8, from 1/8 to 8/8, not {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_a_partition() {
        for (first, count, of) in [(1, 1000, 8), (5, 7, 3), (1, 3, 8), (0, u64::MAX, 7)] {
            let mut next = first;
            for number in 1..=of {
                let (from, to) = Share { number, of }.seeds(first, count);
                assert_eq!(from, next);
                assert!((count / of..=count / of + 1).contains(&(to - from)));
                next = to;
            }
            assert_eq!(next, first + count);
        }
    }

    #[test]
    fn parsing() {
        assert_eq!("2/8".parse(), Ok(Share { number: 2, of: 8 }));
        for bad in ["0/8", "9/8", "2", "a/b", "1/0", ""] {
            assert!(bad.parse::<Share>().unwrap_err().contains("like 2/8"), "{bad}");
        }
    }
}
