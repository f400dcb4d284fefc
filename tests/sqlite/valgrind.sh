#!/usr/bin/env bash
# The suites that work in one process, under valgrind and with the debug library: no access to memory that is not there or
# not set, and nothing lost that nobody points to any more. Nothing is left out: Python by itself has nothing of the kind.
# A quarter of an hour; run.sh calls it for the long run.
#
#   tests/sqlite/valgrind.sh               all of them
#   tests/sqlite/valgrind.sh test_golden   these only
#
# Installs valgrind, a Debian package, where it is missing. Ends with 1 when a suite failed, with 9 when valgrind found
# something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
repository=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$repository/target}
python=${PYTHON:-/usr/bin/python3}
[ $# -gt 0 ] || set -- test_golden test_corpus test_transactions test_versions test_interrupts test_reads test_batches test_namespaces \
    test_retention test_consumer_positions test_stats test_direct_only test_lifecycle

if ! command -v valgrind > /dev/null; then
    echo "valgrind.sh: installing Debian's valgrind"
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends valgrind > /dev/null
fi

(cd "$repository" && cargo build --quiet -p message-store-sqlite-loadable)
export MESSAGE_STORE_LIBRARY=${MESSAGE_STORE_DEBUG_LIBRARY:-$target/debug/libmessage_store_sqlite.so}
# Less of everything, for all takes thirty times as long. And Python's own allocator would hide what happens to memory.
export MESSAGE_STORE_CYCLES=10 MESSAGE_STORE_MEMORY_MESSAGES=20000 MESSAGE_STORE_KILLS=1 MESSAGE_STORE_WRITER_SECONDS=2
export MESSAGE_STORE_STATS_MESSAGES=110000 MESSAGE_STORE_SLOWER=50 PYTHONMALLOC=malloc
# The library is closed with each connection, before the end.
exec valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    --keep-debuginfo=yes --num-callers=40 "$python" -B runner.py "$@"
