#!/usr/bin/env bash
# The SQLite suites, through real hosts: Debian's python3, the sqlite3 shell, Node's better-sqlite3, a Rust program.
#
#   tests/sqlite/run.sh          what a change must pass
#   tests/sqlite/run.sh long     2,000 cycles, 50 kills, 120 power cuts of each kind, 2,000 broken files,
#                                statistics of 5,000,000 messages, and the suites of one process under valgrind
#
# Needs Rust, cc, /usr/bin/python3, sqlite3, and for Node node, npm, node's headers and a C++ compiler; without those
# the Node suite says so and is left out, which MESSAGE_STORE_REQUIRE_ALL makes a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
repository=$(cd ../.. && pwd)
python=${PYTHON:-/usr/bin/python3}
target=${CARGO_TARGET_DIR:-$repository/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = long ]; then
    export MESSAGE_STORE_CYCLES=2000 MESSAGE_STORE_KILLS=50 MESSAGE_STORE_CUTS=40 MESSAGE_STORE_BROKEN_FILES=2000
    export MESSAGE_STORE_STATS_MESSAGES=5000000
fi

# Each by itself: the loadable library takes SQLite from its host, the static crate brings its own.
(cd "$repository" && cargo build --quiet --release -p message-store-sqlite-loadable)
(cd "$repository" && cargo build --quiet -p message-store-sqlite-loadable)
(cd "$repository" && cargo build --quiet -p message-store-sqlite --example consumer)
export MESSAGE_STORE_CONSUMER=$target/debug/examples/consumer
export MESSAGE_STORE_LIBRARY=${MESSAGE_STORE_LIBRARY:-$target/release/libmessage_store_sqlite.so}
export MESSAGE_STORE_DEBUG_LIBRARY=${MESSAGE_STORE_DEBUG_LIBRARY:-$target/debug/libmessage_store_sqlite.so}

status=0
suite() { # a command whose last line says how many passed and failed
    "$@" | tee "$work/output" || status=1
    tail -n 1 "$work/output" >> "$work/counts"
}

suite "$python" -B runner.py test_golden test_corpus test_files test_transactions test_versions test_interrupts test_reads test_batches test_namespaces \
    test_retention test_consumer_positions test_stats test_direct_only test_upgrade test_processes test_kills test_power_cut \
    test_hostile_files test_hostile_journals test_consumers test_lifecycle
# What is asserted in debug builds only.
MESSAGE_STORE_LIBRARY=$MESSAGE_STORE_DEBUG_LIBRARY suite "$python" -B runner.py test_golden test_corpus test_transactions test_interrupts test_reads
suite ./shell.sh
[ "${1:-}" != long ] || suite ./valgrind.sh

left_out() {
    echo "LEFT OUT: $*"
    [ -z "${MESSAGE_STORE_REQUIRE_ALL:-}" ] || status=1
}

node_modules() {
    [ -d node/node_modules/better-sqlite3/build/Release ] && return
    headers=${NODEDIR:-/usr}
    [ -e "$headers/include/node/node.h" ] || headers=$(dirname "$(dirname "$(command -v node)")")
    (cd node && npm_config_nodedir=$headers npm_config_build_from_source=true npm ci --no-audit --no-fund > "$work/npm.log" 2>&1)
}
if ! command -v node > /dev/null || ! command -v npm > /dev/null; then
    left_out "the Node suite, for there is no node or npm here"
elif ! node_modules; then
    tail -n 20 "$work/npm.log"
    left_out "the Node suite, for better-sqlite3 cannot be built here (it needs node's headers, make and a C++ compiler)"
else
    suite node node/test.mjs
fi

(cd "$repository" && cargo test --quiet -p message-store-sqlite) || status=1
(cd "$repository" && cargo run --quiet -p message-store-sqlite --example quickstart > "$work/quickstart") || status=1
grep -q "Wrong expected version: 0 (Stream: account-1, Stream Version: 1)" "$work/quickstart" || status=1

awk '{ passed += $1; failed += $3 } END { printf "%d passed, %d failed\n", passed, failed }' "$work/counts"
exit "$status"
