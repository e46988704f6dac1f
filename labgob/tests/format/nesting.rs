//! Values nested too deep are an error on both sides, and never a stack overflow.

use labgob::{Error, MAX_DEPTH, decode, encode};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum List {
    End,
    Cons(u8, Box<List>),
}

impl List {
    fn of(length: usize) -> List {
        (0..length).fold(List::End, |list, _| List::Cons(1, Box::new(list)))
    }
}

/// Dropping must not recurse either, or the test would overflow by itself.
impl Drop for List {
    fn drop(&mut self) {
        let mut rest = Vec::new();
        take_rest(self, &mut rest);
        while let Some(mut list) = rest.pop() {
            take_rest(&mut list, &mut rest);
        }
    }
}

fn take_rest(list: &mut List, into: &mut Vec<List>) {
    if let List::Cons(_, next) = list
        && let List::Cons(..) = **next
    {
        into.push(std::mem::replace(&mut **next, List::End));
    }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Tree {
    name: String,
    children: Vec<Tree>,
    extra: Option<(u8, Box<Tree>)>,
}

/// A task of the simulator has a stack of this size, in bytes.
const STACK: usize = 256 << 10;

fn with_small_stack(body: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(body).unwrap().join().unwrap();
}

/// A list's bytes, of any length.
fn list_bytes(length: usize) -> Vec<u8> {
    let mut bytes = encode(&List::End).unwrap()[..4].to_vec();
    bytes.push(253);
    bytes.extend((2 * length as u64 + 1).to_le_bytes());
    bytes.extend([1u8, 1].repeat(length));
    bytes.push(0);
    bytes
}

#[test]
fn the_deepest_value_travels_and_the_next_does_not() {
    with_small_stack(|| {
        let deepest = List::of(MAX_DEPTH - 1);
        let bytes = encode(&deepest).unwrap();
        assert_eq!(decode(&bytes), Ok(deepest));

        assert_eq!(encode(&List::of(MAX_DEPTH)), Err(Error::TooDeep { limit: MAX_DEPTH }));
        assert_eq!(
            decode::<List>(&list_bytes(MAX_DEPTH)),
            Err(Error::TooDeep { limit: MAX_DEPTH })
        );
        assert!(decode::<List>(&list_bytes(MAX_DEPTH - 1)).is_ok());
    });
}

#[test]
fn a_million_levels_are_an_error() {
    with_small_stack(|| {
        assert_eq!(encode(&List::of(1_000_000)), Err(Error::TooDeep { limit: MAX_DEPTH }));
        assert_eq!(
            decode::<List>(&list_bytes(1_000_000)),
            Err(Error::TooDeep { limit: MAX_DEPTH })
        );
    });
}

#[test]
fn deep_trees_fit_the_stack() {
    with_small_stack(|| {
        // Two levels a generation through `children`, three through `extra`.
        let mut tree = Tree::default();
        for n in 0..200 {
            let outer = if n % 2 == 0 {
                Tree { children: vec![tree.clone()], ..Tree::default() }
            } else {
                Tree { extra: Some((1, Box::new(tree.clone()))), ..Tree::default() }
            };
            match encode(&outer) {
                Ok(bytes) => assert_eq!(decode(&bytes), Ok(outer.clone())),
                Err(error) => {
                    assert!(matches!(error, Error::TooDeep { .. }));
                    assert!(n > 40, "generation {n}");
                    return;
                }
            }
            tree = outer;
        }
        panic!("a tree of 200 generations was encoded");
    });
}

/// The deepest value that can be encoded can be decoded, whatever the size of one level in memory.
#[test]
fn the_deepest_value_of_any_size_fits_the_stack() {
    #[derive(Serialize, Deserialize)]
    struct Sized<P> {
        padding: P,
        next: Option<Box<Sized<P>>>,
    }
    #[derive(Serialize, Deserialize)]
    enum Either<P> {
        Leaf(P),
        Node(Box<Either<P>>, P),
    }

    fn deepest<T: Serialize + serde::de::DeserializeOwned + 'static>(
        leaf: fn() -> T,
        wrap: fn(T) -> T,
    ) -> usize {
        // Built and dropped on a large stack, decoded on the small one.
        let large = std::thread::Builder::new().stack_size(64 << 20);
        let (bytes, levels) = large
            .spawn(move || {
                let (mut value, mut bytes, mut levels) = (leaf(), Vec::new(), 0);
                while let Ok(more) = encode(&value) {
                    (bytes, levels) = (more, levels + 1);
                    value = wrap(value);
                }
                (bytes, levels)
            })
            .unwrap()
            .join()
            .unwrap();
        with_small_stack(move || assert!(decode::<T>(&bytes).is_ok()));
        levels
    }

    macro_rules! sizes {
        ($($padding:ty),*) => {
            [$((
                deepest::<Sized<$padding>>(
                    || Sized { padding: <$padding>::default(), next: None },
                    |next| Sized { padding: <$padding>::default(), next: Some(Box::new(next)) },
                ),
                deepest::<Either<$padding>>(
                    || Either::Leaf(<$padding>::default()),
                    |inner| Either::Node(Box::new(inner), <$padding>::default()),
                ),
            )),*]
        };
    }
    type Kilo = [[u64; 16]; 8];
    let levels = sizes![u8, [u64; 8], [u64; 32], Kilo, [Kilo; 4]];
    // A level of `Sized` nests twice, in the struct and in the option.
    assert_eq!(levels[0], (MAX_DEPTH / 2, MAX_DEPTH));
    assert!(levels.iter().all(|(one, other)| *one > 1 && *other > 1), "{levels:?}");
    assert!(levels[4].1 < 12, "large values nest less: {levels:?}");
}
