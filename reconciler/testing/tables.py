"""The conformance suite of the table ports: what TableReader, TableWriter and `begin` promise, one fact a test.

Subclass `TableSuite`, say how to make your table, and let pytest collect it.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from reconciler.core.model import Binding, Run, Status, Upload
from reconciler.core.rows import EVERY, Move, Where
from reconciler.ports import Table
from reconciler.testing.keys import NASTY_KEYS, PREFIX
from reconciler.testing.samples import CLAIM, COMPLETE, HOUR, NOW, a_row, key_of, status_of
from reconciler.testing.transactions import TransactionSuite

MANY = 1201  # more than two chunks of any adapter


class TableSuite(TransactionSuite):
    """What every adapter of the table ports must do."""

    # Inserting and reading

    def test_a_row_reads_back_as_it_was_written(self) -> None:
        """Every column survives, times to the microsecond, metadata as JSON."""
        row = a_row(
            filename="Grüße \U0001f600.jpg",
            declared_type="image/jpeg",
            min_size=1,
            max_size=5 * 1024**3,
            metadata={"album": "Été", "nested": {"list": [1, None, True, 0.5]}},
            etag="abc",
            version_id="v1",
            size=5 * 1024**3,
            content_type="image/jpeg",
            last_modified=NOW,
            stored_at=NOW + HOUR,
            completed_at=NOW + 2 * HOUR,
            settled_at=NOW + 3 * HOUR,
            confirmed_at=NOW + 4 * HOUR,
            deleted_at=NOW + 5 * HOUR,
            reason="abandoned",
            multipart_id="m1",
            replaces=f"{PREFIX}before",
        )
        assert self._filled(row).get(row.key) == row

    def test_a_row_without_its_optional_columns_reads_back(self) -> None:
        """What was None stays None."""
        assert self._filled(a_row()).get(a_row().key) == a_row()

    def test_times_read_back_as_aware_utc(self) -> None:
        """A moment written in another zone is the same moment."""
        row = a_row(created_at=NOW.astimezone(tz=None))
        found = self._filled(row).get(row.key)
        assert found is not None
        assert found.created_at == NOW
        assert found.created_at.utcoffset() == timedelta()

    def test_an_unknown_key_has_no_row(self) -> None:
        """Absence is None, or left out."""
        table = self._filled(a_row())
        assert table.get("uploads/other") is None
        assert table.get_many(["uploads/other", a_row().key]) == {a_row().key: a_row()}

    def test_a_key_is_inserted_once(self) -> None:
        """The second insert answers False, and the first row stays."""
        table = self._filled(a_row())
        assert table.insert(a_row(owner="user:7")) is False
        assert table.get(a_row().key) == a_row()

    def test_an_insert_moves_another_row_with_it(self) -> None:
        """`also` happens in the same transaction."""
        table = self._filled(a_row("uploads/old"))
        assert table.insert(a_row("uploads/new"), also=("uploads/old", CLAIM)) is True
        assert status_of(table, "uploads/old") is Status.DELETING

    def test_a_refused_insert_moves_nothing(self) -> None:
        """Where the key is taken, `also` does not happen either."""
        table = self._filled(a_row("uploads/old"), a_row("uploads/new"))
        assert table.insert(a_row("uploads/new"), also=("uploads/old", CLAIM)) is False
        assert status_of(table, "uploads/old") is Status.PENDING

    def test_an_insert_does_not_depend_on_the_other_row(self) -> None:
        """Where `also` finds its condition unmet, the new row is inserted all the same."""
        table = self._filled(a_row("uploads/old", status=Status.COMPLETED))
        assert table.insert(a_row("uploads/new"), also=("uploads/old", CLAIM)) is True
        assert status_of(table, "uploads/old") is Status.COMPLETED

    def test_keys_are_told_apart_by_every_character(self) -> None:
        """Neither case nor accents nor trailing blanks are folded."""
        keys = ("uploads/a", "uploads/A", "uploads/a ", "uploads/\u00e9", "uploads/e\u0301")
        table = self._filled(*(a_row(key) for key in keys))
        assert {key for key in keys if table.get(key) == a_row(key)} == set(keys)

    # Moving

    def test_a_move_sets_what_it_names_and_nothing_else(self) -> None:
        """Every other column stays."""
        table = self._filled(a_row())
        assert table.move([a_row().key], COMPLETE) == {a_row().key}
        assert table.get(a_row().key) == replace(a_row(), status=Status.COMPLETED, completed_at=NOW)

    def test_a_move_returns_only_the_keys_it_moved(self) -> None:
        """What is absent, or does not meet the condition, is left out and left alone."""
        table = self._filled(a_row("uploads/a"), a_row("uploads/b", status=Status.COMPLETED), a_row("uploads/c"))
        assert table.move(["uploads/a", "uploads/b", "uploads/absent"], CLAIM) == {"uploads/a"}
        assert [status_of(table, f"uploads/{name}").value for name in "abc"] == ["deleting", "completed", "pending"]

    def test_a_move_happens_once(self) -> None:
        """It takes away its own condition."""
        table = self._filled(a_row())
        assert table.move([a_row().key], CLAIM) == {a_row().key}
        assert table.move([a_row().key], CLAIM) == set()

    def test_a_move_that_skips_locked_rows_moves_all_others(self) -> None:
        """Where nobody holds a lock it is a move like any other."""
        table = self._filled(a_row("uploads/a"), a_row("uploads/b", status=Status.COMPLETED), a_row("uploads/c"))
        moved = table.move(["uploads/a", "uploads/b", "uploads/c"], replace(CLAIM, skip_locked=True))
        assert moved == {"uploads/a", "uploads/c"}

    def test_moving_no_keys_moves_nothing(self) -> None:
        """An empty collection of keys is not every key."""
        table = self._filled(a_row())
        assert table.move([], Move(where=EVERY, sets={"status": Status.DELETED})) == set()
        assert status_of(table, a_row().key) is Status.PENDING

    def test_a_move_may_set_a_column_to_null(self) -> None:
        """None is written as NULL."""
        table = self._filled(a_row(settled_at=NOW))
        table.move([a_row().key], Move(where=EVERY, sets={"settled_at": None}))
        assert table.get(a_row().key) == a_row()

    def test_every_kind_of_condition_is_compared(self) -> None:
        """A Move happens where its condition holds, in the table as in `Where.holds`."""
        for where in _conditions():
            row = a_row(etag="abc", settled_at=NOW, status=Status.COMPLETED)
            table = self._filled(row)
            moved = table.move([row.key], Move(where=where, sets={"reason": "moved"}))
            assert (where, moved) == (where, {row.key} if where.holds(row) else set())

    def test_many_keys_are_moved(self) -> None:
        """Far more keys than one statement takes."""
        table = self._filled(*(a_row(key_of(number)) for number in range(MANY)))
        keys = {key_of(number) for number in range(MANY)}
        assert set(table.get_many(keys)) == keys
        assert table.move(keys, CLAIM) == keys
        assert table.count(Where(statuses=(Status.DELETING,))) == MANY
        assert table.forget(keys, EVERY) == keys

    # Pages

    def test_a_page_holds_what_meets_the_condition(self) -> None:
        """In key order, no more than asked for."""
        table = self._filled(*(a_row(key_of(number), owner=f"user:{number % 2}") for number in (3, 1, 2, 0, 5)))
        odd = Where(equals={"owner": "user:1"})
        assert [row.key for row in table.select(odd, limit=2)] == [key_of(1), key_of(3)]

    def test_pages_in_key_order_hold_every_row_once(self) -> None:
        """Each begins behind the last row of the one before it."""
        table = self._filled(*(a_row(key) for key in NASTY_KEYS))
        assert _paged(table, order="key") == list(NASTY_KEYS)

    def test_pages_by_a_column_break_ties_by_key(self) -> None:
        """Rows of the same moment are neither lost nor repeated between pages."""
        numbers = [7, 3, 1, 5, 0, 2, 6, 4]
        table = self._filled(*(a_row(key_of(number), due_at=NOW + HOUR * (number // 3)) for number in numbers))
        assert _paged(table, order="due_at") == [key_of(number) for number in sorted(numbers)]

    def test_pages_by_a_column_are_in_its_order(self) -> None:
        """The column comes first, whatever the keys say."""
        table = self._filled(*(a_row(key_of(number), due_at=NOW - HOUR * number) for number in range(5)))
        assert _paged(table, order="due_at") == [key_of(number) for number in reversed(range(5))]

    def test_between_leaves_out_its_start_and_holds_its_end(self) -> None:
        """After < key <= upto."""
        table = self._filled(*(a_row(key_of(number)) for number in range(5)))
        assert [row.key for row in table.between(key_of(1), key_of(3), limit=9)] == [key_of(2), key_of(3)]
        assert [row.key for row in table.between(key_of(1), None, limit=2)] == [key_of(2), key_of(3)]
        assert table.between(key_of(4), None, limit=9) == []

    def test_between_is_in_the_order_of_utf8_bytes(self) -> None:
        """As S3 sorts: no locale, and nothing like UTF-16."""
        table = self._filled(*(a_row(key) for key in reversed(NASTY_KEYS)))
        assert [row.key for row in table.between(PREFIX, None, limit=99)] == list(NASTY_KEYS)
        for before, key in pairwise(NASTY_KEYS):
            assert [row.key for row in table.between(before, key, limit=99)] == [key]

    def test_counting_counts_what_meets_the_condition(self) -> None:
        """And everything where there is none."""
        table = self._filled(a_row("uploads/a"), a_row("uploads/b", status=Status.COMPLETED))
        assert (table.count(EVERY), table.count(Where(statuses=(Status.COMPLETED,)))) == (2, 1)

    # Forgetting, binding, runs

    def test_only_rows_that_meet_the_condition_are_forgotten(self) -> None:
        """The others stay, and are not returned."""
        table = self._filled(
            a_row("uploads/a", status=Status.DELETED), a_row("uploads/b"), a_row("uploads/c", status=Status.DELETED)
        )
        tombstones = Where(statuses=(Status.DELETED,))
        assert table.forget(["uploads/a", "uploads/b", "uploads/absent"], tombstones) == {"uploads/a"}
        assert [row.key for row in table.select(EVERY, limit=9)] == ["uploads/b", "uploads/c"]

    def test_a_fresh_table_is_bound_to_nothing(self) -> None:
        """None, not an error."""
        assert self.make_table().binding() is None

    def test_a_table_is_bound_to_one_bucket(self) -> None:
        """Binding it again changes nothing, unless it is said to; either way it tells what stands."""
        table = self.make_table()
        one, two = (Binding(instance, "photos", PREFIX) for instance in ("one", "two"))
        assert table.bind(one, overwrite=False) == one
        assert table.bind(two, overwrite=False) == table.binding() == one
        assert table.bind(two, overwrite=True) == table.binding() == two

    def test_a_run_may_be_kept_again(self) -> None:
        """A plan that is applied twice is one run."""
        table = self.make_table()
        run = Run(
            id="one", finder="sweep", started_at=NOW, ended_at=NOW, outcome="done", counts={"delete: done": 3}, bytes_deleted=9
        )
        table.record_run(run)
        table.record_run(replace(run, outcome="partial"))


def _conditions() -> list[Where]:
    """Conditions on a completed row with etag `abc`, settled at NOW and never confirmed: each kind, met and unmet."""
    second = timedelta(microseconds=1)
    return [
        Where(),
        Where(statuses=(Status.COMPLETED,)),
        Where(statuses=(Status.PENDING, Status.COMPLETED)),
        Where(statuses=(Status.PENDING,)),
        Where(equals={"etag": "abc"}),
        Where(equals={"etag": "ABC"}),
        Where(equals={"etag": None}),
        Where(equals={"confirmed_at": None}),
        Where(equals={"settled_at": NOW}),
        Where(equals={"settled_at": NOW + second}),
        Where(until={"settled_at": NOW}),
        Where(until={"settled_at": NOW - second}),
        Where(until={"confirmed_at": NOW}),
        Where(after={"settled_at": NOW}),
        Where(after={"settled_at": NOW - second}),
        Where(after={"confirmed_at": NOW}),
        Where(statuses=(Status.COMPLETED,), equals={"etag": "abc"}, until={"settled_at": NOW}, after={"due_at": NOW}),
        Where(statuses=(Status.COMPLETED,), equals={"etag": "abc"}, until={"settled_at": NOW, "due_at": NOW}),
    ]


def _paged(table: Table, *, order: str) -> list[str]:
    keys: list[str] = []
    last: Upload | None = None
    while page := table.select(EVERY, order=order, after=last, limit=2):
        keys += [row.key for row in page]
        last = page[-1]
    return keys
