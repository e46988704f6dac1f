//! What must hold of a value that clients have appended elements to.

use crate::fatal;

/// What client `client` appends as its `number`th: `x 3 17 y`.
pub fn element(client: usize, number: usize) -> String {
    format!("x {client} {number} y")
}

/// Fails unless the first `count` elements of the client are in the value, each once, in order.
/// Further ones do not count.
#[track_caller]
pub fn check_appends(client: usize, value: &str, count: usize) {
    // One pass over the value: finding each element from the start would take time quadratic in its
    // length.
    let mut next = 0;
    for number in elements_of(client, value) {
        if number >= count {
            continue;
        }
        if number < next {
            fatal!("duplicate element {:?} in Append result", element(client, number));
        }
        if number > next {
            fatal!("missing element {:?} in Append result", element(client, next));
        }
        next += 1;
    }
    if next < count {
        fatal!("missing element {:?} in Append result", element(client, next));
    }
}

/// The same for several clients whose elements share one value: `counts[i]` are those of client
/// `i`.
#[track_caller]
pub fn check_concurrent_appends(value: &str, counts: &[usize]) {
    for (client, &count) in counts.iter().enumerate() {
        check_appends(client, value, count);
    }
}

/// The numbers of the client's elements, in the order of the value.
fn elements_of(client: usize, value: &str) -> impl Iterator<Item = usize> + '_ {
    let start = format!("x {client} ");
    value.split('y').filter_map(move |element| element.strip_prefix(&start)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(value: &str, count: usize) -> bool {
        std::panic::catch_unwind(|| check_appends(1, value, count)).is_ok()
    }

    #[test]
    fn elements_must_be_there_once_and_in_order() {
        assert!(passes("", 0));
        assert!(passes("x 0 0 yx 1 0 yx 11 1 yx 1 1 y", 2));
        assert!(passes("x 1 0 yx 1 1 yx 1 2 yx 1 2 y", 2), "beyond the count nothing is checked");
        assert!(!passes("x 1 0 y", 2));
        assert!(!passes("x 1 0 yx 1 1 yx 1 1 y", 2));
        assert!(!passes("x 1 1 yx 1 0 y", 2));
        assert!(!passes("x 1 1 y", 2));
    }
}
