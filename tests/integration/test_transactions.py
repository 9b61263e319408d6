"""The caller's transaction: completion commits with it, rolls back with it, and S3 is told only after the outermost commit."""

import pytest
import shop_support
from shop_support import ORDERS, OpenShop, Shop
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from support import OWNER

from reconciler.core.model import Status, Tag
from reconciler.errors import TransactionError

shop, nested, open_shop = shop_support.shop, shop_support.nested, shop_support.open_shop
shop_database = shop_support.shop_database


# A Session


def test_a_commit_completes_both_rows_together(shop: Shop) -> None:
    """Before the commit nobody else sees either row; after it the upload is completed and settled."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        assert shop.is_undone(key)
        session.commit()
        assert shop.is_done(key)
    assert shop.orders() == [key]


def test_a_rollback_undoes_both(shop: Shop) -> None:
    """After a rollback the row is pending and its object tagged completing; nothing was settled."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.rollback()
    assert shop.is_undone(key)
    assert (shop.orders(), shop.settled()) == ([], 0)


def test_closing_without_a_commit_is_a_rollback(shop: Shop) -> None:
    """A request that ends with an exception completes nothing."""
    key = shop.stage.upload()
    with pytest.raises(ZeroDivisionError), Session(shop.engine) as session:
        shop.order(session, key)
        raise ZeroDivisionError
    assert shop.is_undone(key)


def test_what_was_rolled_back_is_swept(shop: Shop) -> None:
    """The object that a rolled-back completion leaves behind goes like any other that was abandoned, one retention later."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.rollback()
    for _ in range(2):
        shop.stage.advance(hours=25)
        shop.stage.sweep()
    assert (shop.stage.keys(), shop.stage.row(key).status) == (set(), Status.DELETED)


def test_what_was_rolled_back_can_be_completed_again(shop: Shop) -> None:
    """The user sends the form once more."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        session.rollback()
        shop.order(session, key)
        session.commit()
    assert shop.is_done(key)
    assert (shop.orders(), shop.settled()) == ([key], 1)


def test_the_transaction_sees_its_own_completion(shop: Shop) -> None:
    """Inside the transaction the upload is completed already, and completing it again returns it."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        first = shop.order(session, key)
        again = shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert (again.status, again.completed_at) == (Status.COMPLETED, first.completed_at)
        session.commit()
    assert shop.is_done(key)


def test_two_completions_in_one_session(shop: Shop) -> None:
    """A form with two images completes both, and settles each once."""
    keys = [shop.stage.upload(), shop.stage.upload()]
    with Session(shop.engine) as session, session.begin():
        for key in keys:
            shop.order(session, key)
    assert [shop.is_done(key) for key in keys] == [True, True]
    assert shop.settled() == 2


def test_a_session_is_reused_without_stale_callbacks(shop: Shop) -> None:
    """What waited in a transaction that was rolled back is not settled by the next one's commit."""
    first, second = shop.stage.upload(), shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, first)
        session.rollback()
        shop.order(session, second)
        session.commit()
        session.execute(ORDERS.insert().values(photo="third"))
        session.commit()
    assert shop.settled() == 1
    assert shop.is_undone(first)
    assert shop.is_done(second)


def test_a_scoped_session_is_joined(shop: Shop) -> None:
    """The proxy stands for the session of this thread."""
    key = shop.stage.upload()
    session = scoped_session(sessionmaker(shop.engine))
    shop.order(session, key)
    session.commit()
    session.remove()
    assert shop.is_done(key)


def test_replacing_in_a_session_releases_with_it(shop: Shop) -> None:
    """The predecessor is released by the same commit, and not before."""
    old = shop.stage.completed()
    new = shop.stage.upload(replaces=old)
    with Session(shop.engine) as session:
        shop.order(session, new)
        assert shop.stage.row(old).status is Status.COMPLETED
        session.commit()
    assert (shop.stage.row(old).status, shop.is_done(new)) == (Status.DELETING, True)


def test_a_rolled_back_replacement_releases_nothing(shop: Shop) -> None:
    """The old image stays completed when the transaction that replaced it is rolled back."""
    old = shop.stage.completed()
    new = shop.stage.upload(replaces=old)
    with Session(shop.engine) as session:
        shop.order(session, new)
        session.rollback()
    assert (shop.stage.row(old).status, shop.stage.row(new).status) == (Status.COMPLETED, Status.PENDING)


def test_releasing_joins_a_session(shop: Shop) -> None:
    """A release is undone by a rollback and done by a commit."""
    key = shop.stage.completed()
    with Session(shop.engine) as session:
        shop.stage.uploads.release(key, owner=OWNER, session=session)
        session.rollback()
        assert shop.stage.row(key).status is Status.COMPLETED
        shop.stage.uploads.release(key, owner=OWNER, session=session)
        session.commit()
    assert shop.stage.row(key).status is Status.DELETING


def test_settling_that_fails_does_not_disturb_the_commit(shop: Shop) -> None:
    """If S3 is down after the commit, the commit stands and the sweep settles."""
    key = shop.stage.upload()
    with Session(shop.engine) as session:
        shop.order(session, key)
        shop.objects.failing("put_tags", RuntimeError("down"))
        session.commit()
    assert (shop.stage.row(key).status, shop.orders()) == (Status.COMPLETED, [key])
    shop.objects.mend()
    shop.stage.sweep()
    assert shop.is_done(key)


def test_a_crash_before_the_settling_is_mended_by_the_sweep(nested: Shop) -> None:
    """A process that dies right after the commit leaves a completed row whose object the sweep settles."""
    key = nested.stage.upload()
    with Session(nested.engine) as session:
        nested.order(session, key)
        session.info["reconciler.after_commit"].clear()
        session.commit()
    nested.stage.advance(days=30)
    nested.stage.sweep()
    assert nested.is_done(key)


# Savepoints


def test_a_savepoint_that_would_commit_is_refused(open_shop: OpenShop) -> None:
    """On an engine that lets sqlite3 begin by itself, releasing a savepoint commits: begin_immediate is named as the way out."""
    shop = open_shop("as it comes")
    key = shop.stage.upload()
    with Session(shop.engine) as session, session.begin_nested():
        with pytest.raises(TransactionError, match="savepoint") as caught:
            shop.stage.uploads.complete(key, owner=OWNER, session=session)
        assert "begin_immediate" in caught.value.hint


def test_a_released_savepoint_settles_nothing(nested: Shop) -> None:
    """Releasing a savepoint is no commit: rolled back afterwards, the row is pending and was never settled."""
    key = nested.stage.upload()
    with Session(nested.engine) as session:
        session.execute(ORDERS.insert().values(photo="first"))
        with session.begin_nested():
            nested.order(session, key)
        assert nested.settled() == 0
        session.rollback()
    assert nested.is_undone(key)
    assert nested.settled() == 0


def test_a_savepoint_rolled_back_before_the_commit(nested: Shop) -> None:
    """What was completed in a savepoint that was rolled back stays pending after the outer commit."""
    undone, done = nested.stage.upload(), nested.stage.upload()
    with Session(nested.engine) as session:
        nested.order(session, done)
        savepoint = session.begin_nested()
        nested.order(session, undone)
        savepoint.rollback()
        session.commit()
    assert nested.is_undone(undone)
    assert nested.is_done(done)
    assert nested.orders() == [done]


def test_nested_savepoints_settle_once_after_the_outermost_commit(nested: Shop) -> None:
    """However deep the completion was, S3 is told once, and only after the last commit."""
    key = nested.stage.upload()
    with Session(nested.engine) as session:
        session.execute(ORDERS.insert().values(photo="first"))
        with session.begin_nested():
            with session.begin_nested(), session.begin_nested():
                nested.order(session, key)
            assert nested.settled() == 0
        assert nested.settled() == 0
        session.commit()
    assert nested.is_done(key)
    assert nested.settled() == 1


def test_a_session_inside_an_outer_connection_settles_nothing_early(nested: Shop) -> None:
    """Where a test suite wraps the session in a transaction of its own, the session's commit settles nothing."""
    key = nested.stage.upload()
    with nested.engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            nested.order(session, key)
            session.commit()
        outer.rollback()
    assert nested.is_undone(key)
    assert nested.settled() == 0


# A Connection


def test_a_connections_caller_settles_by_hand(shop: Shop) -> None:
    """After committing a bare Connection the caller's settle() tells S3; before, it does nothing."""
    key = shop.stage.upload()
    with shop.engine.connect() as connection:
        done = shop.order(connection, key)
        assert done.settle() is False
        connection.commit()
    assert shop.stage.tag(key) is Tag.COMPLETING
    assert done.settle() is True
    assert shop.is_done(key)


def test_a_connections_caller_may_forget_to_settle(shop: Shop) -> None:
    """Otherwise the sweep settles."""
    key = shop.stage.upload()
    with shop.engine.begin() as connection:
        shop.order(connection, key)
    assert (shop.stage.row(key).status, shop.settled()) == (Status.COMPLETED, 0)
    shop.stage.sweep()
    assert shop.is_done(key)


def test_a_connections_rollback_undoes_both(shop: Shop) -> None:
    """After a rollback settle() does nothing."""
    key = shop.stage.upload()
    with shop.engine.connect() as connection:
        done = shop.order(connection, key)
        connection.rollback()
    assert done.settle() is False
    assert shop.is_undone(key)
