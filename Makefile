# The commands of the labs: thin wrappers around `cargo lab`. `make help` lists them.

# $(call quote,text): the text as one word for the shell. $(call given,option,value): the option,
# or nothing without a value.
quote = '$(subst ','\'',$(1))'
given = $(if $(2),--$(1) $(call quote,$(2)))
lab = cargo run --quiet --package lab -- $(1)

# Wrong values are found here, before anything is built.
nodigits = $(subst 0,,$(subst 1,,$(subst 2,,$(subst 3,,$(subst 4,,$(subst 5,,$(subst 6,,$(subst 7,,$(subst 8,,$(subst 9,,$(1)))))))))))
number = $(if $(call nodigits,$($(1))),$(error $(1) must be a whole number, not "$($(1))"))
$(call number,SEED)$(call number,SEEDS)$(call number,FIRST)$(call number,JOBS)
ifneq ($(filter 0 00 000,$(SEEDS)),)
$(error SEEDS must be at least 1, not $(SEEDS))
endif
ifneq ($(filter-out sim threads,$(BACKEND)),)
$(error BACKEND must be sim or threads, not "$(BACKEND)")
endif

PARTS := 2 3a 3b 3c 3d 4a 4b 4c 5a 5b 5c kv3a kv3b kvlimit1 nemesis
CRATES := labgob labrt events kvapi labrpc porcupine-checker raft-core raft raftcheck rsm kvsrv kvraft shardkv view runner tester lab bank
TEST_OPTIONS = $(call given,test,$(TEST)) $(call given,seed,$(SEED)) $(call given,seeds,$(SEEDS)) \
  $(call given,backend,$(BACKEND)) $(call given,profile,$(PROFILE))
WHICH = $(call given,lab,$(LAB)) $(call given,test,$(TEST)) $(call given,profile,$(PROFILE))

define HELP
Tests; each takes SEED=n, SEEDS=n, BACKEND=threads and TEST=name
  make test            all tests of all crates
  make test-2          single key/value server and lock
  make test-3a         Raft: leader election
  make test-3b         Raft: log replication
  make test-3c         Raft: persistence
  make test-3d         Raft: snapshots
  make test-4a         replicated state machine
  make test-4b         key/value service without snapshots
  make test-4c         key/value service and state machine with snapshots
  make test-5a         sharded key/value service: groups join and leave
  make test-5b         sharded service: groups that are down, controllers that die
  make test-5c         sharded service: several controllers
  make test-kv3a       Put/Append/Get service of 2018 to 2021, without snapshots
  make test-kv3b       the same with snapshots
  make test-kvlimit1   3A with maxraftstate 1: a snapshot after every command
  make test-nemesis    Raft and the services under faults generated from the seed, then healed
  make test-<crate>    all tests of one crate: $(CRATES)
Runs (docs/TESTING.md)
  make sweep           LAB=4c SEEDS=1000: tests x seeds in parallel, failures by cause
  make merge           REPORTS="a.json b.json": add up the reports of sweeps
  make replay          LAB=4c TEST=name SEED=n, or SCHEDULE=file: one run again, everything written
  make log             LAB=4c TEST=name SEED=n, or FILE=trace.jsonl: a run in columns, one a node
  make determinism     each test twice a seed, event by event, and once in another process
The tree
  make check           format, lints, docs, licences, tests: what must pass before a landing
  make bench           benchmarks of the hot paths (benches/README.md)
endef

.PHONY: help test check fmt clippy doc deny bench sweep merge replay log determinism
.PHONY: $(addprefix test-,$(PARTS) $(CRATES))

help:
	@:$(info $(HELP))

test:
	@$(call lab,test $(TEST_OPTIONS))

# One test of kv3b takes as long as all of kv3a: asked for together, the two run as one part and
# share the processors.
ifeq ($(words $(sort $(filter test-kv3a test-kv3b,$(MAKECMDGOALS)))),2)
test-kv3a:
	@$(call lab,test kv3a$(comma)kv3b $(TEST_OPTIONS))
test-kv3b: test-kv3a ;
PARTS := $(filter-out kv3a kv3b,$(PARTS))
endif
comma := ,

$(addprefix test-,$(PARTS) $(CRATES)): test-%:
	@$(call lab,test $* $(TEST_OPTIONS))

test-%:
	$(error there is no part or crate "$*": take one of $(PARTS), or of $(CRATES))

# FIRST=1; JOBS=n; MINUTES=n; PART=2/8; JSON=file; BACKEND=threads; PROFILE=soak
sweep:
	@$(call lab,sweep $(WHICH) $(call given,seeds,$(SEEDS)) \
	  $(call given,first,$(or $(FIRST),$(SEED))) $(call given,jobs,$(JOBS)) \
	  $(call given,minutes,$(MINUTES)) $(call given,part,$(PART)) $(call given,json,$(JSON)) \
	  $(call given,backend,$(BACKEND)))

merge:
	@$(call lab,merge $(REPORTS) $(call given,json,$(JSON)))

replay:
	@$(call lab,replay $(WHICH) $(call given,seed,$(SEED)) $(call given,expect,$(EXPECT)) \
	  $(call given,schedule,$(SCHEDULE)))

# TOPICS=election,append,snapshot,rpc,kv,fault NODES=S0,S2 FROM=1.2 TO=1.7 (seconds)
log:
	@$(call lab,log $(WHICH) $(call given,seed,$(SEED)) $(call given,file,$(FILE)) \
	  $(call given,topics,$(TOPICS)) $(call given,nodes,$(NODES)) $(call given,from,$(FROM)) \
	  $(call given,to,$(TO)) $(call given,width,$(WIDTH)))

# PROFILE=plain OTHER_PROFILE=release compares builds, too.
determinism:
	@$(call lab,determinism --lab $(call quote,$(or $(LAB),3a-4c)) --seeds $(or $(SEEDS),3) \
	  $(call given,test,$(TEST)) $(call given,profile,$(PROFILE)) \
	  $(call given,first,$(or $(FIRST),$(SEED))) $(call given,jobs,$(JOBS)) \
	  $(call given,other-profile,$(OTHER_PROFILE)))

check: fmt clippy doc deny test

fmt:
	cargo fmt --all --check

clippy:
	cargo clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# deny.toml has the rules.
deny:
	@if command -v cargo-deny >/dev/null; then cargo deny check licenses bans sources; \
	else echo "cargo-deny is not installed: licences, bans and sources are not checked"; fi

bench:
	cargo bench -p benches
