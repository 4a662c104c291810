"""Questions and updates to a DNS server, by dnspython: its errors become ours here.

Importing this takes a tenth of a second: the route does it when it first talks to a server.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from interlock.dataclass import dataclass
from interlock.errors import DriverError, NotPermitted, OutcomeUnknown, StatementFailed, Unreachable
from interlock.routes.dns_script import Update
from interlock.routes.dns_settings import DnsSettings, Place

# Of one question by UDP: a lost packet is not a dead server.
_TRIES = 3

_UNMET = {dns.rcode.NXRRSET, dns.rcode.YXRRSET, dns.rcode.NXDOMAIN, dns.rcode.YXDOMAIN}
_DENIED = {dns.rcode.REFUSED, dns.rcode.NOTAUTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The values of a name, of one kind, as text; none if there is no such record. `ttl_s` is 0 then."""

    kind: str
    values: tuple[str, ...]
    ttl_s: int


def ask_primary(settings: DnsSettings, kinds: Sequence[str]) -> tuple[Answer, ...]:
    """Each kind of the record, from the server that owns the zone. By TCP, where a dead server shows at once.

    Unreachable if it does not answer; StatementFailed if it does not own the zone, or says why it can't tell.
    """
    place = settings.primary
    with _errors_of_questions(place, settings.timeout_s), _connected(place, settings.timeout_s) as sock:
        return tuple(_asked(settings, place, kind, sock) for kind in kinds)


def ask_resolver(settings: DnsSettings, place: Place) -> Answer:
    """As a client asks. Unreachable if it does not answer; StatementFailed if it has no answer, in its word."""
    query = dns.message.make_query(settings.name, str(settings.kind))
    with _errors_of_questions(place, settings.timeout_s):
        for attempt in range(_TRIES):
            try:
                reply, _ = dns.query.udp_with_fallback(
                    query, place.host, port=place.port, timeout=settings.timeout_s / _TRIES, ignore_unexpected=True
                )
                return _answer(settings, place, str(settings.kind), reply)
            except dns.exception.Timeout:
                if attempt == _TRIES - 1:
                    raise
    raise AssertionError("the last try returns or raises")


def send(settings: DnsSettings, key: bytes, update: Update) -> bool:
    """Whether the primary took it; False if its prerequisite does not hold: then nothing was changed.

    Unreachable if nothing was sent; OutcomeUnknown if it was and no signed answer came; NotPermitted if the key may not.
    """
    place, name, kind = settings.primary, settings.name, str(settings.kind)
    tsig = settings.tsig
    message = dns.update.UpdateMessage(settings.zone, keyring=dns.tsig.Key(tsig.name, key, tsig.algorithm))
    message.present(name, kind, update.was)
    message.delete(name, kind)
    message.add(name, update.ttl_s, kind, update.value)
    with _connected(place, settings.timeout_s) as sock:
        try:
            reply = dns.query.tcp(message, place.host, port=place.port, timeout=settings.timeout_s, sock=sock)
        except dns.tsig.PeerError as error:
            raise _denied_key(settings, error) from error
        except (OSError, EOFError, dns.exception.DNSException) as error:
            words = _words(error, settings.timeout_s)
            raise OutcomeUnknown(f"DNS server {place}: {words} to an update of {name}", hint="it may still have taken it: look") from error
    if reply.rcode() in _DENIED:
        raise NotPermitted(
            f"DNS server {place} refuses updates of {name} by key {tsig.name} ({dns.rcode.to_text(reply.rcode())})",
            hint=f"allow the key to update {kind} of {name} there (BIND: allow-update or update-policy; Knot: acl with action update)",
        )
    if not reply.had_tsig:
        raise OutcomeUnknown(
            f"DNS server {place} gave an answer that is not signed to an update of {name}", hint="it may be another's: look"
        )
    if reply.rcode() in _UNMET:
        return False
    if reply.rcode() != dns.rcode.NOERROR:
        raise StatementFailed(f"DNS server {place} did not take an update of {name}: {dns.rcode.to_text(reply.rcode())}")
    return True


def _asked(settings: DnsSettings, place: Place, kind: str, sock: socket.socket) -> Answer:
    query = dns.message.make_query(settings.name, kind, flags=0)
    reply = dns.query.tcp(query, place.host, port=place.port, timeout=settings.timeout_s, sock=sock)
    if reply.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} and not reply.flags & dns.flags.AA:
        raise StatementFailed(
            f"DNS server {place} does not own zone {settings.zone}: its answer is not authoritative", hint="`server` is the zone's primary"
        )
    if reply.rcode() == dns.rcode.NXDOMAIN:
        return Answer(kind=kind, values=(), ttl_s=0)
    return _answer(settings, place, kind, reply)


def _answer(settings: DnsSettings, place: Place, kind: str, reply: dns.message.Message) -> Answer:
    if reply.rcode() != dns.rcode.NOERROR:
        raise StatementFailed(
            f"DNS server {place} can't tell {settings.name} {kind}: {dns.rcode.to_text(reply.rcode())}",
            hint="does it serve or forward that zone, and may this machine ask it?",
        )
    for rrset in reply.answer:
        if rrset.name.to_text().lower() == settings.name and rrset.rdtype in {dns.rdatatype.from_text(kind), dns.rdatatype.CNAME}:
            values = tuple(sorted(rdata.to_text().lower() for rdata in rrset))
            return Answer(kind=dns.rdatatype.to_text(rrset.rdtype), values=values, ttl_s=rrset.ttl)
    return Answer(kind=kind, values=(), ttl_s=0)


@contextmanager
def _connected(place: Place, within_s: float) -> Iterator[socket.socket]:
    """A connection of one use. Unreachable if there is none: then nothing was sent."""
    try:
        sock = socket.create_connection((place.host, place.port), timeout=within_s)
    except OSError as error:
        raise Unreachable(f"DNS server {place} can't be reached: {error.strerror or error}") from error
    with sock:
        sock.setblocking(False)  # dnspython waits by itself, and wants it so
        yield sock


@contextmanager
def _errors_of_questions(place: Place, within_s: float) -> Iterator[None]:
    """A question leaves nothing behind: whatever kept its answer away, the server is out of reach."""
    try:
        yield
    except DriverError:
        raise
    except (OSError, EOFError, dns.exception.DNSException) as error:
        raise Unreachable(f"DNS server {place}: {_words(error, within_s)}") from error


def _words(error: Exception, within_s: float) -> str:
    match error:
        case dns.exception.Timeout():
            return f"no answer within {within_s:g}s"
        case EOFError() | ConnectionError():
            return "the connection ended without an answer"
        case _:
            return f"no answer that could be read ({type(error).__name__}: {error})"


def _denied_key(settings: DnsSettings, error: dns.tsig.PeerError) -> NotPermitted:
    match error:
        case dns.tsig.PeerBadTime():
            why, hint = "the times differ by more than it allows (BADTIME)", "set the clocks here and there (RFC 8945, 5.2.3: 300 s)"
        case dns.tsig.PeerBadKey():
            why, hint = "it knows no key of that name and algorithm (BADKEY)", "compare `tsig` with the server's configuration"
        case _:
            why, hint = "the signature is wrong (BADSIG)", "is it the secret of this key?"
    return NotPermitted(f"DNS server {settings.primary} does not accept key {settings.tsig.name}: {why}", hint=hint)
