"""Finding: which keys deserve a look. A finder may hand over too many keys, never too few; it decides nothing.

Two finders live here: the sweep's reads the table by deadline, the listing's merges bucket and table in key order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import TypeVar

from reconciler.core import rows
from reconciler.core.keys import is_marker, is_system
from reconciler.core.model import ObjectEntry, Tag, Upload
from reconciler.core.plan import Suspect
from reconciler.core.rows import Where
from reconciler.core.timing import Timing
from reconciler.errors import BindingError, StoreError, UnorderedListingError
from reconciler.ports import ObjectReader, TableReader

PAGE = 1000  # rows read at a time; ListObjectsV2 returns as many

T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut what a finder hands over into lists."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFinder:
    """The rows that may need something, with their object as the row remembers it.

    The tag of a due row is read where the decision asks for it: that is the second vote, and tells whether there is an object
    at all.
    """

    objects: ObjectReader
    table: TableReader
    timing: Timing
    prefix: str
    now: datetime

    def suspects(self) -> Iterator[Suspect]:
        """Hand over what is due, unfinished, unsettled, unconfirmed, or outlived."""
        by_deadline = (
            (rows.due(self.now), "due_at"),
            (rows.unfinished(self.now), "due_at"),
            (rows.unsettled(), "key"),
            (rows.unconfirmed(self.now, self.timing), "settled_at"),
        )
        for where, order in by_deadline:
            yield from map(_remembered, self._every(where, order))
        outlived = self._every(rows.outlived(self.now, self.timing), "deleted_at")
        for batch in batches(outlived, PAGE):
            yield from self._last_look(sorted(batch, key=lambda row: row.key))

    def _every(self, where: Where, order: str) -> Iterator[Upload]:
        last: Upload | None = None
        while page := self.table.select(where, order=order, after=last, limit=PAGE):
            yield from page
            last = page[-1]

    def _last_look(self, tombstones: Sequence[Upload]) -> Iterator[Suspect]:
        """Look once more for objects at the keys of outlived tombstones: one LIST answers for all that lie within its page.

        Their URLs are long dead, so what a listing does not show will not come any more. Where it cannot be had, each key is
        asked for by name.
        """
        left = list(tombstones)
        while left:
            try:
                page = self._page_from(left[0].key)
            except StoreError:
                yield from map(_remembered, left)
                return
            listed = {entry.key: entry for entry in page}
            answered = [row for row in left if not page or row.key <= page[-1].key]
            if not answered:  # a thousand foreign keys lie right before this one: it is asked for by name
                yield _remembered(left.pop(0))
            for row in answered:
                entry = listed.get(row.key)
                yield Suspect(row, entry, Tag.UNKNOWN if entry else Tag.NONE)
            left = left[len(answered) :]

    def _page_from(self, key: str) -> Sequence[ObjectEntry]:
        """Return the first page of the listing that begins at this key or a little before it; empty where nothing follows."""
        pages = self.objects.pages(self.prefix, start_after=key[:-1])
        page = next(filter(None, pages), ())
        check_order(page, after=key[:-1])
        return page


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingFinder:
    """Every key of bucket and table behind `start`, merged in key order. Rows are read after the page they are compared with.

    A row is committed before its object can exist, so an object in a page without a row read afterwards has none.
    """

    objects: ObjectReader
    table: TableReader
    prefix: str
    start: str

    def suspects(self) -> Iterator[Suspect]:
        """Hand over every key, with both its sides as far as they are there."""
        position = self.start
        for page in filter(None, self.objects.pages(self.prefix, start_after=self.start)):
            check_order(page, after=position)
            yield from self._compare(page, position, page[-1].key)
            position = page[-1].key
        yield from self._compare([], position, None)

    def _compare(self, page: Sequence[ObjectEntry], after: str, upto: str | None) -> Iterator[Suspect]:
        entries = iter([entry for entry in page if not self._is_system(entry.key)])
        entry = next(entries, None)
        for row in self._rows_between(after, upto):
            while entry is not None and entry.key < row.key:
                yield Suspect(None, entry)
                entry = next(entries, None)
            if entry is not None and entry.key == row.key:
                yield Suspect(row, entry)
                entry = next(entries, None)
            else:
                yield Suspect(row, None)
        for rest in chain([entry] if entry else [], entries):
            yield Suspect(None, rest)

    def _is_system(self, key: str) -> bool:
        if is_system(key, prefix=self.prefix):
            return True
        if is_marker(key):
            raise BindingError(
                f"another deployment lives below {self.prefix!r}: {key}", hint="give each deployment a prefix of its own"
            )
        return False

    def _rows_between(self, after: str, upto: str | None) -> Iterator[Upload]:
        while page := self.table.between(after, upto, limit=PAGE):
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].key


def check_order(page: Sequence[ObjectEntry], *, after: str) -> None:
    """Raise UnorderedListingError unless the page's keys go up, beginning behind `after`."""
    for entry in page:
        if entry.key <= after:
            raise UnorderedListingError(f"the listing has {entry.key!r} after {after!r}")
        after = entry.key


def _remembered(row: Upload) -> Suspect:
    """Return a row with its object as the row remembers it: without the time, which only S3 knows."""
    return Suspect(row, ObjectEntry(row.key, row.known_size, row.etag))
