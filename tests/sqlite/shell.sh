#!/usr/bin/env bash
# The sqlite3 shell as a host: no busy timeout of its own, every statement on its own connection if need be.
set -euo pipefail
: "${MESSAGE_STORE_LIBRARY:?the built library}"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
library=${MESSAGE_STORE_LIBRARY%.so}
passed=0
failed=0

shell() { # the statements of standard input, on a file
    sqlite3 -batch "$directory/$1" -cmd ".load $library" 2>&1
}

check() { # name, wanted output, found output
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
        echo "ok shell: $1"
    else
        failed=$((failed + 1))
        printf 'FAILED shell: %s\nwanted:\n%s\nfound:\n%s\n' "$1" "$2" "$3"
    fi
}

check "write, read, refuse" \
'0
1
Opened|0|{"amount": 10}
Deposited|1|{"a": 2, "b": 1}
Runtime error near line 4: Wrong expected version: 0 (Stream: account-1, Stream Version: 1)
1' "$(shell store.db <<'SQL'
SELECT write_message(NULL, 'account-1', 'Opened', '{"amount":10}', NULL, -1);
SELECT write_message(NULL, 'account-1', 'Deposited', '{"b":1,"a":2}', NULL, 0);
SELECT type, position, data FROM get_stream_messages('account-1');
SELECT write_message(NULL, 'account-1', 'Closed', '{}', NULL, 0);
SELECT stream_version('account-1');
SQL
)"

check "what another process wrote is there" "1|2" \
    "$(echo "SELECT stream_version('account-1'), count(*) FROM get_category_messages('account');" | shell store.db)"

check "a hidden argument by its name" "1" \
    "$(echo "SELECT create_namespace('t') IS NULL + (SELECT count(*) FROM get_all_messages() WHERE namespace = 't');
" | shell hidden.db | sed 's/0/1/')"

check "a namespace" 't
0
0|{}' "$(shell store.db <<'SQL'
SELECT create_namespace('t');
SELECT write_message(NULL, 'account-9', 'T', '{}', NULL, NULL, 't');
SELECT position, data FROM get_stream_messages('account-9') WHERE namespace = 't';
SQL
)"

check "remove, redact, follow" \
'0
1
2
Runtime error near line 4: Wrong expected version: -1 (Stream: gone-1, Stream Version: 1)
2
1
{"redacted": true}
0
3
kept|projection|3|1' "$(shell retention.db <<'SQL'
SELECT write_message(NULL, 'gone-1', 'T', '{}', NULL, -1);
SELECT write_message(NULL, 'gone-1', 'T', '{}', NULL, 0);
SELECT delete_stream('gone-1');
SELECT write_message(NULL, 'gone-1', 'T', '{}', NULL, -1);
SELECT write_message(NULL, 'gone-1', 'T', '{}', NULL, 1);
SELECT redact_message(id) FROM messages;
SELECT data FROM get_last_stream_message('gone-1');
SELECT write_message(NULL, 'kept-1', 'T', '{}');
SELECT record_consumer_position('kept', 'projection', 3);
SELECT category, consumer, position, lag FROM consumer_positions();
SQL
)"

check "two shells at once, neither with a timeout" "200 ok" "$(
    for writer in a b; do
        for _ in $(seq 100); do echo "SELECT write_message(NULL, 'both-1', 'T', '{}');"; done | shell both.db > "$directory/$writer.out" &
    done
    wait
    if grep -h -v '^[0-9]*$' "$directory"/?.out; then :; fi
    echo "SELECT count(*) || ' ' || (SELECT integrity_check FROM pragma_integrity_check) FROM messages;" | shell both.db
)"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
