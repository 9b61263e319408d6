"""Deleting, in bulk: claim, journal the intent, delete, journal the outcome, bury.

The claim is committed before anything is deleted, so complete can no longer win. A crash after it leaves rows in `deleting`,
which the next run finishes. Only keys that S3 has confirmed as gone are buried.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
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
    Reason,
    Tombstone,
)
from reconciler.core.model import Status, Tag, Upload
from reconciler.core.report import Fate, Outcome
from reconciler.core.timing import Timing
from reconciler.errors import JournalError, StoreError
from reconciler.ports import Clock, Journal, Objects, Table, Target
from reconciler.reading import vote

MOVED = "the row has moved on since the plan was made"
PRECONDITION_FAILED = "PreconditionFailed"  # S3's code where an object no longer has the etag it must have

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
            now = self._clock.now()
            if reason is Reason.UNTRACKED:
                moved = self._table.forget(_keys(actions), rows.due(now))
            else:
                moved = self._table.move(_keys(actions), rows.bury_absent(reason, now=now))
            yield from (_done_or_moved(action, done=action.key in moved) for action in actions)

    def delete(self, batch: Sequence[Delete]) -> Iterator[Outcome]:
        """Claim due rows whose vote still allows it, and delete their objects."""
        voted = yield from self._vote_again(batch)
        for reason, group in groupby(voted, key=lambda action: action.reason):
            actions = list(group)
            claimed = self._table.move(_keys(actions), rows.claim(reason, now=self._clock.now()))
            yield from (_done_or_moved(action, done=False) for action in actions if action.key not in claimed)
            yield from self._destroy([action for action in actions if action.key in claimed])

    def untracked(self, batch: Sequence[DeleteUntracked]) -> Iterator[Outcome]:
        """Claim objects without a row by inserting one each, and delete them while they are what was seen."""
        voted = yield from self._vote_again(batch)
        claimed = []
        for action in voted:
            if self._table.insert(self._track(action)):
                claimed.append(action)
            else:
                yield Outcome(action, Fate.SKIPPED, "it has a row now")
        yield from self._destroy(claimed)

    def finish(self, batch: Sequence[FinishDeletion]) -> Iterator[Outcome]:
        """Delete the objects of rows claimed or released before, whose grace is over."""
        found = self._table.get_many(_keys(batch))
        over = rows.unfinished(self._clock.now())
        ready = []
        for action in batch:
            row = found.get(action.key)
            if row is None or not over.holds(row):
                yield Outcome(action, Fate.SKIPPED, MOVED)
            elif rows.untracked().holds(row) and (objection := self._objection(action)):
                yield self._let_go(objection)
            else:
                ready.append(action)
        yield from self._destroy(ready)

    def late(self, batch: Sequence[DeleteLateArrival]) -> Iterator[Outcome]:
        """Claim tombstones whose object came after all, and delete it; the tombstone's life begins anew."""
        claimed = []
        for action in batch:
            objection = self._objection(action, absent=True)
            if objection:
                yield objection
            elif self._table.move([action.key], rows.claim_late(now=self._clock.now())):
                claimed.append(action)
            else:
                yield Outcome(action, Fate.SKIPPED, MOVED)
        yield from self._destroy(claimed)

    def forget(self, batch: Sequence[Forget]) -> Iterator[Outcome]:
        """Remove the rows of outlived tombstones; the planner has made sure that nothing lies at their keys."""
        forgotten = self._table.forget(_keys(batch), rows.outlived(self._clock.now(), self._timing))
        yield from (_done_or_moved(action, done=action.key in forgotten) for action in batch)

    def _vote_again(self, batch: Sequence[D]) -> Generator[Outcome, None, list[D]]:
        """Return the actions whose tag still allows a deletion, reading those that were read too long ago."""
        allowed: list[D] = []
        for action in batch:
            voted = action.facts.tag is not Tag.UNKNOWN and not action.facts.tag.remembers
            if voted and self._timing.is_fresh(action.facts.seen_at, now=self._clock.now()):
                allowed.append(action)
                continue
            objection = self._objection(action)
            if objection:
                yield objection
            else:
                allowed.append(action)
        return allowed

    def _objection(self, action: Deletion, *, absent: bool = False) -> Outcome | None:
        """Read the tag, and return what speaks against the deletion; with `absent`, also that there is nothing to delete."""
        try:
            tag = vote(self._objects, action.key)
        except StoreError as error:
            return Outcome(action, Fate.FAILED, error.message)
        if tag is not None and tag.remembers:
            return Outcome(action, Fate.REPORTED, f"disputed: it is tagged {tag}")
        return Outcome(action, Fate.SKIPPED, MOVED) if absent and tag is None else None

    def _destroy(self, batch: Sequence[Deletion]) -> Iterator[Outcome]:
        """Delete the objects of claimed rows, and bury those that S3 has confirmed as gone."""
        found = self._table.get_many(_keys(batch))
        ours = {key for key, row in found.items() if row.status is Status.DELETING}
        yield from (Outcome(action, Fate.SKIPPED, MOVED) for action in batch if action.key not in ours)
        mine = [action for action in batch if action.key in ours]
        if not mine:
            return
        self._journal.write([self._intent(action, found[action.key]) for action in mine])
        errors = self._delete([_target(action, found[action.key]) for action in mine])
        unwritten = self._write_outcomes(mine, errors)
        self._bury([found[action.key] for action in mine if action.key not in errors])
        for action in mine:
            sized = _with_size(action, found[action.key])
            trouble = errors.get(action.key, unwritten)
            if action.key not in errors and not unwritten:
                yield Outcome(sized, Fate.DONE)
            elif trouble.startswith(PRECONDITION_FAILED):
                yield self._let_go(Outcome(sized, Fate.SKIPPED, "it has been replaced since the plan was made"))
            else:
                yield Outcome(sized, Fate.FAILED, trouble)

    def _write_outcomes(self, batch: Sequence[Deletion], errors: Mapping[str, str]) -> str:
        """Journal what became of each deletion; where that fails, return what to say of those that were done."""
        try:
            self._journal.write([self._outcome(action.key, errors.get(action.key)) for action in batch])
        except JournalError as error:
            return f"deleted, but {error.message}"
        return ""

    def _bury(self, gone: Sequence[Upload]) -> None:
        """Leave tombstones where a URL may still be in use; an untracked object's key is nobody's any more."""
        tracked = {row.key for row in gone if not rows.untracked().holds(row)}
        self._table.move(tracked, rows.bury(now=self._clock.now()))
        self._table.forget([row.key for row in gone if row.key not in tracked], rows.untracked())

    def _let_go(self, outcome: Outcome) -> Outcome:
        """Give an untracked object up again, unless S3 could not be asked: it is not the one that was claimed, or no garbage."""
        if outcome.fate is not Fate.FAILED:
            self._table.forget([outcome.action.key], rows.untracked())
        return outcome

    def _delete(self, targets: Sequence[Target]) -> Mapping[str, str]:
        try:
            return self._objects.delete(targets)
        except StoreError as error:
            return {target.key: error.message for target in targets}

    def _intent(self, action: Deletion, row: Upload) -> dict[str, Any]:
        facts = action.facts
        return {
            "at": self._clock.now().isoformat(),
            "run": self._run,
            "event": "intent",
            "key": action.key,
            "reason": action.reason.value,
            "etag": facts.etag or row.etag,
            "size": facts.size or row.known_size,
            "version_id": row.version_id,
            "row": {
                "status": row.status.value,
                "owner": row.owner,
                "filename": row.filename,
                "created_at": row.created_at.isoformat(),
                "reason": row.reason,
            },
        }

    def _outcome(self, key: str, error: str | None) -> dict[str, Any]:
        line = {"at": self._clock.now().isoformat(), "run": self._run, "event": "outcome", "key": key}
        return {**line, "outcome": "deleted"} if error is None else {**line, "outcome": "failed", "error": error}


def _keys(batch: Sequence[Any]) -> list[str]:
    return [action.key for action in batch]


def _done_or_moved(action: Any, *, done: bool) -> Outcome:
    return Outcome(action, Fate.DONE) if done else Outcome(action, Fate.SKIPPED, MOVED)


def _with_size(action: Deletion, row: Upload) -> Deletion:
    """Fill in the size that the finder did not see, as far as the row knows it."""
    if action.facts.size is not None:
        return action
    return replace(action, facts=replace(action.facts, size=row.known_size))


def _target(action: Deletion, row: Upload) -> Target:
    # A tracked key is ours whatever lies there; an untracked object only while it is the one that was claimed.
    etag = action.facts.etag if isinstance(action, DeleteUntracked) else row.etag if rows.untracked().holds(row) else None
    return Target(action.key, etag)
