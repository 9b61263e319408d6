"""The reconciler: install the safety net, let time pass, plan, apply, plan again."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from reconciler.core.actions import Reason
from reconciler.core.guards import Limits
from reconciler.core.model import Tag
from reconciler.core.parts import PartName
from reconciler.core.plan import Plan
from reconciler.core.report import Fate
from reconciler.demo.screen import size
from reconciler.demo.script import Issued, Visit
from reconciler.demo.show import Show

A_DAY = timedelta(hours=25)
A_WEEK = timedelta(days=7)


def bind(show: Show) -> None:
    """Create the upload table and bind it to the bucket."""
    show.screen.step(
        "Set up",
        "Create the upload table beside the application's own, and bind it to the bucket by a small marker object, so "
        "that no run ever compares the wrong pair. (reconcile init)",
    )
    bound, what = show.stage.deployment.initialise()
    show.screen.line(f"{bound.bucket}/{bound.prefix} and the table: {what}")
    show.screen.line(f"instance {bound.instance_id}")


def install(show: Show) -> None:
    """Put the lifecycle rules in place."""
    show.screen.step(
        "Install the lifecycle rule",
        "The safety net: even if reconciler never runs again, the bucket itself expires what is still tagged pending. "
        "Installed switched off, read back, compared, switched on. (reconcile install)",
    )
    installer = show.stage.deployment.installer()
    (seen,) = installer.look([PartName.LIFECYCLE])
    installer.install(seen)
    (after,) = installer.look([PartName.LIFECYCLE])
    for rule in after.found.items:
        show.screen.line(f"{rule['ID']}: {rule['Status']}")
        for name in sorted(set(rule) - {"ID", "Status"}):
            show.screen.line(f"    {name}: {json.dumps(rule[name])}")
    wanted = seen.part.variants[0] if seen.part else ()
    missing = seen.difference.missing if seen.difference else ()
    show.screen.check(
        f"{len(wanted)} rules were missing, and now read back as wanted",
        expected={"were missing": len(wanted), "differ now": False},
        found={"were missing": len(missing), "differ now": after.drifted},
    )


def a_day_passes(show: Show) -> None:
    """Move the clock past the retention."""
    show.screen.step(
        "25 hours pass",
        "We pretend: nobody waits, and only reconciler's clock moves (S3's own time is moved along wherever reconciler "
        "reads it). Whatever is pending is now past its 24 hours.",
    )
    before = show.stage.clock.now()
    show.stage.clock.advance(A_DAY)
    show.screen.line(f"{_when(before)}  ->  {_when(show.stage.clock.now())}")


def plan_and_apply(show: Show) -> None:
    """Plan, apply, and plan again."""
    show.screen.step(
        "Plan",
        "Compare the bucket's listing with the table and say what should be done: delete what was abandoned, end the rows "
        "of pictures that never came (tombstone), look at the tags of completed ones once more (confirm), and give one "
        "more day to what was rolled back while it was completed (hold-back). Planning writes nothing. (reconcile plan)",
    )
    waiting, kept = show.of(Visit.FAILS), show.ending(Reason.IN_SYNC)
    swept = [issued for issued in show.ending(Reason.ABANDONED) if issued not in waiting]
    never = show.ending(Reason.NEVER_UPLOADED)
    plan = _plan(
        show,
        {
            "delete (abandoned)": len(swept),
            "tombstone (never-uploaded)": len(never),
            "confirm (unconfirmed)": len(kept),
            "hold-back (was-completing)": len(waiting),
        },
    )
    show.screen.step(
        "Apply",
        "Carry out exactly this plan. A row is claimed, if it is still as it was planned, before its object goes; every "
        "deletion stands in the journal before it happens. (reconcile apply)",
    )
    _apply(show, plan, swept)
    show.screen.line(f"the journal on {swept[0].key}")
    for line in journal(show):
        if line["key"] == swept[0].key:
            show.screen.line(f"    {line['event']}: {line.get('reason') or line.get('outcome')}")
    show.screen.step("Plan again", "Applied once, a plan must leave nothing to do.")
    _nothing_left(show)


def a_week_passes(show: Show) -> None:
    """Move the clock past the release grace: released pictures go as well."""
    show.screen.step(
        "7 more days pass",
        "Pretended again. Released pictures are kept for a week, so that a database restored from last night's backup "
        "finds its images; now they go as well, and so does what was rolled back. (plan, apply, plan)",
    )
    show.stage.clock.advance(A_WEEK)
    released, rolled_back = show.ending(Reason.RELEASED), show.of(Visit.FAILS)
    plan = _plan(show, {"finish-deletion (grace-over)": len(released), "delete (abandoned)": len(rolled_back)})
    _apply(show, plan, [*released, *rolled_back])
    _nothing_left(show)


def journal(show: Show) -> list[dict[str, str]]:
    """Read the journal: one line of JSON for each intent and each outcome."""
    if not show.stage.journal.exists():
        return []
    return [json.loads(line) for line in show.stage.journal.read_text(encoding="utf-8").splitlines()]


def _plan(show: Show, expected: Mapping[str, int]) -> Plan:
    before = show.stage.rows(), show.stage.listed(), show.stage.tags()
    plan = show.stage.deployment.planner().listing()
    keys: Counter[tuple[str, str, str]] = Counter()
    freed: Counter[tuple[str, str, str]] = Counter()
    for action in plan.actions:
        tag = "not read" if action.facts.tag is Tag.UNKNOWN else action.facts.tag.value
        group = action.kind, action.reason.value, tag
        keys[group] += 1
        freed[group] += action.facts.size or 0
    show.screen.table(
        ["action", "reason", "tag", "keys", "bytes"],
        [(*group, keys[group], size(freed[group])) for group in sorted(keys)],
        right=["keys", "bytes"],
    )
    show.screen.line(f"{plan.seen.listed} objects listed, {len(plan.actions)} actions, {plan.kept} keys to keep")
    show.screen.check(f"{sum(expected.values())} actions, of the kinds expected", expected=dict(expected), found=plan.counts())
    show.screen.check(
        "planning has written nothing",
        expected=True,
        found=before == (show.stage.rows(), show.stage.listed(), show.stage.tags()),
    )
    return plan


def _apply(show: Show, plan: Plan, gone: list[Issued]) -> None:
    report = show.stage.deployment.applier().apply(plan, limits=Limits())
    show.runs.append(report)
    show.screen.line(f"{len(report.deleted)} objects deleted, {size(report.bytes_deleted)} freed")
    show.screen.check(
        f"every one of the {len(plan.writing)} actions is done",
        expected=len(plan.writing),
        found=len(report.of(Fate.DONE)),
    )
    keys = {issued.key for issued in gone}
    show.screen.check(
        f"the {len(keys)} objects that had to go are gone, and no other",
        expected={"deleted": len(keys), "of them wrongly": 0, "still there": 0},
        found={
            "deleted": len(report.deleted),
            "of them wrongly": len({outcome.action.key for outcome in report.deleted} - keys),
            "still there": len(keys & set(show.stage.listed())),
        },
    )


def _nothing_left(show: Show) -> None:
    plan = show.stage.deployment.planner().listing()
    show.screen.line(f"{plan.seen.listed} objects listed, {len(plan.actions)} actions, {plan.kept} keys to keep")
    show.screen.check("nothing is left to do", expected={}, found=plan.counts())


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
