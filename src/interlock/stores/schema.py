"""The tables of the SQLite store. Each version is the statements that lead to it from the one before; a version that shipped never changes.

The version stands in the file's header (`user_version`), so it changes together with the tables or not at all. Tables are STRICT: a value
of the wrong type can't get in.
"""

from __future__ import annotations

APPLICATION_ID = 0x494C434B
"""In the file's header (`ILCK`): tells our files from any other program's."""

Version = tuple[str, ...]

SCHEMA: tuple[Version, ...] = (
    (
        """CREATE TABLE run (
             id INTEGER PRIMARY KEY,
             name TEXT NOT NULL UNIQUE,
             playbook TEXT NOT NULL,
             topology TEXT NOT NULL,
             started_at TEXT NOT NULL,
             state TEXT NOT NULL,
             outcome TEXT
           ) STRICT""",
        """CREATE TABLE record (
             id INTEGER PRIMARY KEY,
             run_id INTEGER NOT NULL REFERENCES run (id),
             seq INTEGER NOT NULL,
             kind TEXT NOT NULL,
             at TEXT NOT NULL,
             body TEXT NOT NULL,
             UNIQUE (run_id, seq)
           ) STRICT""",
        "CREATE TRIGGER record_is_never_changed BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'records are append-only'); END",
        "CREATE TRIGGER record_is_never_removed BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'records are append-only'); END",
        # Filler that is given back as a run writes its records, see room.py.
        """CREATE TABLE room (
             id INTEGER PRIMARY KEY,
             run_id INTEGER NOT NULL REFERENCES run (id),
             filler BLOB NOT NULL
           ) STRICT""",
        "CREATE INDEX room_of_run ON room (run_id)",
        # A lease that was released keeps its row, without a holder: the epoch must go on rising.
        """CREATE TABLE lease (
             topology TEXT PRIMARY KEY,
             epoch INTEGER NOT NULL,
             user TEXT,
             host TEXT,
             pid INTEGER,
             process_started TEXT,
             run TEXT,
             taken_at TEXT,
             expires_at TEXT
           ) STRICT""",
    ),
    (
        # What people and runs note on a pair, see model/marks.py. One of a kind for each subject.
        """CREATE TABLE mark (
             id INTEGER PRIMARY KEY,
             topology TEXT NOT NULL,
             kind TEXT NOT NULL,
             subject TEXT NOT NULL,
             set_by TEXT NOT NULL,
             set_at TEXT NOT NULL,
             until TEXT,
             reason TEXT NOT NULL,
             run TEXT NOT NULL,
             UNIQUE (topology, kind, subject)
           ) STRICT""",
    ),
)
