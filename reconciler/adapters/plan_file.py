"""Plan files: a plan written down, to be read by a person and applied later. Parsed by pydantic, never trusted."""

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from reconciler.core.plan import Plan
from reconciler.errors import PlanFileError

_PLAN = TypeAdapter(Plan)


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan, readable by this user alone; raises PlanFileError where the file cannot be written."""
    try:
        with open(path, "wb", opener=_private) as file:
            file.write(_PLAN.dump_json(plan, indent=1))
            file.write(b"\n")
    except OSError as error:
        raise PlanFileError(f"the plan cannot be written to {path}: {error.strerror}", hint="name another file") from error


def read_plan(path: Path) -> Plan:
    """Read a plan; raises PlanFileError where the file is no plan, is broken, or was made by another version."""
    try:
        return _PLAN.validate_json(path.read_bytes())
    except OSError as error:
        raise PlanFileError(f"the plan {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PlanFileError(f"{path} is not a plan: {where}: {first['msg'][0].lower()}{first['msg'][1:]}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
