"""Planning: finders hand keys to the one decision, and what is not to be kept becomes a plan. Nothing here can write."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from reconciler.core import rows
from reconciler.core.actions import Action, Planned, Reason
from reconciler.core.keys import day_start, marker_key
from reconciler.core.model import Binding, Tag, is_another
from reconciler.core.plan import Finder, Plan, PlanOptions, Seen, Stopped, Suspect, hold_back, is_planned
from reconciler.core.rows import LIVE, Where
from reconciler.core.timing import Timing
from reconciler.errors import BindingError, PlanFileError, StoreError, UnorderedListingError
from reconciler.finding import PAGE, ListingFinder, TableFinder, batches
from reconciler.judging import Judge
from reconciler.ports import Clock, ObjectReader, TableReader
from reconciler.reading import bound, find, vote

Progress = Callable[[int, str], object]
"""Told how many keys were looked at so far, and the last of them."""

Stopping = Callable[[], bool]
"""Asked after every page whether to stop there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planner:
    """Makes plans. Typed against reading ports alone."""

    objects: ObjectReader
    table: TableReader
    clock: Clock
    timing: Timing
    prefix: str
    new_id: Callable[[], str]
    workers: int = 8

    def sweep(self, options: PlanOptions | None = None, *, progress: Progress | None = None) -> Plan:
        """Plan from the table alone: what is due, unfinished, unsettled, unconfirmed, or outlived.

        Costs one tag request per due or unconfirmed row (and a HEAD for a form POST), a HEAD per unsettled one, and one LIST for
        all outlived tombstones between which lie fewer than a thousand objects.
        """
        draft = _Draft(self._begin(Finder.SWEEP, options or PlanOptions()))
        finder = TableFinder(
            objects=self.objects,
            table=self.table,
            timing=self.timing,
            prefix=self.prefix,
            now=draft.begun.created_at,
        )
        self._walk(finder.suspects(), draft, progress)
        return self._finish(draft)

    def listing(
        self,
        options: PlanOptions | None = None,
        *,
        progress: Progress | None = None,
        stopping: Stopping = lambda: False,
    ) -> Plan:
        """Plan from the bucket's listing merged with the table, in key order and constant memory.

        Costs one LIST per thousand objects, and one request per object for which a tag or a HEAD is needed. Where S3 fails
        on the way, or `stopping` says so, the plan comes back as far as it got; `resume` goes on with it.
        """
        asked = options or PlanOptions()
        finder = Finder.LISTING if asked.since is None else Finder.SINCE
        return self._list(self._begin(finder, asked), progress, stopping)

    def resume(self, plan: Plan, *, progress: Progress | None = None, stopping: Stopping = lambda: False) -> Plan:
        """Go on with a plan that was stopped, behind the last key it looked at, as it was asked for then.

        Raises PlanFileError where it was not stopped, BindingError where it was made for another bucket or table.
        """
        if plan.stopped is None:
            raise PlanFileError("the plan is finished", hint="carry it out with `reconcile apply FILE`, or plan anew")
        begun = self._begin(plan.finder, plan.options)
        if (plan.instance_id, plan.bucket, plan.prefix) != (begun.instance_id, begun.bucket, begun.prefix):
            raise BindingError("the plan was made for another table, bucket or prefix", hint="plan anew")
        return self._list(plan, progress, stopping)

    def named(self, keys: Collection[str]) -> Plan:
        """Plan for keys that somebody has named: events. Both sides are read afresh, the row first.

        Costs one query, a HEAD a key, and a tag request where the row is completed, there is none, or a deletion needs a vote.
        """
        binding = bound(self.table, bucket=self.objects.bucket, prefix=self.prefix)
        begun = self._begun(Finder.EVENTS, PlanOptions(tags=True), binding)
        found, judge = self.table.get_many(keys), self._judge(begun.options)
        with ThreadPoolExecutor(self.workers) as pool:
            answers = pool.map(lambda key: judge.afresh(key, found.get(key)), keys)
            decided = [action for action in answers if action is not None]
        planned = [action for action in decided if is_planned(action)]
        return replace(begun, actions=hold_back(planned), kept=len(keys) - len(planned))

    def check(self) -> Binding:
        """Raise unless the table is bound to this bucket, and the bucket to this table."""
        binding = bound(self.table, bucket=self.objects.bucket, prefix=self.prefix)
        # S3 out of reach, not ours to read, or another table's: known before a thousand votes.
        marker, _ = self.objects.marker(marker_key(self.prefix))
        if is_another(marker, binding):
            raise BindingError(f"the bucket's marker names another table than this one ({binding.instance_id})")
        return binding

    def look(self, key: str, options: PlanOptions | None = None) -> Action | None:
        """Decide about one key with fresh reads of both sides; None where there is neither row nor object."""
        row = self.table.get(key)
        facts = find(self.objects, key)
        if row is None and facts is None:
            return None
        tag = (vote(self.objects, key) if facts else None) or Tag.UNKNOWN
        return self._judge(options or PlanOptions()).decide(Suspect(row, facts.entry if facts else None, tag))

    def _begin(self, finder: Finder, options: PlanOptions) -> Plan:
        return self._begun(finder, options, self.check())

    def _begun(self, finder: Finder, options: PlanOptions, binding: Binding) -> Plan:
        return Plan(
            id=self.new_id(),
            finder=finder,
            instance_id=binding.instance_id,
            bucket=binding.bucket,
            prefix=binding.prefix,
            created_at=self.clock.now(),
            options=options,
            seen=Seen(),
        )

    def _list(self, begun: Plan, progress: Progress | None, stopping: Stopping) -> Plan:
        draft = _Draft(begun)
        finder = ListingFinder(objects=self.objects, table=self.table, prefix=self.prefix, start=self._start(begun))
        try:
            done = self._walk(finder.suspects(), draft, progress, stopping)
        except StoreError as error:
            if not draft.last or isinstance(error, UnorderedListingError):
                raise
            return self._finish(draft, stopped=error.message)
        return self._finish(draft, stopped="" if done else "it was interrupted")

    def _start(self, begun: Plan) -> str:
        if begun.stopped:
            return begun.stopped.after
        since = begun.options.since
        return self.prefix if since is None else day_start(self.prefix, since.date())

    def _judge(self, options: PlanOptions) -> Judge:
        return Judge(
            objects=self.objects,
            clock=self.clock,
            timing=self.timing,
            options=options,
            restored=self.table.disputed(),
        )

    def _walk(
        self, suspects: Iterator[Suspect], draft: "_Draft", progress: Progress | None, stopping: Stopping = lambda: False
    ) -> bool:
        """Decide about one page of keys after the other, into the draft; False where `stopping` ended it."""
        judge = self._judge(draft.begun.options)
        with ThreadPoolExecutor(self.workers) as pool:
            for batch in batches(suspects, PAGE):
                draft.add(batch, judge.about_all(batch, pool))
                if progress:
                    progress(draft.looked, draft.last)
                if stopping():
                    return False
        return True

    def _finish(self, draft: "_Draft", *, stopped: str = "") -> Plan:
        begun = draft.begun
        scope = Where(statuses=LIVE) if begun.finder is Finder.LISTING else Where()
        rows_now, due_now = self.table.count(scope), self.table.count(rows.due(begun.created_at))
        return replace(
            begun,
            seen=replace(draft.seen, rows=rows_now, due=due_now),
            kept=draft.kept,
            complete=not stopped and not any(action.reason is Reason.UNKNOWN for action in draft.actions),
            actions=tuple(draft.actions) if begun.options.accept_restored else hold_back(draft.actions),
            stopped=Stopped(after=draft.last, why=stopped) if stopped else None,
        )


class _Draft:
    """A plan in the making, page by page; it begins where another was stopped."""

    def __init__(self, begun: Plan) -> None:
        self.begun = begun
        self.seen = begun.seen
        self.kept = begun.kept
        self.actions: list[Planned] = list(begun.actions)
        self.last = begun.stopped.after if begun.stopped else ""

    @property
    def looked(self) -> int:
        """How many keys were decided about."""
        return self.kept + len(self.actions)

    def add(self, batch: Sequence[Suspect], actions: Sequence[Action]) -> None:
        """Add one page of keys and what was decided about them."""
        wanted = [action for action in actions if is_planned(action)]
        self.actions += wanted
        self.kept += len(actions) - len(wanted)
        self.last = batch[-1].key
        if self.begun.finder is not Finder.SWEEP:
            listed = [suspect for suspect in batch if suspect.entry is not None]
            tracked = sum(suspect.row is not None for suspect in listed)
            self.seen = replace(self.seen, listed=self.seen.listed + len(listed), tracked=self.seen.tracked + tracked)
