"""Tables without a key that both sides have alike: compared as a whole, by how often each row is there.

What is the same on both sides has the same sum of all hashes. If the sums differ, the rows are parted by their hashes until those are known
of which one side has more; then a second look, and the proof, as for rows with a key. The proof reads the table whole, and its rows are
locked on the other side meanwhile: a table that is written all the while is not settled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from interlock.dataclass import dataclass
from interlock.diff.ends import Both, End
from interlock.diff.kept import Chunk
from interlock.diff.proof import Proof, StandsStill, Unsettled
from interlock.diff.rows import TOO_MANY
from interlock.diff.sql import Asked, image_of, row_hash
from interlock.losses.sql import looks
from interlock.model.differences import DifferenceKind, NotCompared, RowDifference
from interlock.model.losses import Image
from interlock.servers.session import Row, Session, text_of

WHOLE_S = 600.0
"""What reading the whole table may take."""
_PARTS_AT_ONCE = 64
_HASHES_AT_ONCE = 50
_PROOF_S = 30.0
_TRIES = 4
_CATCH_UP_S = 2.0

Counts = Mapping[str, int]
"""How often each row is there, by its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTable:
    asked: Asked
    both: Both
    proof: Proof
    writer: End
    other: End
    at_rest: bool
    most: int
    """No more rows are looked at than so many that seem to differ."""

    def compare(self) -> Chunk:
        summed = f"SELECT COUNT(*) AS n, SUM({row_hash(self.asked)}) AS x FROM {self.asked.source}"
        (ours,), (theirs,) = self._rows(summed)
        rows = int(text_of(ours["n"]))
        if (ours["n"], ours["x"]) == (theirs["n"], theirs["x"]):
            return Chunk(after=None, upto=None, rows=rows)
        self.other.reaches(self.writer.logged(self.both.writer), _CATCH_UP_S)
        judged: list[RowDifference | NotCompared] = []
        suspects = self._suspects()
        for begin in range(0, len(suspects), _HASHES_AT_ONCE):
            judged += self._judged(suspects[begin : begin + _HASHES_AT_ONCE])
        if len(suspects) >= self.most:
            judged.append(NotCompared(what="", why=TOO_MANY))
        return Chunk(
            after=None,
            upto=None,
            rows=rows,
            differences=tuple(one for one in judged if isinstance(one, RowDifference)),
            not_compared=tuple(one for one in judged if isinstance(one, NotCompared)),
        )

    def _suspects(self) -> list[str]:
        """Up to `most` of the hashes that one side has more often, as far as can be seen without a lock."""
        hash_ = row_hash(self.asked)
        parts = self._unlike(f"SELECT {hash_} >> 52 AS h, SUM({hash_}) AS n FROM {self.asked.source} GROUP BY h")
        found: list[str] = []
        for begin in range(0, len(parts), _PARTS_AT_ONCE):
            some = ", ".join(parts[begin : begin + _PARTS_AT_ONCE])
            found += self._unlike(f"SELECT {hash_} AS h, COUNT(*) AS n FROM {self.asked.source} WHERE {hash_} >> 52 IN ({some}) GROUP BY h")
            if len(found) >= self.most:
                break
        return found[: self.most]

    def _unlike(self, statement: str) -> list[str]:
        """Each `h` with another `n` on the other side, or none."""
        here, there = ({text_of(row["h"]): text_of(row["n"]) for row in rows} for rows in self._rows(statement))
        return sorted(one for one in here.keys() | there.keys() if here.get(one) != there.get(one))

    def _rows(self, statement: str) -> tuple[Sequence[Row], Sequence[Row]]:
        return self.both.rows(statement, doing=f"hash {self.asked.table.written}")

    def _judged(self, suspects: Sequence[str]) -> Sequence[RowDifference | NotCompared]:
        ours, theirs = self._rows(self._count_sql(suspects))
        here, there = _counts(ours), _counts(theirs)
        still = [one for one in suspects if here.get(one) != there.get(one)]
        settle = self.proof.settle_at_rest if self.at_rest else self.proof.settle
        why = ""
        for _ in range(_TRIES if still else 0):
            try:
                settled = settle(self._asks(still))
            except StandsStill as error:
                why = str(error)
                break
            except Unsettled as error:
                why = str(error)
                continue
            pairs = [(one, settled.writer.get(one, 0), settled.other.get(one, 0)) for one in still]
            return [self._difference(*pair, settled.position) for pair in pairs if pair[1] != pair[2]]
        return [NotCompared(what=f"{len(still)} rows of a table without a key", why=why)] if still else []

    def _count_sql(self, hashes: Sequence[str]) -> str:
        hash_ = row_hash(self.asked)
        return f"SELECT {hash_} AS h, COUNT(*) AS n FROM {self.asked.source} WHERE {hash_} IN ({', '.join(hashes)}) GROUP BY h"

    def _asks(self, hashes: Sequence[str]) -> Callable[[Session], Counts]:
        statement = self._count_sql(hashes)

        def ask(session: Session) -> Counts:
            return _counts(session.rows(statement, bound_s=_PROOF_S, doing=f"count rows of {self.asked.table.written}"))

        return ask

    def _difference(self, hash_: str, ours: int, theirs: int, position: str) -> RowDifference:
        image = self._image(hash_, self.both.writer if ours else self.both.other)
        return RowDifference(
            schema=self.asked.table.schema,
            table=self.asked.table.name,
            kind=DifferenceKind.MISSING_ON,
            cluster=self.other.cluster if ours > theirs else self.writer.cluster,
            key={},
            writer=image if ours else None,
            other=image if theirs else None,
            columns=(),
            position=position,
            copies=abs(ours - theirs),
        )

    def _image(self, hash_: str, session: Session) -> Image:
        """The row of this hash. Empty if it was removed meanwhile: it is told by its number then."""
        statement = f"SELECT {looks(self.asked.table.columns)} FROM {self.asked.source} WHERE {row_hash(self.asked)} = {hash_} LIMIT 1"
        rows = session.rows(statement, bound_s=WHOLE_S, doing=f"read {self.asked.table.written}")
        return image_of(rows[0], self.asked) if rows else {}


def _counts(rows: Sequence[Row]) -> Counts:
    return {text_of(row["h"]): int(text_of(row["n"])) for row in rows}
