"""Consuming events: each names a key, and that is all that is believed of it.

Row and object are read afresh, the one decision is made, and what is not to be kept goes through the applier, as in a sweep.
So a lost, repeated, late, reordered or forged event changes only how soon something happens. One message's failure is that
message's alone: the source gets it back.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from reconciler.applier import Applier
from reconciler.core.actions import Reason, Report
from reconciler.core.events import Event, read_events
from reconciler.core.guards import Limits
from reconciler.core.keys import is_system
from reconciler.core.plan import Plan
from reconciler.core.report import Fate, Outcome, RunReport
from reconciler.core.rows import Where
from reconciler.errors import MalformedEventError, TooManyDeletionsError, TooManyDisputesError
from reconciler.logs import get_logger
from reconciler.planner import Planner
from reconciler.ports import Message, TableReader

log = get_logger()

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEFT = "the next sweep or plan"
_FATES = {Fate.DONE: "applied", Fate.SKIPPED: "skipped", Fate.REPORTED: "reported", Fate.FAILED: "not_applied"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumed:
    """What became of some messages.

    Attributes:
        messages: how many there were.
        failed: why, by the id of each message that must come again.
        events: how many events were in them.
        ignored: events of another bucket or prefix, or of reconciler's own objects.
        counts: what became of the keys: `applied`, `kept`, `skipped` (moved on meanwhile), `reported` (somebody should look),
            `unknown` (S3 did not answer), `not_applied` (failed), `left` (to a sweep or plan); how many objects were `deleted`.
        lags: how long ago each event of ours had happened, where it says so.
    """

    messages: int
    failed: Mapping[str, str]
    events: int
    ignored: int
    counts: Mapping[str, int]
    lags: tuple[timedelta, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Takes in messages about one bucket and prefix. Any number of threads may use one, and any number of consumers may run."""

    planner: Planner
    applier: Applier
    allowance: "Allowance"

    def check(self) -> None:
        """Raise unless bucket and table belong together, and deletions can be journalled."""
        self.planner.check()
        self.applier.journal.write([])

    def consume(self, messages: Sequence[Message]) -> Consumed:
        """Look after every key that the messages name, and say which messages must come again.

        Raises a ReconcilerError where nothing can be done for any of them: the table is out of reach, or does not belong to the
        bucket. Then all of them must come again.
        """
        named, failed = _read(messages)
        events = [event for several in named.values() for event in several]
        ours = [event for event in events if self._is_ours(event)]
        trouble, counts = self._look_after(list(dict.fromkeys(event.key for event in ours)))
        failed |= {
            message: trouble[event.key]
            for message, several in named.items()
            for event in several
            if self._is_ours(event) and event.key in trouble
        }
        now = self.planner.clock.now()
        return Consumed(
            messages=len(messages),
            failed=failed,
            events=len(events),
            ignored=len(events) - len(ours),
            counts=counts,
            lags=tuple(now - event.at for event in ours if event.at is not None),
        )

    def _is_ours(self, event: Event) -> bool:
        prefix = self.planner.prefix
        if event.bucket != self.planner.objects.bucket or not event.key.startswith(prefix):
            return False
        return event.key != prefix and not is_system(event.key, prefix=prefix)

    def _look_after(self, keys: Sequence[str]) -> tuple[dict[str, str], Counter[str]]:
        """Decide about keys and carry it out; return what failed, by key, and what became of them."""
        if not keys:
            return {}, Counter()
        plan = self.planner.named(keys)
        report, left = self._apply(plan)
        counts = Counter(_FATES[outcome.fate] for outcome in report.outcomes)
        counts += Counter(kept=plan.kept, left=left, deleted=len(report.deleted), **_reported(plan))
        _tell(plan, report)
        return _failures(plan, report.outcomes), counts

    def _apply(self, plan: Plan) -> tuple[RunReport, int]:
        """Apply the plan; where that would delete more than events may in a day, its deletions are left to a sweep or plan."""
        granted = self.allowance.grant(len(plan.deletions), self.planner.table, now=plan.created_at)
        try:
            return self.applier.apply(plan, limits=Limits(max_delete=granted)), 0
        except (TooManyDeletionsError, TooManyDisputesError) as refusal:
            self.allowance.give_back(granted)
            log.warning("deletions_left", why=refusal.message, to=LEFT, keys=[action.key for action in plan.endings[:10]])
            return self.applier.apply(plan.without_endings(), limits=Limits()), len(plan.endings)


class Allowance:
    """How many objects events may delete within a day: as many as one run of the sweep may, without being asked.

    A sweep is refused as a whole where it deletes unusually much. A batch of events is always small, so what they delete is
    counted together. Kept by each process for itself.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._spent: deque[tuple[datetime, int]] = deque()
        self._rows = 0
        self._counted_at: datetime | None = None
        self._lock = Lock()

    def grant(self, count: int, table: TableReader, *, now: datetime) -> int:
        """Take so many deletions from what is left of this day, all or none, and return how many. Counts rows once an hour."""
        if not count:
            return 0
        with self._lock:
            if self._counted_at is None or not timedelta() <= now - self._counted_at < HOUR:
                self._rows, self._counted_at = table.count(Where()), now
            while self._spent and now - self._spent[0][0] >= DAY:
                self._spent.popleft()
            whole = min(max(self._limits.free, int(self._limits.share * self._rows)), self._limits.cap)
            if count > whole - sum(spent for _, spent in self._spent):
                return 0
            self._spent.append((now, count))
            return count

    def give_back(self, count: int) -> None:
        """Take back what was granted last for so many deletions: the plan was refused, and deleted nothing."""
        with self._lock:
            for grant in reversed(self._spent):
                if count and grant[1] == count:
                    self._spent.remove(grant)
                    return


def _read(messages: Sequence[Message]) -> tuple[dict[str, tuple[Event, ...]], dict[str, str]]:
    """Read each message by itself; return the events by message, and why the others could not be read."""
    named: dict[str, tuple[Event, ...]] = {}
    failed: dict[str, str] = {}
    for message in messages:
        try:
            named[message.id] = read_events(message.body)
        except MalformedEventError as error:
            failed[message.id] = error.message
    return named, failed


def _reported(plan: Plan) -> dict[str, int]:
    unknown = sum(action.reason is Reason.UNKNOWN for action in plan.actions)
    reports = sum(isinstance(action, Report) for action in plan.actions)
    return {"unknown": unknown, "reported": reports - unknown}


def _failures(plan: Plan, outcomes: Sequence[Outcome]) -> dict[str, str]:
    unknown = {action.key: "S3 did not answer for this key" for action in plan.actions if action.reason is Reason.UNKNOWN}
    return unknown | {outcome.action.key: outcome.detail for outcome in outcomes if outcome.fate is Fate.FAILED}


def _tell(plan: Plan, report: RunReport) -> None:
    """Log what somebody should look at."""
    for action in plan.actions:
        if isinstance(action, Report):
            log.warning("reported", key=action.key, reason=action.reason.value)
    for outcome in report.of(Fate.REPORTED):
        log.warning("reported", key=outcome.action.key, reason=outcome.detail)
