"""A process that writes to a few streams and removes from them until its time is up or it is killed.

Prints the position of each message that was acknowledged, a line each, and what was removed.
"""

import os
import random
import sys
import time

from host import connect, value, write

path, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
connection = connect(path, timeout=10)
until = time.monotonic() + seconds
written = removed = 0
out = os.fdopen(1, "w", buffering=1)
print("ready", file=out)
while time.monotonic() < until:
    stream = f"pool-{random.randrange(4)}"
    try:
        for _ in range(random.randrange(4)):
            print(f"{stream} {write(connection, stream)}", file=out)
            written += 1
        if random.random() < 0.5:
            count = value(connection, "SELECT delete_stream(?)", stream)
        else:
            version = value(connection, "SELECT stream_version(?)", stream)
            count = value(connection, "SELECT truncate_stream(?, ?)", stream, version)
    except Exception as error:
        print(f"failed {error!r}", file=out)
        sys.exit(1)
    print(f"removed {count}", file=out)
    removed += count
print(f"done {written} {removed}", file=out)
