"""A process that writes until its time is up or it is killed. Prints what was acknowledged, a line each."""

import os
import sys
import time

from host import connect, write

path, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
connection = connect(path, timeout=10)
until = time.monotonic() + seconds
own, version, busy, written, conflicts = f"writer-{name}", -1, 0, 0, 0
out = os.fdopen(1, "w", buffering=1)
print("ready", file=out)
while time.monotonic() < until:
    for stream, expected in ((own, version), ("shared-1", None), ("guarded-1", "read")):
        if expected == "read":
            expected = connection.execute("SELECT stream_version('guarded-1')").fetchone()[0]
            expected = -1 if expected is None else expected
        try:
            position = write(connection, stream, data='{"by": "%s"}' % name, expected=expected)
        except Exception as error:
            if str(error).startswith("Wrong expected version"):
                conflicts += 1
                continue
            print(f"failed {error!r}", file=out)
            sys.exit(1)
        if stream == own:
            assert position == version + 1
            version = position
        written += 1
        print(f"{stream} {position}", file=out)
print(f"done {written} {conflicts}", file=out)
