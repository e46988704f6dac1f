//! What a group does with shard requests that come twice, late, or from controllers that were overtaken. The machine alone, no
//! network.

use kvapi::{Error, Version, VersionedStore};
use rsm::StateMachine as _;
use shardkv::group::{Machine, Reply, Request};
use shardkv::messages::{DeleteArgs, FreezeArgs, InstallArgs};
use shardkv::{ConfigNum, Gid, ShardId};

const KEY: &str = "k";

/// A group, asked about the shard of [`KEY`].
struct Group(Machine);

impl Group {
    fn new(gid: u64) -> Group {
        Group(Machine::new(Gid::new(gid)))
    }

    fn put(&mut self, value: &str, version: u64) -> Result<(), Error> {
        let (key, value) = (KEY.to_owned(), value.to_owned());
        let request = Request::Put { key, value, version: Version::new(version) };
        let Reply::Put(outcome) = self.0.do_op(request) else { panic!("not a Put's reply") };
        outcome
    }

    fn get(&mut self) -> Result<(String, Version), Error> {
        let request = Request::Get { key: KEY.to_owned() };
        let Reply::Get(outcome) = self.0.do_op(request) else { panic!("not a Get's reply") };
        outcome
    }

    fn freeze(&mut self, num: u64) -> Result<VersionedStore, Error> {
        let (shard, num) = (ShardId::of_key(KEY), ConfigNum::new(num));
        let reply = self.0.do_op(Request::Freeze(FreezeArgs { shard, num }));
        let Reply::Freeze(outcome) = reply else { panic!("not a Freeze's reply") };
        outcome
    }

    fn install(&mut self, state: &VersionedStore, num: u64) -> Result<(), Error> {
        let (shard, num, state) = (ShardId::of_key(KEY), ConfigNum::new(num), state.clone());
        self.shard(Request::Install(InstallArgs { shard, state, num }))
    }

    fn delete(&mut self, num: u64) -> Result<(), Error> {
        let (shard, num) = (ShardId::of_key(KEY), ConfigNum::new(num));
        self.shard(Request::Delete(DeleteArgs { shard, num }))
    }

    fn shard(&mut self, request: Request) -> Result<(), Error> {
        let Reply::Shard(outcome) = self.0.do_op(request) else { panic!("not a shard's reply") };
        outcome
    }
}

fn value(value: &str, version: u64) -> Result<(String, Version), Error> {
    Ok((value.to_owned(), Version::new(version)))
}

const REFUSED: Result<(), Error> = Err(Error::WrongGroup);

/// There and back again: the key, its value and its version move, and at most one group serves them.
#[test]
fn a_shard_moves_and_comes_back() {
    let (mut one, mut two) = (Group::new(1), Group::new(2));
    assert_eq!(two.get(), Err(Error::WrongGroup), "only the first group begins with shards");
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
    let (mut one, mut two) = (Group::new(1), Group::new(2));
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
    let (mut one, mut two) = (Group::new(1), Group::new(2));
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
    let mut one = Group::new(1);
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
    let mut one = Group::new(1);
    assert_eq!(one.put("a", 0), Ok(()));
    let state = one.freeze(2).unwrap();
    let mut restored = Group::new(1);
    restored.0.restore(&one.0.snapshot()).unwrap();
    assert_eq!(restored.get(), Err(Error::WrongGroup));
    assert_eq!(restored.freeze(2), Ok(state));
    assert_eq!(restored.0.snapshot(), one.0.snapshot());
    assert!(restored.0.restore(b"no snapshot").is_err());
}
