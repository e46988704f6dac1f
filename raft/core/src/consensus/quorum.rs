//! Majorities (§5.2, §5.3).

use crate::types::Index;

/// How many servers are a majority of so many. Any two majorities share a server, which is what
/// every safety argument of the paper rests on.
pub(super) fn majority(servers: u32) -> usize {
    servers as usize / 2 + 1
}

/// The highest index that a majority of the servers has, given the last index that each is known
/// to have, the leader included.
///
/// Counted without sorting, as groups are small and this runs on every answer.
pub(super) fn replicated_on_majority(matched: impl Iterator<Item = Index> + Clone) -> Index {
    let servers = matched.clone().count() as u32;
    matched
        .clone()
        .filter(|&index| matched.clone().filter(|&m| m >= index).count() >= majority(servers))
        .max()
        .unwrap_or(Index::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_majority(matched: &[u64]) -> u64 {
        replicated_on_majority(matched.iter().map(|&n| Index::new(n))).get()
    }

    /// The middle value of an odd group, the lower middle of an even one.
    #[test]
    fn the_majority_index_is_the_median() {
        assert_eq!(on_majority(&[7]), 7);
        assert_eq!(on_majority(&[7, 3]), 3);
        assert_eq!(on_majority(&[7, 0, 5]), 5);
        assert_eq!(on_majority(&[9, 2, 8, 1]), 2);
        assert_eq!(on_majority(&[9, 2, 8, 1, 5]), 5);
        assert_eq!(on_majority(&[4, 4, 4, 0, 0]), 4);
    }

    #[test]
    fn two_majorities_share_a_server() {
        for servers in 1..=9 {
            assert!(2 * majority(servers) > servers as usize);
        }
    }
}
