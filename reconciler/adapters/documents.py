"""Where the policy documents lie: beside the package in a checkout, inside it in a wheel."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import SettingsError

_PACKAGE = Path(__file__).resolve().parents[1]

PURPOSES: Mapping[str, str] = {
    "bucket-policy": "holds the promises against careless and stolen credentials",
    "bucket-policy-portable": "the same where a store does not know AWS's condition keys; `reconcile doctor --policy` says which",
    "cors": "lets a browser on your site send a presigned upload",
    "iam-completer": "what the backend that completes uploads may do",
    "iam-installer": "what may put the bucket's configuration in place, and look at it",
    "iam-presigner": "what the backend that presigns may do",
    "iam-reader": "what may look: plan, list, show, check",
    "iam-reconciler": "what init, sweep, apply, watch, adopt, accept and restore may do",
    "iam-tagger": "what another program that tags, such as a malware scanner, may do",
    "lifecycle": "the safety net on a bucket without versions",
    "lifecycle-versioned": "the same on a bucket that keeps, or has ever kept, versions",
    "notifications": "sends the bucket's events to a queue, a topic or EventBridge",
    "queue-policy": "lets the bucket, and nobody else, send to that queue",
}


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
