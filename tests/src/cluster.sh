# Runs a private Postgres cluster for as long as the process that started this script lives: its end, however it comes,
# closes this script's standard input. A line on it crashes the cluster, in the way that it names, and starts it again;
# the line `start` does only that, and the line `upgrade` brings the cluster from an older Postgres, whose programs are in
# the folder OLDER, to this one.
# Arguments: the folder, the folder of Postgres' programs, settings (name=value).
set -eu
dir=$1 newer=$2 bin=${OLDER:-$2}
shift 2
# PyPI's servers have a libpq of their own, and replication would take the system's.
LD_LIBRARY_PATH=$("$newer/pg_config" --libdir)
export LD_LIBRARY_PATH

start() {
    "$bin/pg_ctl" start --silent --wait --pgdata="$dir/data" --log="$dir/log" >"$dir/start.log" 2>&1 \
        || { cat "$dir/start.log" "$dir/log"; rm -rf "$dir"; exit 1; }
    echo ready
}

# What is not flushed is lost, as when the server is killed.
stop() {
    "$bin/pg_ctl" stop --silent --wait --mode=immediate --pgdata="$dir/data" >"$dir/stop.log" 2>&1 \
        || cat "$dir/stop.log" >&2
}

# Sets `postmaster`, which is stopped so that it starts no other process, and `children`: together that is all of Postgres.
stop_postmaster() {
    postmaster=$(head -n 1 "$dir/data/postmaster.pid")
    kill -STOP "$postmaster"
    children=$(cat /proc/[0-9]*/stat 2>/dev/null \
        | awk -v parent="$postmaster" '{ process = $1; sub(/^.*\) /, ""); if ($2 == parent) print process }')
}

# Until they are reaped, too: a new postmaster takes its own lock file's process for alive as long as it has an id.
wait_until_gone() {
    for process; do
        while kill -0 "$process" 2>/dev/null; do sleep 0.01; done
    done
}

# Every process at once, without a word to any of them.
kill_all() {
    stop_postmaster
    for process in "$postmaster" $children; do
        kill -KILL "$process" 2>/dev/null || true
    done
    wait_until_gone "$postmaster" $children
}

# Its children end when they notice. As long as one of them is there, no other server may be started on the data.
kill_postmaster() {
    stop_postmaster
    kill -KILL "$postmaster"
    wait_until_gone "$postmaster" $children
}

# Where it has stopped by itself.
start_again() {
    if "$bin/pg_ctl" status --pgdata="$dir/data" >/dev/null 2>&1; then echo ready; else start; fi
}

create() {
    "$bin/initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync "$@"
}

# pg_upgrade leaves its files where it runs. 18 has checksums by itself, and they must be on in both clusters or in none.
upgrade() {
    older=$bin bin=$newer
    "$older/pg_ctl" stop --silent --wait --mode=fast --pgdata="$dir/data" && mv "$dir/data" "$dir/older" \
        && create $("$bin/initdb" --help | grep -om1 -e '--no-data-checksums') && cd "$dir" \
        && "$bin/pg_upgrade" --username=postgres --old-bindir="$older" --new-bindir="$bin" --old-datadir="$dir/older" \
            --new-datadir="$dir/data" \
        && cp "$dir/older/postgresql.conf" "$dir/data/postgresql.conf" && cd /
}

# A new one, or a standby of the one whose socket is in the folder STANDBY_OF.
if [ -z "${STANDBY_OF:-}" ]; then
    create $([ "${SMALL_DISK:-}" != log ] || echo "--waldir=$dir/small/log --wal-segsize=1")
else
    "$bin/pg_basebackup" --pgdata="$dir/data" --host="$STANDBY_OF" --port=5432 --username=postgres --write-recovery-conf \
        --checkpoint=fast --no-sync
fi >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log"; rm -rf "$dir"; exit 1; }
{
    echo "listen_addresses = ''"
    echo "unix_socket_directories = '$dir'"
    for setting; do
        echo "${setting%%=*} = '${setting#*=}'"
    done
} >>"$dir/data/postgresql.conf"

[ "${SMALL_DISK:-}" != tablespace ] || mkdir "$dir/small/tablespace"

start
while read -r way; do
    case $way in
    kill)
        kill_all
        start
        ;;
    postmaster)
        kill_postmaster
        start
        ;;
    start) start_again ;;
    upgrade)
        upgrade >"$dir/upgrade.log" 2>&1 || {
            cat "$dir/upgrade.log"
            find "$dir/data/pg_upgrade_output.d" -name 'pg_upgrade_dump_*.log' -exec tail -n 25 {} +
            rm -rf "$dir"
            exit 1
        }
        start
        ;;
    *)
        stop
        start
        ;;
    esac
done
stop
# A folder with a disk in it is removed by whoever has mounted that.
[ -n "${SMALL_DISK:-}" ] || rm -rf "$dir"
