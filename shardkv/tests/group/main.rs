//! What a group does with shard requests that come twice, late, or from controllers that were
//! overtaken. The machine alone, no network.

use kvapi::{Error, GetArgs, PutArgs, Version};
use rsm::{Request as _, Snapshot as _};
use shardkv::group::Machine;
use shardkv::messages::{
    CHUNK_BYTES, Chunk, CopyArgs, DeleteArgs, FreezeArgs, InstallArgs, ThawArgs,
};
use shardkv::{ConfigNum, ShardId};

const KEY: &str = "k";

/// A group, asked about the shard of [`KEY`].
struct Group(Machine);

impl Group {
    /// A group that was given the shard, without keys, by configuration 1.
    fn first() -> Group {
        let mut group = Group::new();
        assert_eq!(group.install(&Chunk::empty(), 1), Ok(()));
        group
    }

    fn new() -> Group {
        Group(Machine::new())
    }

    fn put(&mut self, value: &str, version: u64) -> Result<(), Error> {
        let (key, value) = (KEY.to_owned(), value.to_owned());
        PutArgs { key, value, version: Version::new(version) }.execute(&mut self.0)
    }

    fn get(&mut self) -> Result<(String, Version), Error> {
        GetArgs { key: KEY.to_owned() }.execute(&mut self.0)
    }

    /// Freezes the shard, and hands out its data, which is little.
    fn freeze(&mut self, num: u64) -> Result<Chunk, Error> {
        let (shard, num) = (ShardId::of_key(KEY), ConfigNum::new(num));
        FreezeArgs { shard, num }.execute(&mut self.0)?;
        let args = CopyArgs { shard, num, number: 0, after: None };
        Ok(self.0.chunk(&args).expect("the shard is frozen"))
    }

    fn thaw(&mut self, num: u64) -> Result<(), Error> {
        let (shard, num) = (ShardId::of_key(KEY), ConfigNum::new(num));
        ThawArgs { shard, num }.execute(&mut self.0)
    }

    fn install(&mut self, chunk: &Chunk, num: u64) -> Result<(), Error> {
        let (shard, num, chunk) = (ShardId::of_key(KEY), ConfigNum::new(num), chunk.clone());
        InstallArgs { shard, chunk, num }.execute(&mut self.0)
    }

    fn delete(&mut self, num: u64) -> Result<(), Error> {
        let (shard, num) = (ShardId::of_key(KEY), ConfigNum::new(num));
        DeleteArgs { shard, num }.execute(&mut self.0)
    }
}

fn value(value: &str, version: u64) -> Result<(String, Version), Error> {
    Ok((value.to_owned(), Version::new(version)))
}

const REFUSED: Result<(), Error> = Err(Error::WrongGroup);

/// There and back again: the key, its value and its version move, and at most one group serves
/// them.
#[test]
fn a_shard_moves_and_comes_back() {
    let (mut one, mut two) = (Group::first(), Group::new());
    assert_eq!(two.get(), Err(Error::WrongGroup), "a group begins without shards");
    assert_eq!(one.put("a", 0), Ok(()));
    let state = one.freeze(2).unwrap();
    assert_eq!((one.get(), one.put("b", 1)), (Err(Error::WrongGroup), REFUSED));
    assert_eq!(two.install(&state, 2), Ok(()));
    assert_eq!((two.get(), two.put("b", 1)), (value("a", 1), Ok(())));
    assert_eq!(one.delete(2), Ok(()));
    assert_eq!((one.0.data_bytes(), one.get()), (0, Err(Error::WrongGroup)));
    let state = two.freeze(3).unwrap();
    assert_eq!(one.install(&state, 3), Ok(()));
    assert_eq!(one.get(), value("b", 2));
}

/// A request that comes again with its number does no harm.
#[test]
fn repeated_requests() {
    let (mut one, mut two) = (Group::first(), Group::new());
    assert_eq!(one.put("a", 0), Ok(()));
    let state = one.freeze(2).unwrap();
    assert_eq!(one.freeze(2), Ok(state.clone()), "the same data");
    assert_eq!(two.install(&state, 2), Ok(()));
    assert_eq!(two.put("b", 1), Ok(()));
    assert_eq!(two.install(&state, 2), Ok(()));
    assert_eq!(two.get(), value("b", 2), "newer writes stay");
    assert_eq!((one.delete(2), one.delete(2)), (Ok(()), Ok(())));
    assert_eq!(
        one.freeze(2),
        Err(Error::WrongGroup),
        "what was deleted is not handed out as empty"
    );
}

/// A request with an old number changes nothing and is refused.
#[test]
fn late_requests() {
    let (mut one, mut two) = (Group::first(), Group::new());
    assert_eq!(one.put("a", 0), Ok(()));
    let old = one.freeze(2).unwrap();
    assert_eq!(two.install(&old, 2), Ok(()));
    assert_eq!(
        two.freeze(2),
        Err(Error::WrongGroup),
        "configuration 2 gave it, and does not take it"
    );
    assert_eq!(two.delete(2), REFUSED, "a shard that serves is not deleted");
    assert_eq!(two.put("b", 1), Ok(()));
    let new = two.freeze(3).unwrap();
    assert_eq!(one.install(&new, 3), Ok(()), "over the frozen copy, whose Delete is late");
    // From here on, everything of configuration 2 comes once more.
    assert_eq!(one.freeze(2), Err(Error::WrongGroup));
    assert_eq!(one.delete(2), REFUSED);
    assert_eq!(two.install(&old, 2), REFUSED);
    assert_eq!(one.get(), value("b", 2));
    assert_eq!(two.get(), Err(Error::WrongGroup));
}

/// A copy that was left behind goes with a later Delete, but not with an earlier one.
#[test]
fn a_copy_left_behind() {
    let mut one = Group::first();
    assert_eq!(one.put("a", 0), Ok(()));
    one.freeze(5).unwrap();
    assert_eq!(one.delete(4), REFUSED);
    assert_eq!(one.0.data_bytes(), 2);
    assert_eq!(one.delete(7), Ok(()));
    assert_eq!(one.0.data_bytes(), 0);
}

/// Snapshots keep who serves what, and its numbers; what is no snapshot is refused.
#[test]
fn snapshots() {
    let mut one = Group::first();
    assert_eq!(one.put("a", 0), Ok(()));
    let state = one.freeze(2).unwrap();
    let mut restored = Group::first();
    restored.0.restore(&one.0.snapshot()).unwrap();
    assert_eq!(restored.get(), Err(Error::WrongGroup));
    assert_eq!(restored.freeze(2), Ok(state));
    assert_eq!(restored.0.snapshot(), one.0.snapshot());
    assert!(restored.0.restore(b"no snapshot").is_err());
}

/// A large shard moves in chunks, each of which may come twice, but not before its turn; it is
/// served when the last one has come.
#[test]
fn a_large_shard_moves_in_chunks() {
    let (mut one, mut two) = (Group::first(), Group::new());
    let shard = ShardId::of_key(KEY);
    let keys: Vec<String> = (0..)
        .map(|i| format!("k{i}"))
        .filter(|key| ShardId::of_key(key) == shard)
        .take(7)
        .collect();
    for key in &keys {
        let value = "v".repeat(CHUNK_BYTES / 2);
        let put = PutArgs { key: key.clone(), value, version: Version::ZERO };
        assert_eq!(put.execute(&mut one.0), Ok(()));
    }
    let mut chunks = vec![one.freeze(2).unwrap()];
    while let Some(last) = chunks.last().filter(|last| !last.is_last) {
        let after = last.entries.last().map(|(key, ..)| key.clone());
        let (number, num) = (chunks.len() as u64, ConfigNum::new(2));
        chunks.push(one.0.chunk(&CopyArgs { shard, num, number, after }).unwrap());
    }
    assert_eq!(chunks.len(), 4, "two keys in each, and one in the last");
    assert_eq!(two.install(&chunks[1], 2), REFUSED, "before its turn");
    for chunk in &chunks {
        assert_eq!(two.get(), Err(Error::WrongGroup), "not yet all there");
        assert_eq!(two.install(chunk, 2), Ok(()));
        assert_eq!(two.install(chunk, 2), Ok(()), "once more");
        let restored = &mut Group::new();
        restored.0.restore(&two.0.snapshot()).unwrap();
        two = Group(std::mem::take(&mut restored.0));
    }
    assert_eq!(two.0.data_bytes(), one.0.data_bytes());
    for key in keys {
        assert_eq!(GetArgs { key }.execute(&mut two.0).unwrap().1, Version::new(1));
    }
}

/// A change that is withdrawn gives the shard back; its late requests find their number passed.
#[test]
fn a_withdrawn_change_gives_the_shard_back() {
    let mut one = Group::first();
    assert_eq!(one.put("a", 0), Ok(()));
    one.freeze(2).unwrap();
    assert_eq!((one.thaw(3), one.thaw(3)), (Ok(()), Ok(())));
    assert_eq!(one.put("b", 1), Ok(()));
    assert_eq!(one.freeze(2), Err(Error::WrongGroup), "late");
    assert_eq!(one.get(), value("b", 2));
    assert_eq!(one.thaw(2), REFUSED);
    assert_eq!(Group::new().thaw(3), REFUSED, "nothing to give back");
}

/// A key in a shard that is not its own comes from no sequence of requests: such a state is not
/// restored.
#[test]
fn a_stray_key_is_not_restored() {
    let stray =
        (0..).map(|i| format!("k{i}")).find(|key| ShardId::of_key(key) != ShardId::of_key(KEY));
    let stray = stray.unwrap();
    let mut one = Group::new();
    let entries = vec![(stray.clone(), "v".to_owned(), Version::new(1))];
    assert_eq!(one.install(&Chunk { number: 0, entries, is_last: true }, 1), Ok(()));
    let error = Group::new().0.restore(&one.0.snapshot()).unwrap_err();
    assert!(error.reason.contains(&stray), "{error}");
}
