"""Where the policy documents lie: beside the package in a checkout, inside it in a wheel."""

import json
from pathlib import Path
from typing import Any

from reconciler.errors import SettingsError

_PACKAGE = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """Return the folder that holds the policy documents."""
    inside = _PACKAGE / "policies"
    return inside if inside.is_dir() else _PACKAGE.parent / "policies"


def names() -> list[str]:
    """Return the names of all policy documents, sorted."""
    return sorted(path.stem for path in folder().glob("*.json"))


def load(name: str) -> Any:
    """Return one policy document as data, its placeholders unfilled; raises SettingsError for an unknown name."""
    if name not in names():
        raise SettingsError(f"there is no policy document {name!r}", hint=f"there are {', '.join(names())}")
    return json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
