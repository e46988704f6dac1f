//! The rules of Get and Put, row by row and against a model; the clerk's rule; the course's words.

use kvapi::clerk::put_outcome;
use kvapi::{Clerk, Error, Version, VersionedStore};
use proptest::prelude::*;

/// A store in which key `k` was written `writes` times, last with value `v<writes>`.
fn store_with(writes: u64) -> VersionedStore {
    let mut store = VersionedStore::new();
    for n in 0..writes {
        store.put("k".into(), format!("v{}", n + 1), Version::new(n)).unwrap();
    }
    store
}

#[test]
fn get_of_a_present_key_gives_value_and_version() {
    assert_eq!(store_with(3).get("k"), Ok(("v3".into(), Version::new(3))));
}

#[test]
fn get_of_an_absent_key_is_no_key() {
    assert_eq!(store_with(1).get("other"), Err(Error::NoKey));
}

#[test]
fn put_with_version_zero_creates_version_one() {
    let mut store = VersionedStore::new();
    assert_eq!(store.put("k".into(), "v".into(), Version::ZERO), Ok(()));
    assert_eq!(store.get("k"), Ok(("v".into(), Version::new(1))));
}

#[test]
fn put_with_another_version_does_not_create() {
    for version in [1, 2, u64::MAX] {
        let mut store = VersionedStore::new();
        let outcome = store.put("k".into(), "v".into(), Version::new(version));
        assert_eq!(outcome, Err(Error::NoKey), "version {version}");
        assert!(store.is_empty());
    }
}

#[test]
fn put_with_the_present_version_replaces_and_counts() {
    let mut store = store_with(4);
    assert_eq!(store.put("k".into(), "new".into(), Version::new(4)), Ok(()));
    assert_eq!(store.get("k"), Ok(("new".into(), Version::new(5))));
    assert_eq!(store.len(), 1);
}

#[test]
fn put_with_another_version_than_the_present_one_changes_nothing() {
    for version in [0, 3, 5, u64::MAX] {
        let mut store = store_with(4);
        let outcome = store.put("k".into(), "new".into(), Version::new(version));
        assert_eq!(outcome, Err(Error::Version), "version {version}");
        assert_eq!(store, store_with(4));
    }
}

#[test]
fn a_second_copy_of_a_put_is_refused() {
    let mut store = store_with(2);
    assert_eq!(store.put("k".into(), "x".into(), Version::new(2)), Ok(()));
    assert_eq!(store.put("k".into(), "x".into(), Version::new(2)), Err(Error::Version));
}

#[test]
fn iteration_is_in_key_order() {
    let mut store = VersionedStore::new();
    for key in ["b", "", "ä", "a"] {
        store.put(key.into(), key.to_uppercase(), Version::ZERO).unwrap();
    }
    let seen: Vec<_> = store.iter().collect();
    let one = Version::new(1);
    assert_eq!(seen, [("", "", one), ("a", "A", one), ("b", "B", one), ("ä", "Ä", one)]);
}

#[test]
fn only_a_repeated_puts_version_error_becomes_maybe() {
    let answers = [Ok(())].into_iter().chain(Error::ALL.map(Err));
    for answer in answers {
        assert_eq!(put_outcome(true, answer), answer, "first try");
        let expected = if answer == Err(Error::Version) { Err(Error::Maybe) } else { answer };
        assert_eq!(put_outcome(false, answer), expected, "repetition");
    }
}

#[test]
fn errors_have_the_courses_texts() {
    let texts = ["ErrNoKey", "ErrVersion", "ErrMaybe", "ErrWrongLeader", "ErrWrongGroup"];
    let ours = ["ErrTooLarge", "ErrTimedOut"];
    let all: Vec<&str> = texts.into_iter().chain(ours).collect();
    assert_eq!(Error::ALL.map(|error| error.to_string()).to_vec(), all);
    for error in Error::ALL {
        assert_eq!(error.to_string().parse(), Ok(error));
    }
    assert_eq!(format!("{:>10}", Error::Maybe), "  ErrMaybe");
    let unknown = "OK".parse::<Error>().unwrap_err().to_string();
    assert!(unknown.contains("\"OK\"") && unknown.contains("ErrWrongGroup"), "{unknown}");
}

#[test]
fn a_clerk_can_be_a_trait_object() {
    use labrt::Instant;

    struct Nothing;
    impl Clerk for Nothing {
        fn get_until(&self, _: Instant, _key: &str) -> Result<(String, Version), Error> {
            Err(Error::NoKey)
        }
        fn put_until(&self, _: Instant, _: &str, _: &str, _: Version) -> Result<(), Error> {
            Err(Error::NoKey)
        }
    }
    let clerk: Box<dyn Clerk> = Box::new(Nothing);
    assert_eq!(clerk.get("k"), Err(Error::NoKey));
}

#[test]
fn versions_count_up_from_zero() {
    assert_eq!(Version::default(), Version::ZERO);
    assert_eq!(Version::ZERO.next(), Version::new(1));
    assert_eq!(Version::new(u64::MAX).next().get(), u64::MAX);
    assert_eq!(Version::new(17).to_string(), "17");
}

#[derive(Clone, Debug)]
enum Step {
    Get(usize),
    Put(usize, u8, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3usize).prop_map(Step::Get),
        (0..3usize, any::<u8>(), 0..6u64).prop_map(|(k, v, n)| Step::Put(k, v, n)),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// The model keeps, for each of three keys, all values ever stored: the version is how many.
    #[test]
    fn the_store_follows_the_model(steps in steps()) {
        let mut store = VersionedStore::new();
        let mut model: [Vec<u8>; 3] = Default::default();
        for step in steps {
            match step {
                Step::Get(k) => {
                    let expected = match model[k].last() {
                        Some(value) => Ok((value.to_string(), Version::new(model[k].len() as u64))),
                        None => Err(Error::NoKey),
                    };
                    prop_assert_eq!(store.get(&k.to_string()), expected);
                }
                Step::Put(k, value, version) => {
                    let now = model[k].len() as u64;
                    let expected = if version == now {
                        model[k].push(value);
                        Ok(())
                    } else if now == 0 {
                        Err(Error::NoKey)
                    } else {
                        Err(Error::Version)
                    };
                    let outcome = store.put(k.to_string(), value.to_string(), Version::new(version));
                    prop_assert_eq!(outcome, expected);
                }
            }
        }
        let written = model.iter().filter(|values| !values.is_empty()).count();
        prop_assert_eq!(store.len(), written);

        // A snapshot is the store.
        let snapshot = serde_json::to_vec(&store).unwrap();
        prop_assert_eq!(serde_json::from_slice::<VersionedStore>(&snapshot).unwrap(), store);
    }
}
