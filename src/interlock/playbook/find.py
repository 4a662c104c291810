"""Where playbooks are: a path, a name in the working directory's `playbooks/`, or the name of one that ships."""

from __future__ import annotations

from pathlib import Path

from interlock.documents.problems import Problems, did_you_mean, shown
from interlock.documents.values import NAME
from interlock.documents.yaml import MapNode, Scalar, read_file, read_tree
from interlock.errors import InvalidFile, UsageError

SUFFIXES = (".yaml", ".yml")

Listed = tuple[str, Path, str]
"""Name, path and summary."""


def shipped_folder() -> Path:
    """In the wheel `interlock/shipped`; in a checkout the repository's own `playbooks/`."""
    package = Path(__file__).parent.parent
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent.parent / "playbooks"


def shipped() -> list[Listed]:
    return in_folder(shipped_folder())


def in_folder(folder: Path) -> list[Listed]:
    """The playbooks of a folder, by name. One that can't be read is listed too, with an empty summary."""
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    return [(path.stem, path, _summary(path)) for path in files]


def find_playbook(name_or_path: str, cwd: Path) -> Path:
    """UsageError, naming the nearest ones, if there is none. A text with a `/` or a suffix is a path, relative to `cwd`."""
    if "/" in name_or_path or name_or_path.endswith(SUFFIXES):
        path = cwd / name_or_path
        if "\0" in name_or_path or not path.is_file():
            raise UsageError(f"there is no file {shown(name_or_path)}", hint="check the path, or give the name of a playbook")
        return path
    folders = (cwd / "playbooks", shipped_folder())
    if NAME.fullmatch(name_or_path):
        for folder in folders:
            for suffix in SUFFIXES:
                path = folder / f"{name_or_path}{suffix}"
                if path.is_file():
                    return path
    names = dict.fromkeys(name for folder in folders for name, _, _ in in_folder(folder))
    raise UsageError(
        f"there is no playbook {shown(name_or_path)}", hint=did_you_mean(name_or_path, names) or "`interlock playbook list` shows all"
    )


def _summary(path: Path) -> str:
    try:
        root = read_tree(read_file(path), Problems(str(path)))
    except InvalidFile:
        return ""
    summary = root.get("summary") if isinstance(root, MapNode) else None
    return summary.text if isinstance(summary, Scalar) else ""
