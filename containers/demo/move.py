"""The demo's story: the pair as it is, the writes moved there and back by the command line, and then the balance.

Ends with the exit code of the first run that did not succeed, or with that of the balance.
"""

from __future__ import annotations

import json
import subprocess
import sys

from demo import balance
from interlock.clock import SystemClock

REST_S = 1.0


def main() -> int:
    clock = SystemClock()
    interlock("status")
    seen = json.loads(interlock("status", "--json", capture=True).stdout)
    others = [name for name in seen["clusters"] if name != seen["writer"]]
    for to in (*others, seen["writer"]):
        clock.sleep(REST_S)
        code = interlock("switchover", "--to", to).returncode
        if code != 0:
            return code
    clock.sleep(REST_S)
    return balance.main()


def interlock(*words: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["interlock", *words], check=False, text=True, stdout=subprocess.PIPE if capture else None)  # noqa: S603, S607


if __name__ == "__main__":
    sys.exit(main())
