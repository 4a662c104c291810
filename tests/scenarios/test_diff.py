"""`interlock diff` as a person uses it: found, told, kept; killed in the middle and taken up again."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from interlock.diff.kept import kept_names, place_of
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from scenarios.command_line import environment, interlock, start
from servers.diff_lab import plant, write
from waiting import eventually

ROWS = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM s WHERE i<900) SELECT i, i FROM s"


@pytest.fixture
def env(pair: Sandbox, tmp_path: Path) -> Iterator[dict[str, str]]:
    tables = [f"CREATE TABLE app.{name} (id INT PRIMARY KEY, v INT)" for name in ("t", "u")]
    write(pair, *tables, f"INSERT INTO app.t {ROWS}", "INSERT INTO app.u VALUES (1, 1), (2, 2)")
    yield environment(pair, tmp_path)
    write(pair, "DROP TABLE app.t, app.u")


def kept(folder: Path) -> list[Any]:
    (name,) = kept_names(folder)
    return [json.loads(line) for line in place_of(folder, name).read_text().splitlines()]


def test_equal_data_exit_0_and_a_difference_3(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    equal = interlock("diff", "--json", "--schema", "app", env=env)
    assert (equal.code, equal.document["equal"], equal.document["differences"], equal.document["rows"]) == (0, True, 0, 902), equal.err
    assert {one["table"]: one["rows"] for one in equal.document["tables"]} == {"app.ledger": 0, "app.t": 900, "app.u": 2}
    plant(pair, "west", "UPDATE app.t SET v=NULL WHERE id=450", "DELETE FROM app.u WHERE id=1")
    pages = ("--html", str(tmp_path / "page.html"), "--markdown", str(tmp_path / "page.md"))
    found = interlock("diff", "--json", "--exclude", "app.ledger", *pages, env=env)
    assert found.code == 3
    tables = {one["table"]: one["differences"] for one in found.document["tables"]}
    assert [(one["kind"], one["key"], one["cluster"], one["columns"]) for one in (*tables["app.t"], *tables["app.u"])] == [
        ("changed", {"id": 450}, "west", ["v"]),
        ("missing_on", {"id": 1}, "west", []),
    ]
    assert (tables["app.t"][0]["writer"], tables["app.t"][0]["other"]) == ({"id": 450, "v": 450}, {"id": 450, "v": None})
    assert '{"v": null}' in (tmp_path / "page.md").read_text()
    assert "id=450" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600
    text = interlock("diff", "--table", "app.t", env=env)
    assert (text.code, "changed on west  id=450" in text.out) == (3, True), text.out


def test_killed_in_the_middle_it_leaves_nothing_and_goes_on_where_it_was(pair: Sandbox, env: dict[str, str], tmp_path: Path) -> None:
    """A lock on one table keeps it from its end; the other table is compared by then."""
    plant(pair, "west", "UPDATE app.t SET v=0 WHERE id=7", "UPDATE app.u SET v=0 WHERE id=2")
    with closing(sql.connect(pair, "west")) as holder:
        sql.rows(holder, "LOCK TABLES app.u WRITE")
        child = start("diff", "--table", "app.t", "--table", "app.u", env=env)
        try:
            assert eventually(lambda: any((tmp_path / "diffs").glob("*")) and any("chunk" in line for line in kept(tmp_path)))
        finally:
            child.send_signal(signal.SIGKILL)
            child.communicate()
    (name,) = kept_names(tmp_path)
    with closing(sql.connect(pair, "west")) as admin:
        mine = "SELECT COUNT(*) FROM information_schema.processlist WHERE user='interlock'"
        assert eventually(lambda: sql.value(admin, mine) == 0)
    before = [line for line in kept(tmp_path) if line.get("of") == ["app", "t"]]
    resumed = interlock("diff", "--json", "--resume", name, env=env)
    assert resumed.code == 3, resumed.err
    assert [line for line in kept(tmp_path) if line.get("of") == ["app", "t"]] == before, "it was not compared again"
    assert resumed.document["name"] == name
    assert [one["key"] for table in resumed.document["tables"] for one in table["differences"]] == [{"id": 7}, {"id": 2}]
    again = interlock("diff", "--json", "--resume", name, env=env)
    assert again.document == resumed.document


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--table", "t"], "'t' is no table"),
        (["--writer", "north"], "there is no cluster 'north'"),
        (["--max-lag", "soon"], "'soon' is no duration"),
        (["--resume", "nothing"], "there is no comparison 'nothing'"),
    ],
    ids=["table", "writer", "lag", "resume"],
)
def test_wrong_words_are_told_before_anything_is_read(env: dict[str, str], words: list[str], said: str) -> None:
    done = interlock("diff", *words, env=env)
    assert (done.code, said in done.err) == (2, True), done.err
