"""Every named Where and Move, against rows in each status: the protocol's transitions as a table."""

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from unit.builders import DAY, ETAG, HOUR, NOW, OTHER_ETAG, TICK, listed, looked_at, upload

from reconciler.core import rows
from reconciler.core.actions import Reason
from reconciler.core.model import ObjectVersion, Status, Upload
from reconciler.core.rows import COLUMNS, EVERY, LIVE, Move, Where
from reconciler.core.timing import Timing

PENDING, COMPLETED, DELETING, DELETED, QUARANTINED = Status
TIMING = Timing()
OLD = NOW - 30 * DAY
OWNER = "user:42"
VERSION = ObjectVersion(version_id="v1", etag=ETAG, size=1000, last_modified=OLD)

WHERES: Mapping[str, tuple[Where, set[Status]]] = {
    "due": (rows.due(NOW), {PENDING, QUARANTINED}),
    "unfinished": (rows.unfinished(NOW), {DELETING}),
    "untracked": (rows.untracked(), {DELETING}),
    "unsettled": (rows.unsettled(), {COMPLETED}),
    "unconfirmed": (rows.unconfirmed(NOW, TIMING), {COMPLETED}),
    "outlived": (rows.outlived(NOW, TIMING), {DELETED}),
}
# From which statuses each move goes, and where to; None where it keeps the status.
MOVES: Mapping[str, tuple[Move, set[Status], Status | None]] = {
    "complete": (rows.complete(looked_at(), owner=OWNER, now=NOW), {PENDING}, COMPLETED),
    "adopt": (rows.adopt(looked_at(), owner=OWNER, now=NOW), {PENDING, QUARANTINED, DELETED}, COMPLETED),
    "take_back": (rows.take_back(looked_at(), owner=OWNER, now=NOW, timing=TIMING), {DELETING}, COMPLETED),
    "accept": (rows.accept(looked_at(), was=ETAG, now=NOW), {COMPLETED}, None),
    "restore": (rows.restore(upload(DELETED, deleted_at=OLD), VERSION, owner=OWNER, now=NOW), {DELETED}, COMPLETED),
    "supersede": (rows.supersede(owner=OWNER, due_at=OLD), {PENDING}, None),
    "release": (rows.release(owner=OWNER, due_at=NOW), {COMPLETED}, DELETING),
    "release_disputed": (rows.release_disputed(due_at=NOW), {PENDING, QUARANTINED, DELETED}, DELETING),
    "claim": (rows.claim(Reason.ABANDONED, now=NOW), {PENDING, QUARANTINED}, DELETING),
    "bury_absent": (rows.bury_absent(Reason.NEVER_UPLOADED, now=NOW), {PENDING, QUARANTINED}, DELETED),
    "bury": (rows.bury(now=NOW), {DELETING}, DELETED),
    "claim_late": (rows.claim_late(now=NOW), {DELETED}, DELETING),
    "hold_back": (rows.hold_back(due_at=NOW + DAY, now=NOW), {PENDING}, None),
    "record_stored": (rows.record_stored(listed(), now=NOW), {PENDING}, None),
    "settled": (rows.settled(etag=ETAG, version_id=None, now=NOW), {COMPLETED}, None),
    "confirmed": (rows.confirmed(settled_at=None, now=NOW), {COMPLETED}, None),
}
BEFORE_DEADLINE = {"complete", "supersede", "take_back"}


def row_for(name: str, status: Status) -> Upload:
    """A row that meets every condition of a Where or Move but perhaps the status."""
    due_at = NOW + DAY if name in BEFORE_DEADLINE else NOW
    row = upload(status, due_at=due_at, expires_at=OLD, created_at=OLD, deleted_at=OLD)
    if name == "untracked":
        return replace(row, reason=Reason.UNTRACKED.value)
    return replace(row, settled_at=OLD) if name == "unconfirmed" else row


def named(kind: type[Any]) -> set[str]:
    """The public functions of the module that return a Where or a Move."""
    found = inspect.getmembers(rows, inspect.isfunction)
    return {
        name for name, function in found if not name.startswith("_") and inspect.signature(function).return_annotation is kind
    }


def test_every_named_condition_and_move_is_tested() -> None:
    """A new one is added here as well."""
    assert (set(WHERES), set(MOVES)) == (named(Where), named(Move))


@pytest.mark.parametrize("name", WHERES)
def test_a_condition_holds_for_its_statuses_alone(name: str) -> None:
    """Everything else about the row being right."""
    where, statuses = WHERES[name]
    assert {status for status in Status if where.holds(row_for(name, status))} == statuses


@pytest.mark.parametrize("name", MOVES)
def test_a_move_moves_its_statuses_alone(name: str) -> None:
    """Everything else about the row being right: claim never moves a completed row, complete never a deleting one."""
    move, statuses, _ = MOVES[name]
    assert {status for status in Status if move.where.holds(row_for(name, status))} == statuses


@pytest.mark.parametrize("name", MOVES)
def test_a_move_leads_to_its_status(name: str) -> None:
    """Or keeps the one there is."""
    move, _, status = MOVES[name]
    assert move.sets.get("status") == status


@pytest.mark.parametrize("name", MOVES)
def test_a_move_sets_columns_that_exist(name: str) -> None:
    """And never the key or the bucket, nor the owner but by the operator's word."""
    kept = {"key", "bucket", "object_url", "created_at", "expires_at"} | (
        {"owner"} if name not in ("adopt", "take_back", "restore") else set()
    )
    assert set(MOVES[name][0].sets) <= set(COLUMNS) - kept


@pytest.mark.parametrize("name", [name for name, (_, _, status) in MOVES.items() if status is not None])
def test_a_transition_happens_once(name: str) -> None:
    """It takes away its own condition."""
    move, statuses, _ = MOVES[name]
    for status in statuses:
        assert not move.where.holds(replace(row_for(name, status), **move.sets))


def test_nothing_revives_a_claimed_row() -> None:
    """Out of deleting leads its end, or the operator's word in time; out of deleted his word, or a late arrival."""
    leaving = {
        (name, status) for name, (_, statuses, to) in MOVES.items() for status in statuses if to and status in (DELETING, DELETED)
    }
    assert leaving == {
        ("bury", DELETING),
        ("take_back", DELETING),
        ("adopt", DELETED),
        ("restore", DELETED),
        ("release_disputed", DELETED),
        ("claim_late", DELETED),
    }


@pytest.mark.parametrize(
    ("move", "unmet"),
    [
        pytest.param(MOVES["complete"][0], {"owner": "user:7"}, id="complete-other-owner"),
        pytest.param(MOVES["complete"][0], {"due_at": NOW}, id="complete-at-the-deadline"),
        pytest.param(MOVES["accept"][0], {"etag": OTHER_ETAG}, id="accept-other-etag"),
        pytest.param(MOVES["restore"][0], {"etag": OTHER_ETAG}, id="restore-other-etag"),
        pytest.param(MOVES["restore"][0], {"deleted_at": NOW}, id="restore-deleted-again"),
        pytest.param(MOVES["supersede"][0], {"owner": "user:7"}, id="supersede-other-owner"),
        pytest.param(MOVES["supersede"][0], {"due_at": OLD}, id="supersede-never-later"),
        pytest.param(MOVES["release"][0], {"owner": "user:7"}, id="release-other-owner"),
        pytest.param(MOVES["claim"][0], {"due_at": NOW + TICK}, id="claim-early"),
        pytest.param(MOVES["bury_absent"][0], {"due_at": NOW + TICK}, id="bury-absent-early"),
        pytest.param(MOVES["hold_back"][0], {"due_at": NOW + TICK}, id="hold-back-early"),
        pytest.param(MOVES["record_stored"][0], {"stored_at": OLD}, id="record-stored-again"),
        pytest.param(MOVES["settled"][0], {"etag": OTHER_ETAG}, id="settled-other-etag"),
        pytest.param(MOVES["confirmed"][0], {"settled_at": NOW}, id="confirmed-settled-again"),
        pytest.param(MOVES["confirmed"][0], {"confirmed_at": OLD}, id="confirmed-again"),
        pytest.param(rows.release(owner=OWNER, due_at=NOW), {"owner": ""}, id="release-no-owner"),
    ],
)
def test_a_move_asks_for_more_than_a_status(move: Move, unmet: dict[str, Any]) -> None:
    """One unmet condition is enough to move nothing."""
    (name,) = (name for name, (each, _, _) in MOVES.items() if each == move)
    (status, *_) = sorted(MOVES[name][1])
    row = row_for(name, status)
    assert move.where.holds(row)
    assert not move.where.holds(replace(row, **unmet))


@pytest.mark.parametrize(
    ("name", "unmet"),
    [
        pytest.param("due", {"due_at": NOW + TICK}, id="due"),
        pytest.param("unfinished", {"due_at": NOW + TICK}, id="unfinished"),
        pytest.param("unsettled", {"settled_at": NOW}, id="unsettled"),
        pytest.param("unconfirmed", {"settled_at": None}, id="unconfirmed-not-settled"),
        pytest.param("unconfirmed", {"settled_at": NOW - HOUR + TICK}, id="unconfirmed-too-soon"),
        pytest.param("unconfirmed", {"expires_at": NOW - HOUR + TICK}, id="unconfirmed-still-arriving"),
        pytest.param("unconfirmed", {"confirmed_at": NOW}, id="unconfirmed-confirmed"),
        pytest.param("outlived", {"deleted_at": None}, id="outlived-not-deleted"),
        pytest.param("outlived", {"deleted_at": NOW - 7 * DAY - HOUR + TICK}, id="outlived-too-soon"),
        pytest.param("outlived", {"expires_at": NOW - 7 * DAY - HOUR + TICK}, id="outlived-url-alive"),
    ],
)
def test_a_condition_asks_for_more_than_a_status(name: str, unmet: dict[str, Any]) -> None:
    """One unmet condition is enough."""
    where, statuses = WHERES[name]
    (status, *_) = sorted(statuses)
    assert not where.holds(replace(row_for(name, status), **unmet))


def test_what_the_next_run_can_do_as_well_waits_for_nobody() -> None:
    """A sweep leaves out what an open transaction has locked; what a person or a form asked for waits, and so does a fact."""
    waiting = {"complete", "adopt", "take_back", "accept", "restore", "release", "release_disputed", "bury"}
    assert {name for name, (move, _, _) in MOVES.items() if not move.skip_locked} == waiting


def test_the_operator_releases_whoever_owns_it() -> None:
    """Without an owner it is the operator's word."""
    assert rows.release(owner=None, due_at=NOW).where.holds(upload(COMPLETED, owner="anybody"))


def test_completing_records_what_was_seen() -> None:
    """The object's facts, and when."""
    row = replace(upload(), **MOVES["complete"][0].sets)
    assert (row.etag, row.size, row.content_type, row.completed_at, row.stored_at) == (ETAG, 1000, "image/jpeg", NOW, NOW)


@pytest.mark.parametrize("name", ["settled", "accept"])
def test_settling_again_is_confirmed_again(name: str) -> None:
    """Whoever confirmed before looks again."""
    assert MOVES[name][0].sets["confirmed_at"] is None


def test_the_finders_and_the_decision_agree_on_time() -> None:
    """What the sweep selects as unconfirmed or outlived is what decide would act on."""
    ready = row_for("unconfirmed", COMPLETED)
    gone = row_for("outlived", DELETED)
    for row, where, moment in (
        (ready, rows.unconfirmed, TIMING.confirm_at(ready)),
        (gone, rows.outlived, TIMING.forget_at(gone)),
    ):
        assert moment is not None
        assert where(moment, TIMING).holds(row)
        assert not where(moment - TICK, TIMING).holds(row)


def test_every_row_is_every_row() -> None:
    """Without conditions everything holds; everything but tombstones is live."""
    assert all(EVERY.holds(upload(status)) for status in Status)
    assert set(LIVE) == set(Status) - {DELETED}
