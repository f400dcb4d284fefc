#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: Debian packages, cargo-pgrx, genuine Message DB and two clients.
# Says each step in a line; a second run finds everything and takes a second or two. Starts no database server.
# With the argument `bench` it installs the peers that the benchmark measures, and nothing else.
set -euo pipefail

postgres=15
pgrx=0.18.1
message_db=1.3.1        # of the npm package; the database in it is 1.3.0
python_client=message-db-py==0.3.5
python_parser=prometheus_client==0.26.0
node_client=@doughtnerd/message-store-connector@1.10.1
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
        python3 python3-venv python3-dev gcc g++ make libc6-dev sqlite3)
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
    apt_install "${missing[@]}"
}

cargo_pgrx() {
    local config=${PGRX_HOME:-$HOME/.pgrx}/config.toml
    if [ "$(cargo pgrx --version 2>/dev/null)" = "cargo-pgrx $pgrx" ]; then
        say "cargo-pgrx $pgrx: there"
    else
        say "cargo-pgrx $pgrx: building it (5 minutes)"
        cargo install cargo-pgrx --version "$pgrx" --locked --quiet
    fi
    if grep -qs "^pg$postgres *=" "$config"; then
        say "cargo-pgrx knows Postgres $postgres"
    elif grep -qs '^\[configs\]' "$config"; then
        say "telling cargo-pgrx of $pg_config"
        sed -i "/^\[configs\]/a pg$postgres = \"$pg_config\"" "$config"
    else
        say "telling cargo-pgrx of $pg_config"
        cargo pgrx init "--pg$postgres" "$pg_config" >/dev/null
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

node_client() {
    local done="$deps/node/.${node_client##*/}"
    if [ -f "$done" ]; then
        say "$node_client: there"
        return
    fi
    say "$node_client: from npm, with node $(node --version)"
    rm -rf "$deps/node"
    mkdir -p "$deps/node"
    npm install --silent --no-audit --no-fund --prefix "$deps/node" "$node_client"
    touch "$done"
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
debian_packages
cargo_pgrx
genuine_message_db
python_packages
node_client
