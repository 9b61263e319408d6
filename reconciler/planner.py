"""Planning: finders hand keys to the one decision, and what is not to be kept becomes a plan. Nothing here can write.

Two finders live here: the sweep reads the table by deadline, the listing merges bucket and table in key order. A finder may
hand over too many keys, never too few.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from reconciler.core import rows
from reconciler.core.actions import Action, Confirm, Facts, Forget, LookAtTag, Planned, Reason, Report, Settle, Tombstone
from reconciler.core.decide import Untracked, decide
from reconciler.core.keys import day_start, is_marker, is_system, marker_key
from reconciler.core.model import ObjectEntry, Tag, Upload, is_another
from reconciler.core.plan import Finder, Plan, Seen, hold_back, is_planned
from reconciler.core.rows import LIVE, Where
from reconciler.core.timing import Timing
from reconciler.errors import BindingError, StoreError, UnorderedListingError
from reconciler.ports import Clock, ObjectReader, TableReader
from reconciler.reading import bound, find, vote

PAGE = 1000  # rows read at a time; ListObjectsV2 returns as many

Progress = Callable[[int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the operator asked of a plan.

    Attributes:
        since: look only at keys of the days from this moment on.
        untracked: what to do about objects without a row.
        tags: read the tag of every listed object that is not plainly to be kept or deleted without it.
        accept_restored: delete due uploads tagged `completing` even where the run meets a dispute.
        restored: an earlier run met a dispute; the planner itself reads this from the table.
    """

    since: datetime | None = None
    untracked: Untracked = Untracked.REPORT
    tags: bool = False
    accept_restored: bool = False
    restored: bool = False


class Suspect(NamedTuple):
    """One key that a finder hands over: its row, its object as far as known, and its tag as far as known."""

    row: Upload | None
    entry: ObjectEntry | None
    tag: Tag = Tag.UNKNOWN


class Planner:
    """Makes plans. Typed against reading ports alone."""

    def __init__(
        self,
        *,
        objects: ObjectReader,
        table: TableReader,
        clock: Clock,
        timing: Timing,
        prefix: str,
        new_id: Callable[[], str],
        workers: int = 8,
    ) -> None:
        self._objects = objects
        self._table = table
        self._clock = clock
        self._timing = timing
        self._prefix = prefix
        self._new_id = new_id
        self._workers = workers

    def sweep(self, options: PlanOptions | None = None, *, progress: Progress | None = None) -> Plan:
        """Plan from the table alone: what is due, unfinished, unsettled, unconfirmed, or outlived.

        Costs one tag request per due row and per outlived tombstone, and a HEAD per unsettled or unconfirmed row.
        """
        tally = _Tally(progress)
        return self._plan(Finder.SWEEP, self._rows_to_sweep(tally), options or PlanOptions(), tally, Where())

    def listing(self, options: PlanOptions | None = None, *, progress: Progress | None = None) -> Plan:
        """Plan from the bucket's listing merged with the table, in key order and constant memory.

        Costs one LIST per thousand objects, and one request per object for which a tag or a HEAD is needed.
        """
        options = options or PlanOptions()
        finder = Finder.LISTING if options.since is None else Finder.SINCE
        start = self._prefix if options.since is None else day_start(self._prefix, options.since.date())
        tally = _Tally(progress)
        scope = Where(statuses=LIVE) if finder is Finder.LISTING else Where()
        return self._plan(finder, self._merge(start, tally), options, tally, scope)

    def look(self, key: str, options: PlanOptions | None = None) -> Action | None:
        """Decide about one key with fresh reads of both sides; None where there is neither row nor object."""
        row = self._table.get(key)
        facts = find(self._objects, key)
        if row is None and facts is None:
            return None
        tag = (vote(self._objects, key) if facts else None) or Tag.UNKNOWN
        asked = replace(options or PlanOptions(), restored=self._table.disputed())
        return self._decide(Suspect(row, facts.entry if facts else None, tag), asked)

    def _plan(
        self,
        finder: Finder,
        suspects: Iterable[Suspect],
        options: PlanOptions,
        tally: "_Tally",
        scope: Where,
    ) -> Plan:
        created_at = self._clock.now()
        binding = bound(self._table, bucket=self._objects.bucket, prefix=self._prefix)
        # S3 out of reach, not ours to read, or another table's: known before a thousand votes.
        marker, _ = self._objects.marker(marker_key(self._prefix))
        if is_another(marker, binding):
            raise BindingError(f"the bucket's marker names another table than this one ({binding.instance_id})")
        options = replace(options, restored=self._table.disputed())
        decided: list[Planned] = []
        kept = 0
        with ThreadPoolExecutor(self._workers) as pool:
            for batch in _batches(suspects, PAGE):
                actions = list(pool.map(lambda suspect: self._decide_about(suspect, options), batch))
                wanted = [action for action in actions if is_planned(action)]
                kept += len(actions) - len(wanted)
                decided.extend(wanted)
        return Plan(
            id=self._new_id(),
            finder=finder,
            instance_id=binding.instance_id,
            bucket=binding.bucket,
            prefix=binding.prefix,
            created_at=created_at,
            seen=replace(tally.seen(), rows=self._table.count(scope), due=self._table.count(rows.due(created_at))),
            kept=kept,
            accept_restored=options.accept_restored,
            complete=not any(action.reason is Reason.UNKNOWN for action in decided),
            actions=tuple(decided) if options.accept_restored else hold_back(decided),
        )

    # One key

    def _decide_about(self, suspect: Suspect, options: PlanOptions) -> Action:
        """Decide about one key; where S3 fails to answer for it, say so and go on: unknown is not absent."""
        try:
            return self._resolve(suspect, options)
        except StoreError:
            key = (suspect.row or suspect.entry or ObjectEntry("")).key
            facts = Facts.of(suspect.row, suspect.entry, tag=Tag.UNKNOWN, now=self._clock.now())
            return Report(key=key, reason=Reason.UNKNOWN, facts=facts)

    def _resolve(self, suspect: Suspect, options: PlanOptions) -> Action:
        """Decide, reading what the decision turns out to need: the tag, or whether an unlisted object is really gone."""
        action = self._decide(suspect, options)
        if isinstance(action, LookAtTag) or self._wants_tag(suspect, options):
            tag = vote(self._objects, action.key)
            return self._decide(self._with_tag(suspect, tag), options)
        if _needs_proof(action, suspect):
            # A listing is no snapshot: only a 404 of its own makes an object missing.
            facts = find(self._objects, action.key)
            seen = suspect._replace(entry=facts.entry) if facts else suspect._replace(entry=None, tag=Tag.NONE)
            return self._resolve(seen, options)
        return action

    def _decide(self, suspect: Suspect, options: PlanOptions) -> Action:
        return decide(
            suspect.row,
            suspect.entry,
            tag=suspect.tag,
            now=self._clock.now(),
            timing=self._timing,
            untracked=options.untracked,
            restored=options.restored,
            accept_restored=options.accept_restored,
        )

    @staticmethod
    def _wants_tag(suspect: Suspect, options: PlanOptions) -> bool:
        return options.tags and suspect.entry is not None and suspect.tag is Tag.UNKNOWN

    @staticmethod
    def _with_tag(suspect: Suspect, tag: Tag | None) -> Suspect:
        """Add a tag that was read; the object may have gone meanwhile, or turn out never to have come."""
        if tag is not None:
            return suspect._replace(tag=tag)
        if suspect.row is None:
            # Neither side is left: a listed object without a row that was deleted meanwhile. Its age keeps it.
            return suspect._replace(entry=ObjectEntry(suspect.entry.key if suspect.entry else ""))
        return suspect._replace(entry=None, tag=Tag.NONE)

    # The table as finder

    def _rows_to_sweep(self, tally: "_Tally") -> Iterator[Suspect]:
        """Hand over the rows that may need something, with their object as the row remembers it.

        The tag of a due row or an outlived tombstone is read where the decision asks for it: that is the second vote, and
        tells whether there is an object at all.
        """
        now = self._clock.now()
        for row in self._every(rows.due(now), "due_at"):
            yield tally.row(Suspect(row, _as_recorded(row)))
        for row in self._every(rows.unfinished(now), "due_at"):
            yield tally.row(Suspect(row, _as_recorded(row)))
        for row in self._every(rows.unsettled(), "key"):
            yield tally.row(Suspect(row, _as_recorded(row)))
        for row in self._every(rows.unconfirmed(now, self._timing), "settled_at"):
            yield tally.row(Suspect(row, _as_recorded(row)))
        for row in self._every(rows.outlived(now, self._timing), "deleted_at"):
            yield tally.row(Suspect(row, _as_recorded(row)))

    def _every(self, where: Where, order: str) -> Iterator[Upload]:
        last: Upload | None = None
        while page := self._table.select(where, order=order, after=last, limit=PAGE):
            yield from page
            last = page[-1]

    # The listing merged with the table

    def _merge(self, start: str, tally: "_Tally") -> Iterator[Suspect]:
        """Walk both sides in key order. Rows are read after the listing page they are compared with.

        A row is committed before its object can exist, so an object in a page without a row read afterwards has none.
        """
        position = start
        for page in self._ordered_pages(start):
            yield from self._compare(page, position, page[-1].key, tally)
            position = page[-1].key
        yield from self._compare([], position, None, tally)

    def _ordered_pages(self, start: str) -> Iterator[Sequence[ObjectEntry]]:
        last = start
        for page in self._objects.pages(self._prefix, start_after=start):
            for entry in page:
                if entry.key <= last:
                    raise UnorderedListingError(f"the listing has {entry.key!r} after {last!r}")
                last = entry.key
            if page:
                yield page

    def _compare(self, page: Sequence[ObjectEntry], after: str, upto: str | None, tally: "_Tally") -> Iterator[Suspect]:
        entries = iter([entry for entry in page if not self._is_system(entry.key)])
        entry = next(entries, None)
        for row in self._rows_between(after, upto):
            while entry is not None and entry.key < row.key:
                yield tally.pair(Suspect(None, entry))
                entry = next(entries, None)
            if entry is not None and entry.key == row.key:
                yield tally.pair(Suspect(row, entry))
                entry = next(entries, None)
            else:
                yield tally.pair(Suspect(row, None))
        for rest in chain([entry] if entry else [], entries):
            yield tally.pair(Suspect(None, rest))

    def _is_system(self, key: str) -> bool:
        if is_system(key, prefix=self._prefix):
            return True
        if is_marker(key):
            raise BindingError(
                f"another deployment lives below {self._prefix!r}: {key}", hint="give each deployment a prefix of its own"
            )
        return False

    def _rows_between(self, after: str, upto: str | None) -> Iterator[Upload]:
        while page := self._table.between(after, upto, limit=PAGE):
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].key


class _Tally:
    """Counts what a finder goes through."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._looked = self._listed = self._tracked = 0

    def row(self, suspect: Suspect) -> Suspect:
        self._looked += 1
        if self._progress and self._looked % PAGE == 0:
            self._progress(self._looked)
        return suspect

    def pair(self, suspect: Suspect) -> Suspect:
        self._listed += suspect.entry is not None
        self._tracked += suspect.entry is not None and suspect.row is not None
        return self.row(suspect)

    def seen(self) -> Seen:
        return Seen(listed=self._listed, tracked=self._tracked)


def _as_recorded(row: Upload) -> ObjectEntry:
    """Return the object as the row remembers it: without the time, which only S3 knows."""
    return ObjectEntry(row.key, row.known_size, row.etag)


def _needs_proof(action: Action, suspect: Suspect) -> bool:
    """Say whether the decision rests on what nobody has asked S3 for by name: an absence, or an object as a row recalls it."""
    if isinstance(action, Settle | Confirm):
        return suspect.entry is not None and suspect.entry.last_modified is None
    rests_on_absence = isinstance(action, Tombstone | Forget) or action.reason is Reason.MISSING
    return rests_on_absence and suspect.tag is Tag.UNKNOWN


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
