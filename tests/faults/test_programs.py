from __future__ import annotations

from pathlib import Path

import pytest

from faults.matrix import chosen
from faults.stage import Lab, Moment, assert_held, frozen, killed, strike_during

P = {f"{k.__name__} {p}": (k, p) for k in (frozen, killed) for p in ("old", "new", "haproxy")}


@pytest.mark.parametrize(("fault", "moment", "healed"), chosen(P))
def test_a_program(lab: Lab, tmp_path: Path, fault: str, moment: Moment, healed: bool) -> None:
    k, p = P[fault]
    came = strike_during(lab, k(p), moment, tmp_path, healed=healed)
    print(fault, moment, healed, came.outcome, round(came.took_s, 1), came.taken_up and came.taken_up["outcome"], came.samples)
    if came.outcome == "halted" or came.taken_up:
        import json

        print(
            json.dumps(
                [
                    came.report["problems"],
                    came.report.get("next_commands"),
                    came.taken_up and came.taken_up["problems"],
                    came.taken_up and came.taken_up.get("next_commands"),
                ],
                indent=1,
            )
        )
    assert_held(came, {"succeeded", "refused", "rolled_back", "halted"})
