"""What the integration tests share: stepping into an adapter, raw objects, and the state of a whole stage as a value."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import JPEG, PREFIX, Stage, memory_stage, sqlite_table

from reconciler.core.model import STATUS_TAG, Upload
from reconciler.core.rows import EVERY
from reconciler.ports import Target

OBJECT_WRITES = ("put_tags", "delete", "put_marker")
TABLE_WRITES = ("insert", "move", "forget", "bind", "record_run", "begin", "join")
UNTRACKED_KEY = f"{PREFIX}2026/11/20/untracked.jpg"


class Call(NamedTuple):
    """One call of an adapter's verb."""

    verb: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Around:
    """An adapter whose calls are written down, and any verb of which a test may replace."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls: list[Call] = []
        self._steps: dict[str, Callable[..., Any]] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name.startswith("_") or not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(Call(name, args, kwargs))
            step = self._steps.get(name)
            return step(found, *args, **kwargs) if step else found(*args, **kwargs)

        return call

    def instead(self, verb: str, step: Callable[..., Any]) -> "Around":
        """Call `step(original, *args, **kwargs)` in place of a verb."""
        self._steps[verb] = step
        return self

    def before(self, verb: str, step: Callable[[], object], *, times: int = 1) -> "Around":
        """Let something happen right before the first calls of a verb."""
        left = [step] * times

        def stepped(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            if left:
                left.pop()()
            return original(*args, **kwargs)

        return self.instead(verb, stepped)

    def failing(self, verb: str, error: Exception) -> "Around":
        """Raise instead of carrying out a verb."""

        def fail(*_: Any, **__: Any) -> Any:
            raise error

        return self.instead(verb, fail)

    def mend(self) -> None:
        """Carry out every verb again."""
        self._steps.clear()

    def verbs(self) -> list[str]:
        """Return the verbs that were called, in order."""
        return [call.verb for call in self.calls]


def around_objects(stage: Stage) -> Around:
    """Step between the use cases and the bucket."""
    stage.objects = Around(stage.objects)
    return stage.objects


def around_table(stage: Stage) -> Around:
    """Step between the use cases and the table."""
    stage.table = Around(stage.table)
    return stage.table


def forbid_writing(stage: Stage) -> None:
    """Let every writing verb fail the test."""
    for around, verbs in ((around_objects(stage), OBJECT_WRITES), (around_table(stage), TABLE_WRITES)):
        for verb in verbs:
            around.instead(verb, lambda *_, verb=verb, **__: pytest.fail(f"{verb} was called"))


def put(stage: Stage, key: str, body: bytes = JPEG, *, kind: str = "image/jpeg", **tags: str) -> str:
    """Put an object as anybody with the bucket's keys could, overwriting what was there; return the key."""
    objects = getattr(stage.objects, "inner", stage.objects)
    if hasattr(objects, "put"):
        objects.put(key, body, content_type=kind, tags=tags)
        return key
    tagging = "&".join(f"{name}={value}" for name, value in tags.items())
    objects._client.put_object(Bucket=objects.bucket, Key=key, Body=body, ContentType=kind, Tagging=tagging)
    return key


def tag_as(stage: Stage, key: str, status: str) -> None:
    """Set the object's tag behind everybody's back."""
    getattr(stage.objects, "inner", stage.objects).put_tags(key, {STATUS_TAG: status})


def remove(stage: Stage, key: str) -> None:
    """Delete an object behind everybody's back."""
    getattr(stage.objects, "inner", stage.objects).delete([Target(key)])


def is_there(stage: Stage, key: str) -> bool:
    """Say whether there is an object at the key."""
    return key in stage.keys()  # noqa: SIM118  a Stage is no mapping


def disputed(stage: Stage) -> str:
    """Make an upload whose row is pending although its object is tagged completed."""
    key = stage.upload()
    tag_as(stage, key, "completed")
    return key


def untracked(stage: Stage, key: str = UNTRACKED_KEY, **tags: str) -> str:
    """Put an object without a row, and let it grow older than the minimum age."""
    put(stage, key, **tags)
    stage.advance(hours=25)
    return key


def rows(stage: Stage) -> list[Upload]:
    """Return every row."""
    found: list[Upload] = stage.table.select(EVERY, limit=100_000)
    return found


def state(stage: Stage) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return everything the table and the bucket hold, to be compared."""
    tags = {key: dict(stage.objects.tags(key)) for key in sorted(stage.keys())}
    return [asdict(row) for row in rows(stage)], tags


def sql_stage(folder: Path) -> Stage:
    """Objects in memory, the table in a SQLite file."""
    stage = memory_stage()
    stage.table = sqlite_table(folder)
    stage.objects._markers.clear()
    return stage.bind()
