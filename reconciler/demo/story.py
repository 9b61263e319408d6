"""The story of `make demo`, from an empty bucket to the closing table."""

import time
from pathlib import Path

from reconciler.demo import closing, refusals, sweeping, visits
from reconciler.demo.screen import Screen
from reconciler.demo.servers import Server
from reconciler.demo.show import Show, Step
from reconciler.demo.stage import staged
from reconciler.errors import ReconcilerError

STEPS: tuple[Step, ...] = (
    sweeping.bind,
    sweeping.install,
    visits.presign,
    visits.upload,
    visits.submit,
    visits.change,
    refusals.by_s3,
    refusals.by_the_library,
    sweeping.a_day_passes,
    sweeping.plan_and_apply,
    sweeping.a_week_passes,
    closing.close,
)


def tell(server: Server, screen: Screen, *, folder: Path, bucket: str = "photos") -> bool:
    """Play every step on a running server, a bucket that is not there yet, and an empty folder for the files.

    Returns whether everything was as it must be.
    """
    started = time.monotonic()
    try:
        with staged(server, folder, bucket=bucket) as stage:
            show = Show(stage, screen)
            for step in STEPS:
                step(show)
    except ReconcilerError as error:
        screen.stop(f"error: the story broke off: {type(error).__name__}: {error.message}")
        return False
    return screen.verdict(time.monotonic() - started)
