"""What a dump says of its position, and the words that make a server hold one: by flavor and version."""

from __future__ import annotations

import pytest

from interlock.returning.dump import dump_words, position_in
from interlock.returning.held_words import held_words, writer_words
from interlock.returning.note import COPYING, TAKEN_BACK, Note

UUID, OTHER = "11af5619-e743-11f1-b8f7-02fc00000001", "11af5619-e743-11f1-b8f7-02fc00000002"
DUMPS = {
    "mariadb, behind all data": ("mariadb", b"", b"INSERT\n-- SET GLOBAL gtid_slave_pos='1-1-3,2-2-9';\n", "1-1-3,2-2-9"),
    "mariadb, not a routine's text before it": (
        "mariadb",
        b"",
        b"-- SET GLOBAL gtid_slave_pos='9-9-9';\n-- SET GLOBAL gtid_slave_pos='1-1-3';\n",
        "1-1-3",
    ),
    "mariadb, not a value in a row": ("mariadb", b"", b"('-- SET GLOBAL gtid_slave_pos=''9-9-9''')\n", None),
    "mysql 9.7": ("mysql", f"/* SET @@GLOBAL.GTID_PURGED='+{UUID}:1-3';*/".encode(), b"", f"{UUID}:1-3"),
    "mysql 8.0": (
        "mysql",
        f"/* SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '{UUID}:1-3,\n{OTHER}:1';*/".encode(),
        b"",
        f"{UUID}:1-3,{OTHER}:1",
    ),
    "mysql without gtids": ("mysql", b"-- no such words", b"", None),
}


@pytest.mark.parametrize(("flavor", "head", "tail", "wanted"), DUMPS.values(), ids=DUMPS)
def test_the_position_of_a_dump_is_told_by_the_dump(flavor: str, head: bytes, tail: bytes, wanted: str | None) -> None:
    found = position_in(flavor, head, tail)
    assert (str(found) if found is not None else None) == wanted


def test_the_lock_of_a_moment_is_bounded_where_the_program_can() -> None:
    bound = "--init-command=SET SESSION lock_wait_timeout=5"
    assert bound in dump_words("mysql", ["app"], bounds=True)
    assert bound not in dump_words("mysql", ["app"], bounds=False)
    assert bound not in dump_words("mariadb", ["app"], bounds=True), "it locks nothing"


WORDS = {
    (5, 7, 44): ["STOP SLAVE FOR CHANNEL ''", "RESET SLAVE FOR CHANNEL ''", "RESET MASTER"],
    (8, 0, 22): ["STOP REPLICA FOR CHANNEL ''", "RESET REPLICA FOR CHANNEL ''", "RESET MASTER"],
    (8, 2, 0): ["STOP REPLICA FOR CHANNEL ''", "RESET REPLICA FOR CHANNEL ''", "RESET BINARY LOGS AND GTIDS"],
}


@pytest.mark.parametrize(("version", "wanted"), WORDS.items(), ids=map(str, WORDS))
def test_mysqls_words_by_version(version: tuple[int, int, int], wanted: list[str]) -> None:
    assert held_words("mysql", version, f"{UUID}:1-3", [""]) == (*wanted, f"SET GLOBAL gtid_purged='{UUID}:1-3'")


def test_mariadb_sets_its_log_and_its_place_and_the_writer_says_what_it_holds() -> None:
    words = held_words("mariadb", (10, 11, 6), "1-1-3", ["a", ""])
    assert words[:4] == ("STOP SLAVE 'a'", "RESET SLAVE 'a'", "STOP SLAVE", "RESET SLAVE")
    assert words[4:] == ("RESET MASTER", "SET GLOBAL gtid_binlog_state='1-1-3'", "SET GLOBAL gtid_slave_pos='1-1-3'")
    assert writer_words("mariadb") == ("SET GLOBAL gtid_slave_pos=@@GLOBAL.gtid_binlog_pos",)
    assert writer_words("mysql") == ()


NOTES = {
    "taken back, the log not set": (Note(kind=TAKEN_BACK, held="1-1-9", holds="1-1-3"), "1-1-9", True),
    "the log is being set": (Note(kind=TAKEN_BACK, held="", holds="1-1-3"), "", True),
    "the log was set": (Note(kind=TAKEN_BACK, held="1-1-3", holds="1-1-3"), "1-1-3", False),
    "the log was set, and the note of it was not": (Note(kind=TAKEN_BACK, held="", holds="1-1-3"), "1-1-3", False),
    "the server has moved on since": (Note(kind=TAKEN_BACK, held="1-1-3", holds="1-1-3"), "1-1-5", False),
    "another note": (Note(kind=COPYING), "", False),
}


@pytest.mark.parametrize(("its_note", "position", "wanted"), NOTES.values(), ids=NOTES)
def test_a_rewind_that_was_cut_off_is_known_by_the_servers_own_note(its_note: Note, position: str, *, wanted: bool) -> None:
    assert its_note.says_taken_back(position) is wanted
