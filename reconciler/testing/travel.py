"""Letting time pass against a real S3 server, whose own clock nobody can move."""

from datetime import datetime
from typing import Any

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.s3 import S3Objects
from reconciler.core.model import Binding


class TravellingObjects(S3Objects):
    """S3's objects, with S3's own time moved along with the clock, so that the guard against skewed clocks is at peace."""

    def __init__(self, client: Any, bucket: str, clock: MovableClock) -> None:
        super().__init__(client, bucket)
        self._clock = clock

    def marker(self, key: str) -> tuple[Binding | None, datetime | None]:
        """Return what the marker object says, and S3's time, moved."""
        binding, moment = super().marker(key)
        return binding, moment and moment + self._clock.offset
