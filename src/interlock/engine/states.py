"""The life of a run, as a table: event, from, to, and the reason. `docs/states.md` is drawn from it.

`transitions` keeps the table honest: a move that is not in it raises. It does nothing else here; the loop is in `forward.py` and `back.py`.
"""

from __future__ import annotations

from enum import StrEnum

from transitions import Machine, MachineError

from interlock.dataclass import dataclass
from interlock.errors import ExitCode, InterlockError


class State(StrEnum):
    """Stored in journals: never renamed."""

    CHECKING = "checking"
    CHANGING = "changing"
    OPENED = "opened"
    ROLLING_BACK = "rolling_back"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    HALTED = "halted"


class Event(StrEnum):
    """Stored in journals: never renamed."""

    INTEND = "intend"
    OPEN = "open"
    FAIL = "fail"
    GO_BACK = "go_back"
    REFUSE = "refuse"
    SUCCEED = "succeed"
    RESTORED = "restored"
    HALT = "halt"
    GO_ON = "go_on"
    GO_ON_OPENED = "go_on_opened"


@dataclass(frozen=True, slots=True)
class Move:
    event: Event
    source: State
    target: State
    reason: str


MOVES: tuple[Move, ...] = (
    Move(Event.INTEND, State.CHECKING, State.CHANGING, "the first intent to change something is on the disk, and its effect follows"),
    Move(Event.REFUSE, State.CHECKING, State.REFUSED, "a check said no, or the operator stopped it, before the first effect"),
    Move(Event.SUCCEED, State.CHECKING, State.SUCCEEDED, "every step is done, and nothing had to be changed"),
    Move(Event.OPEN, State.CHANGING, State.OPENED, "the other side is being opened: from here a stop goes forward"),
    Move(Event.SUCCEED, State.CHANGING, State.SUCCEEDED, "every step is done, and none opened a server"),
    Move(Event.SUCCEED, State.OPENED, State.SUCCEEDED, "every step is done"),
    Move(Event.FAIL, State.CHANGING, State.ROLLING_BACK, "a step failed after the first effect"),
    Move(Event.FAIL, State.OPENED, State.ROLLING_BACK, "a step failed after the opening: what was opened is fenced first"),
    Move(Event.GO_BACK, State.CHANGING, State.ROLLING_BACK, "the operator asked for the way back"),
    Move(Event.GO_BACK, State.OPENED, State.ROLLING_BACK, "the operator asked for the way back"),
    Move(Event.GO_BACK, State.HALTED, State.ROLLING_BACK, "a person mended what stood in the way, and asked for the way back"),
    Move(Event.RESTORED, State.ROLLING_BACK, State.ROLLED_BACK, "what this run changed is put back, as far as that can be"),
    Move(Event.HALT, State.CHANGING, State.HALTED, "the playbook says halt: everything is fenced, a person decides"),
    Move(Event.HALT, State.OPENED, State.HALTED, "the playbook says halt: everything is fenced, a person decides"),
    Move(Event.HALT, State.ROLLING_BACK, State.HALTED, "something could not be undone: everything is fenced, a person is needed"),
    Move(Event.GO_ON, State.HALTED, State.CHANGING, "a person mended what stood in the way, and asked to go on"),
    Move(Event.GO_ON_OPENED, State.HALTED, State.OPENED, "a person mended what stood in the way, and asked to go on after the opening"),
)

FINAL = frozenset({State.SUCCEEDED, State.REFUSED, State.ROLLED_BACK})
"""No move leads out of these. A halted run has an outcome too, and can be taken up again."""

EXIT_CODES = {
    State.SUCCEEDED: ExitCode.SUCCEEDED,
    State.REFUSED: ExitCode.REFUSED,
    State.ROLLED_BACK: ExitCode.ROLLED_BACK,
    State.HALTED: ExitCode.HALTED,
}


class Lifecycle:
    """Where one run stands."""

    def __init__(self, state: State = State.CHECKING) -> None:
        self._machine = Machine(
            model=None,
            states=[each.value for each in State],
            transitions=[
                {
                    "trigger": event.value,
                    "source": [m.source.value for m in MOVES if m.event is event and m.target is target],
                    "dest": target.value,
                }
                for event, target in dict.fromkeys((move.event, move.target) for move in MOVES)
            ],
            initial=state.value,
            auto_transitions=False,
        )
        self._machine.add_model(self, initial=state.value)

    @property
    def now(self) -> State:
        return State(vars(self)["state"])

    def move(self, event: Event) -> Move:
        """The row of the table that was taken. InterlockError if there is none: the engine's mistake, never the operator's."""
        source = self.now
        try:
            self.trigger(event.value)  # type: ignore[attr-defined]  # added by transitions
        except MachineError as error:
            raise InterlockError(f"a run that is {source} can't {event}") from error
        return next(move for move in MOVES if move.event is event and move.source is source)
