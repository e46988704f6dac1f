//! `PART=2/8`: the part of a sweep that one of several machines runs.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Part `number` of `of`, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    pub number: u64,
    pub of: u64,
}

impl Share {
    /// Its seeds of the `count` from `first` on, as the first and the one after the last. The parts
    /// are neighbours, together they are all seeds, and their sizes differ by at most one.
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
            .ok_or_else(|| "must be like 2/8, from 1/8 to 8/8".to_owned())
    }
}
