"""The closing table: what the script says must be, beside what bucket, table, application, reports and journal say is."""

from collections import Counter
from collections.abc import Mapping

from reconciler.core.actions import Reason
from reconciler.core.model import Tag
from reconciler.demo.refusals import BY_S3, BY_THE_LIBRARY
from reconciler.demo.screen import size
from reconciler.demo.script import Issued, ends
from reconciler.demo.show import Show
from reconciler.demo.sweeping import journal

UPLOADED = "uploaded"
COMPLETED = "completed, and read back identical"
ABANDONED = "deleted: abandoned"
RELEASED = "deleted: released"
DELETED = "deleted in all, bytes freed"
NEVER = "never uploaded, row ended"
REFUSED = "refused, as it must be"


def close(show: Show) -> None:
    """Count everything, on both sides, and read every completed picture back."""
    show.screen.step("Read back and count", "Every completed picture is read from S3 and compared byte by byte.")
    kept = show.ending(Reason.IN_SYNC)
    identical = [issued for issued in kept if _is_identical(show, issued)]
    _check_world(show, kept)
    wanted, found = _wanted(show), _found(show, identical)
    amounts = _bytes(show, identical)
    show.screen.table(
        ["", "must be", "is", "bytes"],
        [(what, count, found[what], amounts.get(what, "")) for what, count in wanted.items()],
        right=["must be", "is", "bytes"],
    )
    show.screen.check("each count is as it must be", expected=wanted, found=found)
    freed = show.ending(Reason.ABANDONED, Reason.RELEASED)
    show.screen.check(
        "the bytes freed are those of the pictures that had to go",
        expected=sum(issued.picture.size for issued in freed),
        found=sum(run.bytes_deleted for run in show.runs),
    )


def _check_world(show: Show, kept: list[Issued]) -> None:
    """Compare bucket, tags, table, application and journal with the script, key by key."""
    stage = show.stage
    show.screen.check(
        "the bucket holds the completed pictures and nothing else",
        expected={issued.key: issued.picture.size for issued in kept},
        found={key: entry.size for key, entry in stage.listed().items()},
    )
    show.screen.check("all tagged status=completed", expected={Tag.COMPLETED: len(kept)}, found=stage.tags())
    show.screen.check(
        "every row has reached its end, for the right reason",
        expected={issued.key: issued.row_end for issued in show.issued},
        found={key: (row.status, row.reason) for key, row in stage.rows().items()},
    )
    show.screen.check(
        "every profile's picture is one that is there",
        expected={issued.owner: issued.key for issued in kept},
        found=stage.profiles(),
    )
    gone = [issued.key for issued in show.ending(Reason.ABANDONED, Reason.RELEASED)]
    show.screen.check(
        "the journal has an intent and an outcome for each deletion",
        expected={key: ["intent", "outcome"] for key in gone},
        found=_journalled(show),
    )


def _wanted(show: Show) -> dict[str, int]:
    must = ends()
    return {
        UPLOADED: must.total() - must[Reason.NEVER_UPLOADED],
        COMPLETED: must[Reason.IN_SYNC],
        ABANDONED: must[Reason.ABANDONED],
        RELEASED: must[Reason.RELEASED],
        DELETED: must[Reason.ABANDONED] + must[Reason.RELEASED],
        NEVER: must[Reason.NEVER_UPLOADED],
        REFUSED: BY_THE_LIBRARY + (BY_S3 if show.stage.server.verifies else 0),
    }


def _found(show: Show, identical: list[Issued]) -> dict[str, int]:
    """Count from what S3 answered, what was read back, and what the runs report."""
    done = Counter(outcome.action.reason for run in show.runs for outcome in run.deleted)
    ended = Counter(row.reason for row in show.stage.rows().values())
    return {
        UPLOADED: len(show.arrived),
        COMPLETED: len(identical),
        ABANDONED: done[Reason.ABANDONED],
        RELEASED: done[Reason.GRACE_OVER],
        DELETED: done.total(),
        NEVER: ended[Reason.NEVER_UPLOADED.value],
        REFUSED: show.refused,
    }


def _bytes(show: Show, identical: list[Issued]) -> Mapping[str, str]:
    freed: Counter[Reason] = Counter()
    for run in show.runs:
        for outcome in run.deleted:
            freed[outcome.action.reason] += outcome.action.facts.size or 0
    return {
        UPLOADED: _total(show.arrived),
        COMPLETED: _total(identical),
        ABANDONED: size(freed[Reason.ABANDONED]),
        RELEASED: size(freed[Reason.GRACE_OVER]),
        DELETED: size(freed.total()),
    }


def _total(issued: list[Issued]) -> str:
    return size(sum(each.picture.size for each in issued))


def _is_identical(show: Show, issued: Issued) -> bool:
    return issued.key in show.stage.listed() and show.stage.read(issued.key) == issued.picture.body


def _journalled(show: Show) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in journal(show):
        found.setdefault(line["key"], []).append(line["event"])
    return found
