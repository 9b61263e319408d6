"""Deleting, in bulk: claim, journal the intent, delete, journal the outcome, bury.

The claim is committed before anything is deleted, so complete can no longer win. A crash after it leaves rows in `deleting`,
which the next run finishes. Only keys that S3 has confirmed as gone are buried.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any, TypeVar

from reconciler.core import rows
from reconciler.core.actions import (
    Delete,
    DeleteLateArrival,
    DeleteUntracked,
    Deletion,
    FinishDeletion,
    Forget,
    Tombstone,
)
from reconciler.core.model import Status, Tag, Upload
from reconciler.core.report import Fate, Outcome
from reconciler.core.timing import Timing
from reconciler.errors import StoreError
from reconciler.ports import Clock, Journal, Objects, Table, Target
from reconciler.reading import find, vote

MOVED = "the row has moved on since the plan was made"

D = TypeVar("D", bound=Deletion)


class Deleter:
    """The deletions of one run."""

    def __init__(
        self,
        *,
        objects: Objects,
        table: Table,
        clock: Clock,
        journal: Journal,
        timing: Timing,
        run: str,
        track: Callable[[DeleteUntracked], Upload],
    ) -> None:
        self._objects = objects
        self._table = table
        self._clock = clock
        self._journal = journal
        self._timing = timing
        self._run = run
        self._track = track

    def tombstone(self, batch: Sequence[Tombstone]) -> Iterator[Outcome]:
        """Bury due rows whose object never came."""
        for reason, group in groupby(batch, key=lambda action: action.reason):
            actions = list(group)
            moved = self._table.move(_keys(actions), rows.bury_absent(reason, now=self._clock.now()))
            yield from (_done_or_moved(action, done=action.key in moved) for action in actions)

    def delete(self, batch: Sequence[Delete]) -> Iterator[Outcome]:
        """Claim due rows whose vote still allows it, and delete their objects."""
        voted = yield from self._vote_again(batch)
        for reason, group in groupby(voted, key=lambda action: action.reason):
            actions = list(group)
            claimed = self._table.move(_keys(actions), rows.claim(reason, now=self._clock.now()))
            yield from (_done_or_moved(action, done=False) for action in actions if action.key not in claimed)
            yield from self._destroy([action for action in actions if action.key in claimed], rows.bury)

    def untracked(self, batch: Sequence[DeleteUntracked]) -> Iterator[Outcome]:
        """Claim objects without a row by inserting one each, and delete them while they are what was seen."""
        voted = yield from self._vote_again(batch)
        claimed = []
        for action in voted:
            if self._table.insert(self._track(action)):
                claimed.append(action)
            else:
                yield Outcome(action, Fate.SKIPPED, "it has a row now")
        yield from self._destroy(claimed, rows.bury)

    def finish(self, batch: Sequence[FinishDeletion]) -> Iterator[Outcome]:
        """Delete the objects of rows claimed or released before, whose grace is over."""
        found = self._table.get_many(_keys(batch))
        over = rows.unfinished(self._clock.now())
        ready = [action for action in batch if action.key in found and over.holds(found[action.key])]
        yield from (_done_or_moved(action, done=False) for action in batch if action not in ready)
        yield from self._destroy(ready, rows.bury)

    def late(self, batch: Sequence[DeleteLateArrival]) -> Iterator[Outcome]:
        """Delete objects that came after their row was deleted, and begin the tombstone's life anew."""
        voted = yield from self._vote_again(batch)
        found = self._table.get_many(_keys(voted))
        ready = [action for action in voted if action.key in found and found[action.key].status is Status.DELETED]
        yield from (_done_or_moved(action, done=False) for action in voted if action not in ready)
        yield from self._destroy(ready, rows.bury_again)

    def forget(self, batch: Sequence[Forget]) -> Iterator[Outcome]:
        """Delete once more at the keys of outlived tombstones, then remove the rows."""
        keys = _keys(batch)
        if self._objects.versioned():
            # A delete where nothing is would stack one more delete marker.
            keys = [key for key in keys if find(self._objects, key) is not None]
        errors = self._objects.delete([Target(key) for key in keys]) if keys else {}
        gone = [action.key for action in batch if action.key not in errors]
        forgotten = self._table.forget(gone, rows.outlived(self._clock.now(), self._timing))
        for action in batch:
            if action.key in errors:
                yield Outcome(action, Fate.FAILED, errors[action.key])
            else:
                yield _done_or_moved(action, done=action.key in forgotten)

    def _vote_again(self, batch: Sequence[D]) -> Generator[Outcome, None, list[D]]:
        """Return the actions whose tag still allows a deletion, reading those that were read too long ago."""
        allowed: list[D] = []
        for action in batch:
            if timedelta() <= self._clock.now() - action.facts.seen_at <= self._timing.vote_life:
                allowed.append(action)
                continue
            try:
                tag = vote(self._objects, action.key)
            except StoreError as error:
                yield Outcome(action, Fate.FAILED, error.message)
                continue
            if tag is Tag.COMPLETED:
                yield Outcome(action, Fate.REPORTED, "disputed: it has been tagged completed since the plan was made")
            else:
                allowed.append(action)
        return allowed

    def _destroy(self, batch: Sequence[Deletion], bury: Callable[..., rows.Move]) -> Iterator[Outcome]:
        if not batch:
            return
        keys = _keys(batch)
        found = self._table.get_many(keys)
        self._journal.write([self._intent(action, found.get(action.key)) for action in batch])
        errors = self._delete(batch)
        self._journal.write([self._outcome(key, errors.get(key)) for key in keys])
        self._table.move([key for key in keys if key not in errors], bury(now=self._clock.now()))
        for action in batch:
            sized = _with_size(action, found.get(action.key))
            if action.key in errors:
                yield Outcome(sized, Fate.FAILED, errors[action.key])
            else:
                yield Outcome(sized, Fate.DONE)

    def _delete(self, batch: Sequence[Deletion]) -> Mapping[str, str]:
        # A tracked key is ours whatever lies there; an untracked object only while it is the one that was seen.
        targets = [Target(action.key, action.facts.etag if isinstance(action, DeleteUntracked) else None) for action in batch]
        try:
            return self._objects.delete(targets)
        except StoreError as error:
            return {action.key: error.message for action in batch}

    def _intent(self, action: Deletion, row: Upload | None) -> dict[str, Any]:
        facts = action.facts
        return {
            "at": self._clock.now().isoformat(),
            "run": self._run,
            "event": "intent",
            "key": action.key,
            "reason": action.reason.value,
            "etag": facts.etag or (row.etag if row else None),
            "size": facts.size or (row.known_size if row else None),
            "version_id": row.version_id if row else None,
            "row": {
                "status": row.status.value,
                "owner": row.owner,
                "filename": row.filename,
                "created_at": row.created_at.isoformat(),
                "reason": row.reason,
            }
            if row
            else None,
        }

    def _outcome(self, key: str, error: str | None) -> dict[str, Any]:
        line = {"at": self._clock.now().isoformat(), "run": self._run, "event": "outcome", "key": key}
        return {**line, "outcome": "deleted"} if error is None else {**line, "outcome": "failed", "error": error}


def _keys(batch: Sequence[Any]) -> list[str]:
    return [action.key for action in batch]


def _done_or_moved(action: Any, *, done: bool) -> Outcome:
    return Outcome(action, Fate.DONE) if done else Outcome(action, Fate.SKIPPED, MOVED)


def _with_size(action: Deletion, row: Upload | None) -> Deletion:
    """Fill in the size that the finder did not see, as far as the row knows it."""
    if action.facts.size is not None or row is None:
        return action
    return replace(action, facts=replace(action.facts, size=row.known_size))
