from __future__ import annotations

from interlock.fleet.model import FleetReport, PairReport, Standing
from interlock.report.fleet_text import fleet_text


def test_what_is_to_be_typed_next_names_the_files_and_the_store_that_were_typed() -> None:
    """Of the fleet its own options, of a pair its topology: without them the commands find nothing."""
    halted = PairReport(
        topology="shop",
        file="/etc/shop.yaml",
        run="f.shop",
        standing=Standing.FAILED,
        outcome="halted",
        exit_code=5,
        next_commands=("interlock resume f.shop", "mend the network"),
    )
    report = FleetReport(
        fleet="f",
        playbook="switchover",
        state="unfinished",
        exit_code=5,
        inputs={},
        pairs=(halted,),
        succeeded=0,
        failed=1,
        not_started=0,
        running=0,
    )
    text = fleet_text(report, 100, said=" --store sqlite:///s.db", said_of=lambda file: f" -t {file} --store sqlite:///s.db")
    lines = [line.strip() for line in text.splitlines()]
    assert "interlock resume f.shop -t /etc/shop.yaml --store sqlite:///s.db" in lines
    assert "mend the network" in lines
    assert lines[-2:] == ["interlock fleet resume f --store sqlite:///s.db", "interlock fleet show f --store sqlite:///s.db"]
