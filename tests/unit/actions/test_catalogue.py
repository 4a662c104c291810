"""The table of which module has which actions is right; and only the modules that a playbook asks for are imported."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import interlock.actions
from interlock.actions.catalogue import _MODULES, catalogue
from interlock.playbook.catalogue import Verb

_FOLDER = Path(next(iter(interlock.actions.__path__)))
_FILES = sorted(file.stem for file in _FOLDER.glob("*.py") if "\nSPECS = " in file.read_text())


def test_every_module_with_actions_is_in_the_table() -> None:
    assert sorted(_MODULES) == _FILES


@pytest.mark.parametrize("module", _FILES)
def test_the_table_says_what_the_module_has(module: str) -> None:
    specs = import_module(f"interlock.actions.{module}").SPECS
    assert tuple(dict.fromkeys(spec.name for spec in specs)) == _MODULES[module]
    assert all(catalogue()[spec.verb, spec.name] is spec for spec in specs)


def test_a_name_is_known_by_its_verb() -> None:
    known = catalogue()
    assert (Verb.DO, "server.fence") in known
    assert (Verb.CHECK, "server.fence") not in known
    assert (Verb.CHECK, "no.such_check") not in known


def test_asking_for_one_imports_no_other() -> None:
    program = (
        "import sys; from interlock.actions.catalogue import catalogue; from interlock.playbook.catalogue import Verb;"
        "catalogue()[Verb.DO, 'route.flip'];"
        "print(*sorted(name for name in sys.modules if name.startswith('interlock.actions.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    own = [name.removeprefix("interlock.actions.") for name in done.stdout.split()]
    assert set(own) & set(_MODULES) == {"route_flip"}
