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
from interlock.diff.proof import Proof, Unsettled
from interlock.diff.sql import Asked, image_of, row_hash
from interlock.losses.sql import looks
from interlock.model.differences import DifferenceKind, NotCompared, RowDifference
from interlock.model.losses import Image
from interlock.servers.session import Session, text_of

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

    def compare(self) -> Chunk:
        summed = f"SELECT COUNT(*) AS n, SUM({row_hash(self.asked)}) AS x FROM {self.asked.source}"
        (ours,), (theirs,) = self._rows(summed)
        rows = int(text_of(ours["n"]))
        if (ours["n"], ours["x"]) == (theirs["n"], theirs["x"]):
            return Chunk(after=None, upto=None, rows=rows)
        self.other.reaches(self.writer.logged(self.both.writer), _CATCH_UP_S)
        differences: list[RowDifference] = []
        unsettled: list[NotCompared] = []
        suspects = self._suspects()
        for begin in range(0, len(suspects), _HASHES_AT_ONCE):
            for one in self._judged(suspects[begin : begin + _HASHES_AT_ONCE]):
                (unsettled if isinstance(one, NotCompared) else differences).append(one)  # type: ignore[arg-type]
        return Chunk(after=None, upto=None, rows=rows, differences=tuple(differences), not_compared=tuple(unsettled))

    def _suspects(self) -> list[str]:
        """The hashes that one side has more often, as far as can be seen without a lock."""
        hash_ = row_hash(self.asked)
        parts = self._counts(f"SELECT {hash_} >> 52 AS h, SUM({hash_}) AS n FROM {self.asked.source} GROUP BY h")
        found: list[str] = []
        for begin in range(0, len(parts), _PARTS_AT_ONCE):
            some = ", ".join(parts[begin : begin + _PARTS_AT_ONCE])
            found += self._counts(f"SELECT {hash_} AS h, COUNT(*) AS n FROM {self.asked.source} WHERE {hash_} >> 52 IN ({some}) GROUP BY h")
        return found

    def _counts(self, statement: str) -> list[str]:
        """Each `h` with another `n` on the other side, or none."""
        here, there = ({text_of(row["h"]): text_of(row["n"]) for row in rows} for rows in self._rows(statement))
        return sorted(one for one in here.keys() | there.keys() if here.get(one) != there.get(one))

    def _rows(self, statement: str) -> tuple[Sequence[Mapping[str, object]], Sequence[Mapping[str, object]]]:
        return self.both.rows(statement, doing=f"hash {self.asked.table.written}")

    def _judged(self, suspects: Sequence[str]) -> Sequence[RowDifference | NotCompared]:
        ask = self._asks(suspects)
        settle = self.proof.settle_at_rest if self.at_rest else self.proof.settle
        why = ""
        for _ in range(_TRIES):
            try:
                settled = settle(ask)
            except Unsettled as error:
                why = str(error)
                continue
            pairs = [(one, settled.writer.get(one, 0), settled.other.get(one, 0)) for one in suspects]
            return [self._difference(*pair, settled.position) for pair in pairs if pair[1] != pair[2]]
        return [NotCompared(what=f"{len(suspects)} rows of a table without a key", why=why)]

    def _asks(self, suspects: Sequence[str]) -> Callable[[Session], Counts]:
        statement = (
            f"SELECT {row_hash(self.asked)} AS h, COUNT(*) AS n FROM {self.asked.source} "
            f"WHERE {row_hash(self.asked)} IN ({', '.join(suspects)}) GROUP BY h"
        )

        def ask(session: Session) -> Counts:
            rows = session.rows(statement, bound_s=_PROOF_S, doing=f"count rows of {self.asked.table.written}")
            return {text_of(row["h"]): int(text_of(row["n"])) for row in rows}

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
