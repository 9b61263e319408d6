"""Plan files: a plan written down, to be read by a person and applied later. Parsed by pydantic, never trusted."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from reconciler.core.plan import Plan
from reconciler.errors import PlanFileError

_PLAN = TypeAdapter(Plan)


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan, readable by this user alone, whole or not at all; raises PlanFileError where that is impossible."""
    text = _PLAN.dump_json(plan, indent=1) + b"\n"
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(text)  # a pipe or a device keeps what it is
            return
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:  # made with mode 0600
            file.write(text)
        Path(file.name).replace(path.resolve())
    except OSError as error:
        raise PlanFileError(f"the plan cannot be written to {path}: {error.strerror}", hint="name another file") from error


def read_plan(path: Path) -> Plan:
    """Read a plan; raises PlanFileError where the file is no plan, is broken, or was made by another version."""
    try:
        text = path.read_bytes()
        plan = _PLAN.validate_json(text)
    except OSError as error:
        raise PlanFileError(f"the plan {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PlanFileError(f"{path} is not a plan: {where}: {first['msg'][0].lower()}{first['msg'][1:]}") from error
    # Each kind of action is its class's default, so one that names none would be taken for the first that fits.
    if not all("kind" in action for action in json.loads(text).get("actions", [])):
        raise PlanFileError(f"{path} is not a plan: an action has no kind")
    keys = [action.key for action in plan.actions]
    if len(keys) != len(set(keys)):
        raise PlanFileError(f"{path} is not a plan: it names a key twice")
    if any(moment.tzinfo is None for moment in _moments(plan)):
        raise PlanFileError(f"{path} is not a plan: a time has no time zone")
    return plan


def _moments(value: Any) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _moments(item)
    elif is_dataclass(value):
        for each in fields(value):
            yield from _moments(getattr(value, each.name))
