"""Counting requests to S3 where they leave the process: botocore's `before-send` event, once for every attempt."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.core.keys import is_marker

MARKER = "marker"  # read once or twice a run, whatever its size: not to be shared out over the uploads of a small run


class Requests:
    """The requests of one client, by operation, while they are counted. Reads of the marker object are kept apart."""

    def __init__(self, client: Any) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._counting = False
        client.meta.events.register("before-send.s3", self._note)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is sent within the block, by any thread."""
        self._counting = True
        try:
            yield
        finally:
            self._counting = False

    @property
    def marker_reads(self) -> int:
        """How often the marker was read."""
        return self._counts[MARKER]

    def each(self, count: int) -> dict[str, float]:
        """Share the other requests out over `count` uploads, by operation."""
        return {name: sent / count for name, sent in sorted(self._counts.items()) if name != MARKER}

    def _note(self, request: Any, event_name: str, **_: Any) -> None:
        if self._counting:
            operation = MARKER if is_marker(request.url.partition("?")[0]) else event_name.rpartition(".")[2]
            with self._lock:
                self._counts[operation] += 1
