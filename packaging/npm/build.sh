#!/usr/bin/env bash
# Builds the npm package message-store-sqlite into dist/ (or the folder given).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
destination=$(realpath -m "${1:-$repository/dist}")
target=${CARGO_TARGET_DIR:-$repository/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$repository" && cargo build --quiet --release -p message-store-sqlite-loadable)
cp "$here"/{package.json,index.js,index.d.ts,README.md} "$repository/LICENSE" "$work/"
cp "$target/release/libmessage_store_sqlite.so" "$work/message_store_sqlite.so"
strip --strip-unneeded "$work/message_store_sqlite.so"
mkdir -p "$destination"
cd "$work"
npm pkg set "cpu[0]=$(node --print process.arch)"
npm version --silent --no-git-tag-version "$("$repository/packaging/version.sh")" > /dev/null
npm pack --silent --pack-destination "$destination" | sed "s|^|$destination/|"
