"""The words of each effect on replication at a server, for the flavors that have one of these two ways to say it.

Another host or port makes a server forget the log's name and offset, and nothing else: account, password and TLS stay as they are, so no
password is ever sent, shown or kept (MariaDB KB "CHANGE MASTER TO", option MASTER_HOST; MySQL manual "CHANGE REPLICATION SOURCE TO").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from interlock.dataclass import dataclass
from interlock.errors import StatementFailed
from interlock.model.effects import (
    ChannelEffect,
    Repoint,
    SendHeartbeat,
    SetSemiSync,
    StartApplier,
    StartReceiver,
    StopApplier,
    StopReceiver,
)
from interlock.model.position import LogPoint
from interlock.servers.mariadb_script import bounded
from interlock.servers.quoting import text
from interlock.servers.versions import Version

RECEIVER, APPLIER = " IO_THREAD", " SQL_THREAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWords:
    """`noun` as in STOP SLAVE, `change` what is before TO, `source` how its options begin. `using` says for each way to find a place at the
    source what is written; `name_last`: a channel is named by FOR CHANNEL at the end. `bound` bounds a statement on the server.
    """

    noun: str
    change: str
    source: str
    using: Mapping[str, str]
    name_last: bool
    bound: Callable[[str, float], str]

    def script(self, effect: ChannelEffect, /) -> tuple[str, ...]:
        """The statements of an effect, in order. StatementFailed for a way to find a place that the flavor does not have."""
        match effect:
            case Repoint(channel=channel):
                lines = [
                    self._say(f"STOP {self.noun}", channel),
                    self._say(self.change, channel, f" TO {', '.join(self._place(effect))}"),
                    *((self._say(f"START {self.noun}", channel),) if effect.starts else ()),
                ]
            case StopApplier(channel=channel):
                lines = [self._say(f"STOP {self.noun}", channel, APPLIER)]
            case StartApplier(channel=channel, until=until):
                ends = f" UNTIL {', '.join(self._log(until))}" if until is not None else ""
                lines = [self._say(f"START {self.noun}", channel, APPLIER + ends)]
            case StopReceiver(channel=channel):
                lines = [self._say(f"STOP {self.noun}", channel, RECEIVER)]
            case StartReceiver(channel=channel):
                lines = [self._say(f"START {self.noun}", channel, RECEIVER)]
            case SendHeartbeat():
                raise StatementFailed(f"{effect.server} replicates by itself", hint="it needs no heartbeat", server=effect.server)
            case SetSemiSync():
                lines = self._semi_sync(effect)
        return tuple(self.bound(line, effect.within_s) for line in lines)

    def _place(self, effect: Repoint) -> list[str]:
        if effect.using not in self.using:
            raise StatementFailed(
                f"{effect.server} can't follow {effect.source} by {effect.using or 'a way that is not known'}",
                hint=f"known are {', '.join(self.using)}",
                server=effect.server,
            )
        place = [f"{self.source}_HOST={text(effect.host)}", f"{self.source}_PORT={effect.port:d}", self.using[effect.using]]
        return [*place, *(self._log(effect.at) if effect.at is not None else ())]

    def _log(self, at: LogPoint) -> list[str]:
        return [f"{self.source}_LOG_FILE={text(at.file)}", f"{self.source}_LOG_POS={at.offset:d}"]

    def _semi_sync(self, effect: SetSemiSync) -> list[str]:
        """A receiver says only when it connects whether it acknowledges (MySQL manual, "Semisynchronous Replication Installation and
        Configuration"; tried on MariaDB 10.11).
        """
        sends, receives = effect.words.split("/")
        lines = []
        if effect.waits is not None:
            lines.append(f"SET GLOBAL rpl_semi_sync_{sends}_enabled={effect.waits:d}")
        if effect.acknowledges is not None:
            lines.append(f"SET GLOBAL rpl_semi_sync_{receives}_enabled={effect.acknowledges:d}")
            for channel in effect.channels:
                lines += [self._say(f"STOP {self.noun}", channel, RECEIVER), self._say(f"START {self.noun}", channel, RECEIVER)]
        return lines

    def _say(self, verb: str, channel: str, rest: str = "") -> str:
        if self.name_last:
            return f"{verb}{rest} FOR CHANNEL {text(channel)}"
        return f"{verb}{f' {text(channel)}' if channel else ''}{rest}"


def _as_it_is(statement: str, within_s: float) -> str:
    """MySQL bounds none of them for a session: max_execution_time is for SELECT alone, and rpl_stop_replica_timeout is the whole server's.
    The client's bound comes then, and the statement's connection is ended.
    """
    del within_s
    return statement


MARIADB = ChannelWords(
    noun="SLAVE",
    change="CHANGE MASTER",
    source="MASTER",
    using={"slave_pos": "MASTER_USE_GTID=slave_pos", "current_pos": "MASTER_USE_GTID=current_pos", "position": "MASTER_USE_GTID=no"},
    name_last=False,
    bound=bounded,
)
_MYSQL_5_7 = ChannelWords(
    noun="SLAVE",
    change="CHANGE MASTER",
    source="MASTER",
    using={"auto_position": "MASTER_AUTO_POSITION=1", "position": "MASTER_AUTO_POSITION=0"},
    name_last=True,
    bound=_as_it_is,
)


def mariadb(version: Version) -> ChannelWords:
    """The same from 10.5 on."""
    del version
    return MARIADB


def mysql(version: Version) -> ChannelWords:
    """START REPLICA is of 8.0.22, CHANGE REPLICATION SOURCE TO of 8.0.23 (their manual pages); the old words are gone from 8.4 on."""
    words = replace(_MYSQL_5_7, noun="REPLICA") if version >= (8, 0, 22) else _MYSQL_5_7
    if version < (8, 0, 23):
        return words
    using = {"auto_position": "SOURCE_AUTO_POSITION=1", "position": "SOURCE_AUTO_POSITION=0"}
    return replace(words, change="CHANGE REPLICATION SOURCE", source="SOURCE", using=using)
