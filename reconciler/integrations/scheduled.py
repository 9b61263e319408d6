"""The sweep and the full run as a Lambda function, for a schedule: what `reconcile export lambda-schedule` calls.

The event names the run: `{"run": "sweep"}`, `{"run": "apply"}` or `{"run": "plan"}`. What failed or needs somebody makes the
function fail, so that its error metric is the alarm.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from reconciler.core.plan import Plan
from reconciler.core.report import Fate
from reconciler.errors import SettingsError
from reconciler.settings import load_settings
from reconciler.wiring import Deployment, deploy


class NeedsSomebodyError(Exception):
    """The run ended, and left something that somebody must look at."""


@cache
def _here() -> Deployment:
    """Connect once for all invocations of this process."""
    return deploy(load_settings())


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001  Lambda's signature
    """Carry out one run, and return what it did, by kind of action and what became of it.

    Raises NeedsSomebodyError where something was reported or has failed, RefusedError where the guards refuse the plan.
    """
    here, run = _here(), event.get("run")
    match run:
        case "sweep":
            return _apply(here, here.planner().sweep(), run)
        case "apply":
            return _apply(here, here.planner().listing(), run)
        case "plan":
            return _look(here.planner().listing())
        case _:
            raise SettingsError(
                f"the event names no run: {run!r}", hint='the schedule sends {"run": "sweep"} or {"run": "apply"}'
            )


def _apply(here: Deployment, plan: Plan, run: str) -> dict[str, Any]:
    report = here.applier().apply(plan, limits=here.settings.limits())
    found = {"run": run, "counts": dict(report.counts()), "deleted": len(report.deleted)}
    if plan.reports or report.of(Fate.FAILED) or report.of(Fate.REPORTED):
        raise NeedsSomebodyError(f"{found}: `reconcile plan` tells the keys")
    return found


def _look(plan: Plan) -> dict[str, Any]:
    found = {"run": "plan", "counts": dict(plan.counts())}
    if plan.actions or plan.stopped:
        raise NeedsSomebodyError(f"{found}: `reconcile plan` tells the keys, `reconcile apply` carries it out")
    return found
