"""A bounded queue in memory: what was taken in and is not done yet.

What failed comes again after a while, and after the last while is dropped. Losing what lies here costs only latency: the next
plan finds everything that an event would have told.
"""

import heapq
import itertools
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reconciler.ports import Message

BATCH = 10  # messages handed over at once; as many as SQS hands over


@dataclass(frozen=True, slots=True)
class Waiting(Message):
    """A message, and how often it has failed."""

    failures: int = 0


class Backlog:
    """Messages in the order in which they are due. Any number of threads may put and take at once.

    Args:
        size: how many may wait; what has failed is taken back even where it is full.
        waits: after how many seconds a message comes again, for its first, second, ... failure.
        dropped: is told of a message that has failed once more than there are waits.
    """

    def __init__(self, *, size: int, waits: Sequence[float], dropped: Callable[[Message], object]) -> None:
        self._size = size
        self._waits = waits
        self._dropped = dropped
        self._numbers = itertools.count(1)
        self._heap: list[tuple[float, int, Waiting]] = []
        self._changed = threading.Condition()
        self._closed = False

    def put(self, body: str) -> bool:
        """Take a message in; False where the backlog is full or closed."""
        with self._changed:
            if self._closed or len(self._heap) >= self._size:
                return False
            self._add(0, Waiting(str(next(self._numbers)), body))
            return True

    def take(self, *, seconds: float) -> Sequence[Message] | None:
        """Wait at most so long for messages; None once it is closed and empty."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._is_due():
                if self._closed and not self._heap:
                    return None
                now = time.monotonic()
                if now >= deadline:
                    return []
                self._changed.wait(max(0.0, min(deadline, self._next()) - now))
            return [heapq.heappop(self._heap)[2] for _ in range(BATCH) if self._is_due()]

    def give_back(self, messages: Sequence[Message]) -> None:
        """Let messages that failed come again later, or drop them."""
        for message in messages:
            if not isinstance(message, Waiting):
                raise TypeError(f"{message.id} was not taken from here")
            if message.failures >= len(self._waits):
                self._dropped(message)
                continue
            with self._changed:
                self._add(self._waits[message.failures], replace(message, failures=message.failures + 1))

    def close(self) -> None:
        """Take nothing more in. Whoever waits for its next try waits no longer: it may be the last one."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _add(self, seconds: float, message: Waiting) -> None:
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._numbers), message))
        self._changed.notify()

    def _next(self) -> float:
        return self._heap[0][0] if self._heap else math.inf

    def _is_due(self) -> bool:
        return bool(self._heap) and (self._closed or self._next() <= time.monotonic())
