# The commands of the labs. `make help` lists them.
#
# Tests run in the simulation, under one fixed seed each, unless told otherwise:
#   SEED=17            another seed
#   SEEDS=100          that many seeds, from SEED (or 1) on, in parallel
#   BACKEND=threads    OS threads and the wall clock
#   TEST=name          only tests whose name contains this

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c

export LAB_SEED := $(SEED)
export LAB_SEEDS := $(SEEDS)
export LAB_BACKEND := $(BACKEND)

# Real time cannot be shared: on threads, tests run one after the other.
ONE_BY_ONE := $(if $(filter threads,$(BACKEND)),--test-threads=1)

# $(call lab,packages and targets,filter): the course's lines and one line of summary.
lab = LAB_REPEAT='make $@ TEST={test} $(if $(filter threads,$(BACKEND)),BACKEND=threads,SEED={seed})' cargo test $(1) -- $(if $(TEST),$(TEST),$(2) $(ALSO)) --nocapture $(ONE_BY_ONE) | awk -f scripts/summary.awk

CRATES := labgob labrt kvapi labrpc porcupine raft-core raft raftcheck rsm kvsrv kvraft shardkv tester lab bank

# $(call lab_command,subcommand,arguments): the command behind sweeps and replays. $(call given,option,value): nothing without a value.
lab_command = cargo run --quiet -p lab -- $(1) $(2)
given = $(if $(2),$(1) '$(2)')
WHICH = $(call given,--lab,$(LAB)) $(call given,--test,$(TEST)) $(call given,--profile,$(PROFILE))

.PHONY: help test test-2 test-3a test-3b test-3c test-3d test-4a test-4b test-4c test-5a test-5b test-5c test-kv3a test-kv3b test-kvlimit1 test-nemesis check fmt clippy doc deny bench sweep merge replay log determinism
.PHONY: $(addprefix test-,$(CRATES))

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9%-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  make test-<crate>      all tests of one crate: $(CRATES)"
	@echo "Each takes SEED=n, SEEDS=n, BACKEND=threads and TEST=name."

test: ## all tests of all crates
	@$(call lab,--workspace --exclude benches,)

test-2: ## single key/value server and lock
	@$(call lab,-p kvsrv --tests,_2)
test-3a: ## Raft: leader election
	@$(call lab,-p raft --test lab,_3a)
test-3b: ## Raft: log replication
	@$(call lab,-p raft --test lab,_3b)
test-3c: ## Raft: persistence
	@$(call lab,-p raft --test lab,_3c)
test-3d: ## Raft: snapshots
	@$(call lab,-p raft --test lab,_3d)
test-4a: ## replicated state machine
	@$(call lab,-p rsm --test lab,_4a)
test-4b: ## key/value service without snapshots
	@$(call lab,-p kvraft --test lab,_4b)
test-4c: ## key/value service and state machine with snapshots
	@$(call lab,-p rsm -p kvraft --test lab,_4c)

test-5a: ## sharded key/value service: groups join and leave
	@$(call lab,-p shardkv --test lab,_5a)
test-5b: ## sharded service: groups that are down, controllers that die
	@$(call lab,-p shardkv --test lab,_5b)
test-5c: ## sharded service: several controllers
	@$(call lab,-p shardkv --test lab,_5c)
test-kv3a: ## Put/Append/Get service of 2018 to 2021, without snapshots
	@$(call lab,-p kvraft --test lab,_kv3a)
test-kv3b: ## the same with snapshots
	@$(call lab,-p kvraft --test lab,_kv3b)
# One test of 3B takes as long as all of 3A: asked for together, both parts run as one and share the processors.
ifeq ($(words $(sort $(filter test-kv3a test-kv3b,$(MAKECMDGOALS)))),2)
test-kv3a: ALSO := _kv3b
test-kv3b: test-kv3a
test-kv3b: private lab := true
endif
test-kvlimit1: ## 3A with maxraftstate 1: a snapshot after every command
	@$(call lab,-p kvraft --test lab,_kvlimit1)

test-nemesis: ## Raft and the services under faults drawn from the seed, then healed
	@$(call lab,-p raft -p kvraft -p shardkv --test lab,nemesis)

$(addprefix test-,$(CRATES)): test-%:
	@$(call lab,-p $*,)

# LAB=4c, 3a-4c or all; SEEDS=1000; FIRST=1; JOBS=n; MINUTES=n; PART=2/8; JSON=file; BACKEND=threads; PROFILE=soak
sweep: ## LAB=4c SEEDS=1000: tests x seeds in parallel, failures by cause (docs/TESTING.md)
	@$(call lab_command,sweep,$(WHICH) $(call given,--seeds,$(SEEDS)) $(call given,--first,$(or $(FIRST),$(SEED))) $(call given,--jobs,$(JOBS)) \
	  $(call given,--minutes,$(MINUTES)) $(call given,--part,$(PART)) $(call given,--json,$(JSON)) $(call given,--backend,$(BACKEND)))

merge: ## REPORTS="a.json b.json": add up the reports of sweeps
	@$(call lab_command,merge,$(REPORTS) $(call given,--json,$(JSON)))

replay: ## LAB=4c TEST=name SEED=n, or SCHEDULE=file: one run again, with everything written to target/lab
	@$(call lab_command,replay,$(WHICH) $(call given,--seed,$(SEED)) $(call given,--expect,$(EXPECT)) $(call given,--schedule,$(SCHEDULE)))

# TOPICS=election,append,snapshot,rpc,kv,fault NODES=S0,S2 FROM=1.2 TO=1.7 (seconds)
log: ## LAB=4c TEST=name SEED=n, or FILE=trace.jsonl: the trace of a run in columns, one a node
	@$(call lab_command,log,$(WHICH) $(call given,--seed,$(SEED)) $(call given,--file,$(FILE)) $(call given,--topics,$(TOPICS)) \
	  $(call given,--nodes,$(NODES)) $(call given,--from,$(FROM)) $(call given,--to,$(TO)) $(call given,--width,$(WIDTH)))

# PROFILE=plain OTHER_PROFILE=release compares builds, too.
determinism: ## each test twice a seed, event by event, and once in another process; LAB=3a-4c SEEDS=3
	@$(call lab_command,determinism,--lab '$(or $(LAB),3a-4c)' --seeds '$(or $(SEEDS),3)' $(call given,--test,$(TEST)) $(call given,--profile,$(PROFILE)) \
	  $(call given,--first,$(or $(FIRST),$(SEED))) $(call given,--jobs,$(JOBS)) $(call given,--other-profile,$(OTHER_PROFILE)))

check: fmt clippy doc deny test ## what must pass before a landing: format, lints, docs, licences, tests

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

bench: ## benchmarks of the hot paths (benches/README.md)
	cargo bench -p benches
