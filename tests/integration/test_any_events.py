"""Events may be lost, repeated, reordered, delayed or forged: once plans have been applied all is as if none had come."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from events_support import CREATED, REMOVED, TAGGED, body, consume
from hypothesis import given, settings
from hypothesis import strategies as st
from integration_support import put, remove, rows
from support import JPEG, OWNER, PNG, PREFIX, Stage, memory_stage

from reconciler.adapters.memory import MemoryObjects
from reconciler.core.guards import Limits
from reconciler.core.model import Status, Upload
from reconciler.core.plan import PlanOptions
from reconciler.errors import ObjectNotFoundError, UploadError
from reconciler.ports import Target

UNLIMITED = Limits(max_delete=1000)
GRACES = 3  # retentions: an upload whose completion was rolled back gets two
FORGED = (
    "poison",
    '{"Records": [{"s3": {"bucket": {"name": "photos"}, "object": {"key": "uploads/forged"}}}]}',
    body("photos", f"{PREFIX}.reconciler/instance.json", "logs/x", name=REMOVED),
    body("another", f"{PREFIX}2026/11/22/a.jpg"),
)


class TellingObjects(MemoryObjects):
    """A bucket in memory that pushes an event for everything that is done to it, as S3 does."""

    def __init__(self, bucket: str, clock: Any) -> None:
        super().__init__(bucket, clock)
        self.events: list[str] = []

    def put(self, key: str, body: bytes, *, content_type: str = "", tags: Mapping[str, str] | None = None) -> None:
        super().put(key, body, content_type=content_type, tags=tags)
        self._tell(key, CREATED)

    def put_tags(self, key: str, tags: Mapping[str, str], *, version_id: str | None = None) -> None:
        super().put_tags(key, tags, version_id=version_id)
        self._tell(key, TAGGED)

    def delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        errors = super().delete(targets)
        for target in targets:
            self._tell(target.key, REMOVED)
        return errors

    def _tell(self, key: str, name: str) -> None:
        self.events.append(body(self.bucket, key, name=name))


class Story:
    """What users, other programs and time do to a bucket, step by step, while events arrive or do not."""

    def __init__(self) -> None:
        self.stage: Stage = memory_stage()
        self.stage.objects = TellingObjects("photos", self.stage.clock)
        browser_objects = self.stage.objects

        def browser(ticket: Any, body: bytes) -> int:
            browser_objects.put(ticket.key, body, content_type="image/jpeg", tags={"status": "pending"})
            return 200

        self.stage.browser = browser
        self.stage.objects.put_marker(f"{PREFIX}.reconciler/instance.json", self.stage.table.binding(), overwrite=False)
        self.keys: list[str] = []

    def step(self, what: str, which: int) -> None:
        """One thing happens, to one of the keys there are."""
        if what == "presign":
            self.keys.append(self.stage.presign().key)
        elif what == "wait":
            self.stage.advance(hours=(1, 9, 25)[which % 3])
        elif self.keys:
            key = self.keys[which % len(self.keys)]
            with suppress(UploadError):
                getattr(self, f"_{what}")(key)

    def _upload(self, key: str) -> None:
        put(self.stage, key, JPEG, status="pending")

    def _replay(self, key: str) -> None:
        put(self.stage, key, PNG, kind="image/png", status="pending")

    def _complete(self, key: str) -> None:
        self.stage.uploads.complete(key, owner=OWNER)

    def _replace(self, key: str) -> None:
        self.keys.append(self.stage.presign(replaces=key).key)

    def _release(self, key: str) -> None:
        self.stage.uploads.release(key, owner=OWNER)

    def _untag(self, key: str) -> None:
        with suppress(ObjectNotFoundError):
            self.stage.objects.put_tags(key, {"scan": "clean"})

    def _vanish(self, key: str) -> None:
        remove(self.stage, key)

    def deliver(self, picks: Sequence[int]) -> None:
        """Some of the events so far arrive, in any order, any number of times, and forged ones among them."""
        pool = [*self.stage.objects.events, *FORGED]
        consume(self.stage, *(pool[pick % len(pool)] for pick in picks))

    def converge(self) -> tuple[list[Upload], dict[str, Any]]:
        """Plan with tags and apply until all grace is over; return rows and objects, by the order of their keys.

        The moments and reasons of a repair tell how soon it came, so they are left out.
        """
        for _ in range(GRACES):
            self.stage.apply(self.stage.planner.listing(PlanOptions(tags=True)), limits=UNLIMITED)
            self.stage.advance(hours=25)
        names = {key: f"key {number}" for number, key in enumerate(self.keys)}
        found = {names[key]: self._object(key) for key in self.stage.keys() & set(names)}
        return [_timeless(row, names) for row in sorted(rows(self.stage), key=lambda row: self.keys.index(row.key))], found

    def _object(self, key: str) -> tuple[bytes, Any]:
        """Its bytes, and its tags while it is completed: one that is to be deleted may or may not have been mended before."""
        objects = self.stage.objects
        completed = self.stage.row(key).status is Status.COMPLETED
        return objects.body(key), objects.tags(key) if completed else None


def _timeless(row: Upload, names: Mapping[str, str]) -> Upload:
    replaced = names.get(row.replaces) if row.replaces else None
    forgotten = ["stored_at", "settled_at", "confirmed_at", "deleted_at", "last_modified", "reason"]
    if row.completed_at is None:  # what was seen of an object that nobody has completed is good to know, and no more
        forgotten += ["etag", "size", "content_type"]
    return replace(row, key=names[row.key], object_url="", replaces=replaced, due_at=row.created_at, **dict.fromkeys(forgotten))


WHAT = ("presign", "upload", "upload", "complete", "complete", "replay", "replace", "release", "untag", "vanish", "wait")
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 5), st.lists(st.integers(0, 60), max_size=6)), min_size=1, max_size=25
)


@settings(max_examples=300, deadline=timedelta(seconds=5))
@given(STEPS)
def test_events_change_only_how_soon(steps: list[tuple[str, int, list[int]]]) -> None:
    """The same story with any events arriving at any time, and with none, ends alike."""
    eventful, silent = Story(), Story()
    for what, which, picks in steps:
        for story in (eventful, silent):
            story.step(what, which)
        eventful.deliver(picks)
    assert eventful.converge() == silent.converge()


@settings(max_examples=50, deadline=timedelta(seconds=5))
@given(STEPS, st.randoms(use_true_random=False))
def test_every_event_at_the_end_leaves_nothing_to_plan(steps: list[tuple[str, int, list[int]]], random: Any) -> None:
    """Once all events have arrived, in any order, and the marker is in place, a plan finds nothing that they should have done."""
    story = Story()
    for what, which, _ in steps:
        story.step(what, which)
    events = [json.dumps(json.loads(event)) for event in story.stage.objects.events]
    random.shuffle(events)
    consume(story.stage, *events)
    named = {key for key in story.keys if any(key in event for event in events)}
    plan = story.stage.planner.listing(PlanOptions(tags=True))
    assert [action for action in plan.writing if action.key in named] == []
