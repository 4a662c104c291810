"""What was read, as JSON that gives back exactly the same: it outlives the log. And as JSON for people, where bytes are hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from interlock.model.codec import to_plain
from interlock.model.losses import Cell, Image, LossReport, LostRow, LostTransaction, Odd, ReadTransaction, RowChange
from interlock.model.losses import LoggedStatement as Statement


def shown(cell: Cell) -> object:
    """For JSON that people and programs read."""
    match cell:
        case bytes():
            return f"0x{cell.hex()}"
        case Odd():
            return cell.shown
        case _:
            return cell


def shown_image(image: Image | None) -> dict[str, object] | None:
    return None if image is None else {name: shown(cell) for name, cell in image.items()}


def plain_report(report: LossReport) -> dict[str, object]:
    """`losses --json`."""
    return {
        "run": report.run,
        "state": report.state.value,
        "bound": to_plain(report.bound),
        "old": report.old,
        "survivor": report.survivor,
        "source": report.source,
        "proof": report.proof,
        "canaries": report.canaries,
        "transactions": [_plain_transaction(one) for one in report.transactions],
    }


def _plain_transaction(one: LostTransaction) -> dict[str, object]:
    return {
        "position": one.position,
        "at": one.at.isoformat(),
        "rows": [_plain_row(row) for row in one.rows],
        "statements": [{"schema": said.schema, "text": said.text, "class": "conflicting"} for said in one.statements],
        "unreadable": one.unreadable or None,
        "applied": one.applied,
    }


def _plain_row(row: LostRow) -> dict[str, object]:
    return {
        "table": f"{row.schema}.{row.table}",
        "key": shown_image(row.key),
        "change": row.change.value,
        "before": shown_image(row.before),
        "after": shown_image(row.after),
        "class": row.kind.value,
        "why": row.why,
    }


# -- kept, exactly ------------------------------------------------------------------------------------------------------------------------


def packed(transaction: ReadTransaction) -> dict[str, object]:
    return {
        "position": transaction.position,
        "at": transaction.at.isoformat(),
        "rows": [
            {
                "schema": row.schema,
                "table": row.table,
                "key": list(row.key),
                "before": packed_image(row.before),
                "after": packed_image(row.after),
                "problem": row.problem,
            }
            for row in transaction.rows
        ],
        "statements": [{"schema": one.schema, "text": one.text} for one in transaction.statements],
        "unreadable": transaction.unreadable,
        "canaries": transaction.canaries,
    }


def unpacked(plain: Mapping[str, Any]) -> ReadTransaction:
    """KeyError, TypeError or ValueError if `packed` did not write it."""
    return ReadTransaction(
        position=str(plain["position"]),
        at=datetime.fromisoformat(plain["at"]),
        rows=tuple(
            RowChange(
                schema=str(row["schema"]),
                table=str(row["table"]),
                key=tuple(row["key"]),
                before=unpacked_image(row["before"]),
                after=unpacked_image(row["after"]),
                problem=str(row["problem"]),
            )
            for row in plain["rows"]
        ),
        statements=tuple(Statement(schema=str(one["schema"]), text=str(one["text"])) for one in plain["statements"]),
        unreadable=str(plain["unreadable"]),
        canaries=int(plain["canaries"]),
    )


def packed_image(image: Image | None) -> dict[str, object] | None:
    return None if image is None else {name: _packed_cell(cell) for name, cell in image.items()}


def unpacked_image(plain: Mapping[str, Any] | None) -> dict[str, Cell] | None:
    return None if plain is None else {str(name): unpacked_cell(cell) for name, cell in plain.items()}


def _packed_cell(cell: Cell) -> object:
    match cell:
        case bytes():
            return {"bytes": cell.hex()}
        case Odd():
            return {"odd": [cell.shown, cell.why]}
        case float():
            return {"float": cell.hex()}
        case _:
            return cell


def unpacked_cell(plain: object) -> Cell:
    match plain:
        case {"bytes": str(told)}:
            return bytes.fromhex(told)
        case {"odd": [str(told), str(why)]}:
            return Odd(told, why)
        case {"float": str(told)}:
            return float.fromhex(told)
        case None | int() | str():
            return plain
        case _:
            raise ValueError(f"not a cell: {plain!r}")


def all_unpacked(plain: Sequence[Mapping[str, Any]]) -> tuple[ReadTransaction, ...]:
    return tuple(unpacked(one) for one in plain)
