"""The MariaDB driver against servers that hang, refuse, are full, or show the wrong certificate."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pymysql
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import hanging
from interlock.clock import SystemClock
from interlock.errors import DriverError, OutcomeUnknown, RefusedButAlive, StatementFailed, Unreachable
from interlock.model.effects import Fence, Open
from interlock.model.position import MariaDBPosition
from interlock.model.topology import ServerName, Tls
from interlock.sandbox import pair as pairs
from interlock.sandbox import sql
from interlock.sandbox.places import Sandbox
from interlock.servers.mariadb_script import SETUP
from interlock.servers.pool import Pool, Purpose
from servers.mariadb_lab import PASSWORD, TOOL, client, driver, make_accounts, server_pid, spec
from waiting import eventually

EAST = ServerName("east")


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """A self-signed certificate for any loopback address of the sandbox: the pair's members are told by `verify_name`."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-tls-"))
    yield _certificate(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lab(certificate: Path) -> Iterator[Sandbox]:
    """A pair of this module's own: east speaks TLS, west does not."""
    folder = Path(tempfile.mkdtemp(prefix="interlock-"))
    options = {"ssl_cert": str(certificate), "ssl_key": str(certificate.with_suffix(".key"))}
    sandbox = pairs.up(folder / "pair", clock=SystemClock(), only={"east": options})
    try:
        make_accounts(sandbox)
        yield sandbox
    finally:
        pairs.down(folder / "pair")
        shutil.rmtree(folder)


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "interlock test")])
    now = datetime.now(UTC)  # noqa: TID251 - a certificate's life is the machine's time
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


# -- hung


def test_a_hung_server_is_unreachable_within_the_bounds(lab: Sandbox) -> None:
    with driver(lab, "west") as west:
        west.warm_up()
        began = time.perf_counter()
        with hanging.hung(server_pid(lab, "west")):
            with pytest.raises(Unreachable, match=r"west: .*no answer 3s after it was sent"):
                west.write_facts()
            with pytest.raises(Unreachable, match=r"no answer 1.7s"):
                west.wait_applied(MariaDBPosition.parse("1-1-99999999"), 0.2)
        assert time.perf_counter() - began < 60  # it hangs until it is woken
        assert west.write_facts().read_only


def test_a_fence_into_a_hung_server_is_unknown_and_never_lands_after_settle(lab: Sandbox) -> None:
    """The statement lies unread in the server's socket: it is in no process list, and would land when the server wakes up."""
    with driver(lab, "east") as east:
        east.warm_up()
        with hanging.hung(server_pid(lab, "east")):
            with pytest.raises(OutcomeUnknown) as unknown:
                east.apply(Fence(server=EAST, within_s=0.3), "m")
            assert "could not be proved gone" in unknown.value.message
            (suspect,) = east._pool.suspects
        east.settle()
        assert not sql.query(lab, "east", f"SELECT 1 FROM information_schema.processlist WHERE id={suspect}")
        east.apply(Open(server=EAST), "m")
        time.sleep(0.3)  # noqa: TID251 - the time in which it would land
        assert not east.write_facts().read_only


def test_a_timed_out_statement_is_killed_and_proved_gone(lab: Sandbox) -> None:
    """Without the kill the SET lands as soon as the lock goes, long after everybody has decided that it failed."""
    with ExitStack() as stack:
        pool = Pool(spec(lab, "east"), secrets=lambda ref: ref.place[0], clock=SystemClock(), setup=lambda _: SETUP)
        stack.callback(pool.drop)
        holder = stack.enter_context(client(lab, "east"))
        sql.rows(holder, "LOCK TABLES app.ledger WRITE")
        session = pool.fresh(Purpose.ACT, settings="SET SESSION max_statement_time=0, lock_wait_timeout=86400")
        with pytest.raises(OutcomeUnknown, match=rf"its connection {session.id} was killed and is proved gone"):
            pool.act(("SET GLOBAL read_only=1",), bound_s=-0.5, doing="fence", session=session)
        assert not session.alive
        assert not pool.suspects
        sql.rows(holder, "UNLOCK TABLES")
        time.sleep(0.2)  # noqa: TID251 - the time in which it would land
        assert sql.query(lab, "east", "SELECT @@GLOBAL.read_only AS r") == [{"r": 0}]


def test_settle_ends_the_marked_statements_of_a_run_that_died(lab: Sandbox) -> None:
    with ExitStack() as stack:
        pool = Pool(spec(lab, "east"), secrets=lambda ref: ref.place[0], clock=SystemClock(), setup=lambda _: SETUP)
        stack.callback(pool.drop)
        holder = stack.enter_context(client(lab, "east"))
        sql.rows(holder, "LOCK TABLES app.ledger WRITE")
        dead = pool.fresh(Purpose.ACT, settings="SET SESSION max_statement_time=0, lock_wait_timeout=86400")
        sent: Any = dead._connection  # it sends and waits for nothing, like a process that was killed
        sent._execute_command(3, "/* interlock:old-run */ SET GLOBAL read_only=1")
        waiting = f"SELECT 1 FROM information_schema.processlist WHERE id={dead.id} AND info LIKE '/* interlock%'"
        assert eventually(lambda: bool(sql.query(lab, "east", waiting)))
        with driver(lab, "east") as east:
            east.settle()
        assert not sql.query(lab, "east", f"SELECT 1 FROM information_schema.processlist WHERE id={dead.id}")
        sql.rows(holder, "UNLOCK TABLES")
    assert sql.query(lab, "east", "SELECT @@GLOBAL.read_only AS r") == [{"r": 0}]


def test_a_connection_that_the_server_ended_is_replaced_for_reads_and_effects(lab: Sandbox) -> None:
    with driver(lab, "east") as east:
        east.warm_up()
        sql.query(lab, "east", f"KILL USER {TOOL}")
        assert not east.write_facts().read_only


def test_a_lock_ends_with_its_connection(lab: Sandbox) -> None:
    with driver(lab, "east") as east:
        east.take_lock("interlock:lost")
        (row,) = sql.query(lab, "east", "SELECT IS_USED_LOCK('interlock:lost') AS id")
        sql.query(lab, "east", f"KILL {row['id']}")
        with pytest.raises(Unreachable):
            east.holds_lock("interlock:lost")
        assert not east.holds_lock("interlock:lost")


# -- alive, but it lets us not in


def test_a_wrong_password_is_refused_but_alive_and_appears_nowhere(lab: Sandbox) -> None:
    with driver(lab, "east", password="wrong-secret") as east, pytest.raises(RefusedButAlive) as refused:
        east.write_facts()
    shown = "".join(traceback.format_exception(refused.value)) + repr(east) + repr(refused.value.args)
    assert "1045" in refused.value.message
    assert "wrong-secret" not in shown
    assert PASSWORD not in shown


def test_a_full_server_is_refused_but_alive(lab: Sandbox) -> None:
    sql.query(lab, "west", "SET GLOBAL max_connections=10")
    with ExitStack() as stack:
        stack.callback(sql.query, lab, "west", "SET GLOBAL max_connections=200")
        admin = stack.enter_context(client(lab, "west", "admin"))
        with pytest.raises(pymysql.err.OperationalError, match="Too many connections"):
            deque((stack.enter_context(client(lab, "west")) for _ in range(20)), maxlen=0)
        with driver(lab, "west") as west, pytest.raises(RefusedButAlive, match="1040") as full:
            west.warm_up()  # its first connection takes the place that is kept for CONNECTION ADMIN
        assert "max_connections" in full.value.hint
        sql.rows(admin, "SET GLOBAL max_connections=200")


def test_nobody_listens(lab: Sandbox) -> None:
    with driver(lab, "east") as east:
        object.__setattr__(east.spec, "port", 3299)
        with pytest.raises(Unreachable, match="Connection refused") as refused:
            east.facts()
    assert "check host, port" in refused.value.hint


# -- TLS


def test_tls_is_used_when_asked_for(lab: Sandbox, certificate: Path) -> None:
    with driver(lab, "east", tls=Tls(ca=str(certificate), verify_name=False)) as east:
        assert east._pool.rows("SHOW STATUS LIKE 'Ssl_cipher'")[0]["Value"]
    with driver(lab, "east") as plain:
        assert not plain._pool.rows("SHOW STATUS LIKE 'Ssl_cipher'")[0]["Value"]


def _wrong(kind: str, certificate: Path) -> Tls:
    match kind:
        case "another authority":
            (certificate.parent / "other").mkdir(exist_ok=True)
            return Tls(ca=str(_certificate(certificate.parent / "other")), verify_name=False)
        case "no such file":
            return Tls(ca="/nonexistent/ca.pem")
        case _:
            return Tls(ca=str(certificate))


@pytest.mark.parametrize(
    ("server", "kind", "error", "says"),
    [
        pytest.param("east", "another authority", RefusedButAlive, "certificate verify failed", id="another-authority"),
        pytest.param("east", "another name", RefusedButAlive, "IP address mismatch", id="another-name"),
        pytest.param("east", "no such file", StatementFailed, "can't be used", id="no-such-file"),
        pytest.param("west", "server without", RefusedButAlive, "SSL is required", id="server-without"),
    ],
)
def test_tls_that_can_not_be_trusted_is_not_taken_for_a_dead_server(
    lab: Sandbox, certificate: Path, *, server: str, kind: str, error: type[DriverError], says: str
) -> None:
    with driver(lab, server, tls=_wrong(kind, certificate)) as peer, pytest.raises(error, match=says) as refused:
        peer.write_facts()
    assert "tls" in refused.value.hint or "ca" in refused.value.hint
