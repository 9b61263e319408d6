"""The part of the table's suite about transactions of our own, and about those who come at once."""

from dataclasses import replace
from functools import partial

from reconciler.core.model import Status, Upload
from reconciler.ports import Table
from reconciler.testing.samples import CLAIM, COMPLETE, a_row, at_once, key_of, status_of

ROUNDS = 20


class _RollBackError(Exception):
    """What a caller's block may raise."""


class TransactionSuite:
    """What every table does in one transaction, and in two at once."""

    def make_table(self) -> Table:
        """Return your table: fresh, created, empty and bound to nothing. Two threads may use it at once."""
        raise NotImplementedError

    def _filled(self, *rows: Upload) -> Table:
        table = self.make_table()
        for each in rows or (a_row(),):
            assert table.insert(each)
        return table

    # Transactions of our own

    def test_a_block_that_ends_well_is_committed(self) -> None:
        """Its moves are there for everybody."""
        table = self._filled(a_row())
        with table.begin() as transaction:
            assert transaction.move([a_row().key], COMPLETE) == {a_row().key}
        assert status_of(table, a_row().key) is Status.COMPLETED

    def test_a_transaction_sees_its_own_move(self) -> None:
        """Reading inside it shows what it has written."""
        table = self._filled(a_row())
        with table.begin() as transaction:
            transaction.move([a_row().key], COMPLETE)
            found = transaction.get(a_row().key)
            assert found is not None
            assert found.status is Status.COMPLETED
            assert transaction.get("uploads/absent") is None

    def test_a_transaction_moves_what_meets_the_condition_alone(self) -> None:
        """The same compare-and-set as outside of one."""
        table = self._filled(a_row())
        with table.begin() as transaction:
            assert transaction.move([a_row().key], CLAIM) == {a_row().key}
            assert transaction.move([a_row().key, "uploads/absent"], CLAIM) == set()

    def test_a_callback_waits_for_the_commit(self) -> None:
        """It is called once, after the block, and reads what was committed."""
        table = self._filled(a_row())
        seen: list[Status] = []
        with table.begin() as transaction:
            transaction.move([a_row().key], COMPLETE)
            assert transaction.after_commit(lambda: seen.append(status_of(table, a_row().key))) is True
            assert seen == []
        assert seen == [Status.COMPLETED]

    def test_a_failed_block_leaves_nothing_behind(self) -> None:
        """Its exception passes through, its moves are undone, and nobody is called back."""
        table = self._filled(a_row())
        called: list[str] = []
        try:
            self._fail_after_moving(table, called)
        except _RollBackError:
            called.append("raised")
        assert (status_of(table, a_row().key), called) == (Status.PENDING, ["raised"])

    @staticmethod
    def _fail_after_moving(table: Table, called: list[str]) -> None:
        with table.begin() as transaction:
            transaction.move([a_row().key], COMPLETE)
            transaction.after_commit(lambda: called.append("back"))
            raise _RollBackError

    # Races

    def test_of_two_movers_exactly_one_wins(self) -> None:
        """Claiming and completing the same row at once: never both, never neither."""
        table = self.make_table()
        for number in range(ROUNDS):
            key = key_of(number)
            table.insert(a_row(key))
            won = at_once(partial(table.move, [key], CLAIM), partial(table.move, [key], COMPLETE))
            assert sorted(won, key=len) == [set(), {key}]
            assert status_of(table, key) is (Status.DELETING if won[0] else Status.COMPLETED)

    def test_of_two_who_move_many_each_moves_what_the_other_does_not(self) -> None:
        """Two sweeps over the same keys, from either end: nothing is moved twice, nothing is left, and neither fails."""
        for skip_locked in (False, True):
            table = self._filled(*(a_row(key_of(number)) for number in range(ROUNDS)))
            move, keys = replace(CLAIM, skip_locked=skip_locked), [key_of(number) for number in range(ROUNDS)]
            first, second = at_once(partial(table.move, keys, move), partial(table.move, keys[::-1], move))
            assert (first | second, first & second) == (set(keys), set())

    def test_of_two_inserters_exactly_one_wins(self) -> None:
        """A key is never taken twice."""
        table = self.make_table()
        for number in range(ROUNDS):
            row = a_row(key_of(number))
            assert sorted(at_once(partial(table.insert, row), partial(table.insert, row))) == [False, True]
