"""Secrets: read once, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from interlock.errors import UsageError
from interlock.hosts.secrets import Secrets
from interlock.model.topology import SecretRef, SecretSource

SECRET = "s3cr3t-words"


def env(name: str) -> SecretRef:
    return SecretRef(source=SecretSource.ENV, place=(name,))


def file(path: Path) -> SecretRef:
    return SecretRef(source=SecretSource.FILE, place=(str(path),))


def command(*argv: str) -> SecretRef:
    return SecretRef(source=SecretSource.COMMAND, place=argv)


def private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [b"s3cr3t-words", b"s3cr3t-words\n", b"s3cr3t-words\r\n"], ids=["bare", "unix", "dos"])
def test_a_file_is_read_without_its_last_line_break(tmp_path: Path, content: bytes) -> None:
    assert Secrets().read(file(private(tmp_path / "p", content))) == SECRET


def test_blanks_and_earlier_line_breaks_belong_to_the_secret(tmp_path: Path) -> None:
    assert Secrets().read(file(private(tmp_path / "p", b" a\nb \n\n"))) == " a\nb \n"


def test_environment_and_command_give_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    assert Secrets().read(env("DB_PASSWORD")) == SECRET
    assert Secrets().read(command("echo", SECRET)) == SECRET


def test_a_place_is_read_once(tmp_path: Path) -> None:
    secrets, note = Secrets(), tmp_path / "asked"
    ref = command("sh", "-c", f"echo x >>{note}; echo {SECRET}")
    assert secrets.read(ref) == secrets.read(ref) == SECRET
    assert note.read_text() == "x\n"


def test_every_secret_that_was_read_is_struck_out_the_longest_first(tmp_path: Path) -> None:
    secrets = Secrets()
    secrets.read(file(private(tmp_path / "a", b"pass")))
    secrets.read(file(private(tmp_path / "b", b"passphrase")))
    assert secrets.redact("login with passphrase, then pass") == "login with ***, then ***"
    assert "pass" not in repr(secrets)


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        (env("NOT_SET_ANYWHERE"), "environment variable NOT_SET_ANYWHERE is not set"),
        (file(Path("/nowhere/p")), "file /nowhere/p can't be read: No such file or directory"),
        (file(Path("/usr")), "file /usr can't be read: Is a directory"),
        (command("sh", "-c", "echo s3cr3t-words; echo s3cr3t-trace >&2; exit 2"), "command sh ended with 2"),
        (command("./no-such-vault"), "command ./no-such-vault: ./no-such-vault can't be run: no such file"),
        (command("true"), "the secret from command true is empty"),
    ],
    ids=["unset", "no file", "folder", "failed", "no program", "empty"],
)
def test_an_error_names_the_place_and_never_the_secret(ref: SecretRef, words: str) -> None:
    with pytest.raises(UsageError) as failed:
        Secrets().read(ref)
    assert failed.value.message.startswith(words)
    assert SECRET not in failed.value.message + failed.value.hint


def test_a_file_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    place = private(tmp_path / "p", SECRET.encode(), 0o644)
    with pytest.raises(UsageError, match="can be read by everybody") as refused:
        Secrets().read(file(place))
    assert refused.value.hint == f"chmod 600 {place}"


def test_bytes_that_are_no_text_do_not_show_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not UTF-8 text") as failed:
        Secrets().read(file(private(tmp_path / "p", b"s3cr3t\xff")))
    assert failed.value.__cause__ is None
