"""Runs every function `test_*` of the given modules, and ends with the counts."""

import importlib
import sys
import time
import traceback

passed = failed = 0
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for test, function in sorted(vars(module).items()):
        if not test.startswith("test_"):
            continue
        started = time.monotonic()
        try:
            function()
        except Exception:
            failed += 1
            print(f"FAILED {name}.{test}")
            traceback.print_exc()
        else:
            passed += 1
            print(f"ok {name}.{test} ({time.monotonic() - started:.2f} s)", flush=True)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
