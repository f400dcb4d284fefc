# `make help` lists the targets.

PG_CONFIG ?= pg_config
# The tests run against Debian's Postgres 15.
TEST_PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config

CLIPPY = cargo clippy --quiet --all-targets
# cargo-pgrx copies with sudo where the current user may not write to Postgres' folders.
NEEDS_SUDO = $$(test -w "$$($(1) --pkglibdir)" -a -w "$$($(1) --sharedir)/extension" || echo --sudo)
install_into = cd pg_ext && cargo pgrx install --release --pg-config "$(1)" $(call NEEDS_SUDO,$(1))

.DEFAULT_GOAL := help
.NOTPARALLEL:

.PHONY: help
help: ## What there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 20

.PHONY: install
install: ## Build the extension and install it into the Postgres of PG_CONFIG (default: pg_config)
	$(call install_into,$(PG_CONFIG))

.PHONY: test
test: setup lint test-core test-postgres ## Everything that a change must pass; installs what is missing first

.PHONY: test-long
test-long: setup install-for-tests ## The differential test over 100,000 operations
	PG_CONFIG=$(TEST_PG_CONFIG) MESSAGE_STORE_OPERATIONS=100000 cargo test -p message-store-tests --test differential -- --nocapture

.PHONY: bench
bench: setup install-for-tests ## Speed beside genuine Message DB; BENCH="write hash" picks workloads
	PG_CONFIG=$(TEST_PG_CONFIG) cargo run --quiet -p message-store-tests --bin bench -- $(BENCH)

.PHONY: lint
lint: ## Formatting and clippy, each crate by itself: their features must not mix
	cargo fmt --all --check
	$(CLIPPY) -p message-store-core -- -D warnings
	$(CLIPPY) -p message_store -- -D warnings
	$(CLIPPY) -p message_store --features pg_test -- -D warnings
	$(CLIPPY) -p message-store-sqlite -- -D warnings
	$(CLIPPY) -p message-store-tests -- -D warnings

.PHONY: setup
setup: ## Install what the tests need and this machine lacks
	tests/setup.sh

.PHONY: test-core
test-core: ## The rules that both engines share
	cargo test --quiet -p message-store-core

.PHONY: test-postgres
test-postgres: install-for-tests ## The extension beside genuine Message DB, then its own tests inside the server
	PG_CONFIG=$(TEST_PG_CONFIG) cargo test --quiet -p message-store-tests
	cd pg_ext && cargo pgrx test pg15

.PHONY: install-for-tests
install-for-tests:
	$(call install_into,$(TEST_PG_CONFIG))
