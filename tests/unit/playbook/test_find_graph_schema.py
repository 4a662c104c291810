from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from interlock.documents.schema import topology_schema
from interlock.errors import UsageError
from interlock.playbook.find import find_playbook, in_folder, shipped_folder
from interlock.playbook.graph import mermaid
from interlock.playbook.load import parse_playbook
from interlock.playbook.schema import playbook_schema
from unit.documents.example import ROUTE_TYPES, SHOP
from unit.playbook.small_catalogue import CATALOGUE, SWITCHOVER

PLAYBOOK = playbook_schema(CATALOGUE)
TOPOLOGY = topology_schema(ROUTE_TYPES)


def is_valid(text: str, schema: dict[str, object]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(text)))


def test_a_name_is_looked_for_in_the_working_directory_first(tmp_path: Path) -> None:
    own = tmp_path / "playbooks" / "mine.yaml"
    own.parent.mkdir()
    own.write_text(SWITCHOVER)
    assert find_playbook("mine", tmp_path) == own
    assert find_playbook("playbooks/mine.yaml", tmp_path) == own
    assert in_folder(own.parent) == [("mine", own, "Move the writes to the standby with nothing lost.")]


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        ("mien", "there is no playbook 'mien'", "'mine'"),
        ("other/mine.yaml", "there is no file 'other/mine.yaml'", "path"),
        ("a\n`b", "there is no playbook 'a\\n`b'", ""),
    ],
)
def test_an_unknown_playbook_names_the_nearest(tmp_path: Path, name: str, what: str, hint: str) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "mine.yaml").write_text("summary: [")
    with pytest.raises(UsageError) as caught:
        find_playbook(name, tmp_path)
    assert caught.value.message == what
    assert hint in caught.value.hint


def test_shipped_playbooks_have_their_folder() -> None:
    assert shipped_folder().is_dir()


def test_graph_draws_the_way_forward_and_the_way_back() -> None:
    lines = mermaid(parse_playbook(SWITCHOVER, file="/p", catalogue=CATALOGUE)).splitlines()
    assert lines[0] == "flowchart TD"
    for line in (
        '  subgraph p2 ["fence"]',
        '    s4["do server.fence"]',
        "  s4 --> s5",
        "  s10 --> succeeded",
        "  s1 -. fails .-> refused",
        "  us4 -.-> us3",
        "  us3 -.-> rolled_back",
        "  us6 -.-> us4",
        "  s5 -. fails .-> us4",
        "  us8 -. an undo fails .-> halted",
    ):
        assert line in lines


def test_graph_escapes_what_mermaid_would_read() -> None:
    text = 'playbook: p\nphases:\n- phase: a\n  steps:\n  - {gate: go?, when: \'"a]" == "b"\'}\n'
    assert '"gate gate when #34;a#93;#34; == #34;b#34;"' in mermaid(parse_playbook(text, file="/p", catalogue=CATALOGUE))


@pytest.mark.parametrize("schema", [PLAYBOOK, TOPOLOGY], ids=["playbook", "topology"])
def test_schemas_are_valid(schema: dict[str, object]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("text", "schema", "valid"),
    [
        pytest.param(SWITCHOVER, PLAYBOOK, True, id="playbook"),
        pytest.param(SWITCHOVER.replace("do: server.fence", "do: server.fense"), PLAYBOOK, False, id="unknown-action"),
        pytest.param(SWITCHOVER.replace("age: 5s", "age: 5"), PLAYBOOK, False, id="bare-number"),
        pytest.param(SWITCHOVER.replace("with: {route: all}", "foo: {route: all}"), PLAYBOOK, False, id="unknown-key"),
        pytest.param(SHOP, TOPOLOGY, True, id="topology"),
        pytest.param(SHOP.replace("type: vip", "type: vips"), TOPOLOGY, False, id="unknown-type"),
        pytest.param(SHOP.replace("{env: INTERLOCK_PASSWORD}", "hunter2"), TOPOLOGY, False, id="password"),
        pytest.param(SHOP.replace("  west:\n", "  'we`st':\n"), TOPOLOGY, False, id="name"),
    ],
)
def test_schemas_accept_the_examples_and_refuse_mistakes(text: str, schema: dict[str, object], valid: bool) -> None:  # noqa: FBT001 -- a table
    assert is_valid(text, schema) is valid
