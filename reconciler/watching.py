"""Watching: the loop that takes messages from a source, has them consumed, and gives each back as done or failed.

It ends when the source does, or when it is asked to: then what was received is still finished, and nothing more is taken. A
source or a table out of reach is waited for, ever longer; what one message does wrong stops nobody.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from reconciler.consumer import Consumed, Consumer
from reconciler.errors import EventSourceError, JournalError, ReconcilerError, RefusedError
from reconciler.logs import get_logger
from reconciler.ports import EventQueue, Message

log = get_logger()

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds, while the source, the table or the store is out of reach
TELL_EVERY = 60.0  # seconds
TICK = 0.2


@dataclass
class Tally:
    """What a watcher has done so far. Any number of threads add to it.

    `counts` holds messages received, acknowledged and failed; events, and those of them ignored; and what became of the keys
    they named (see Consumed).
    """

    source: str
    counts: Counter[str] = field(default_factory=Counter)
    lag: timedelta | None = None
    longest_lag: timedelta | None = None
    troubles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, consumed: Consumed) -> None:
        """Count what became of some messages."""
        with self._lock:
            failed = len(consumed.failed)
            self.counts.update(received=consumed.messages, acknowledged=consumed.messages - failed, failed=failed)
            self.counts.update(events=consumed.events, ignored=consumed.ignored)
            self.counts.update(consumed.counts)
            if consumed.lags:
                self.lag = max(consumed.lags)
                self.longest_lag = max(self.lag, self.longest_lag or self.lag)

    @property
    def trouble(self) -> str:
        """What is out of reach now; empty where nothing is."""
        return "; ".join(self.troubles.values())

    def note(self, what: str, trouble: str = "") -> None:
        """Note that the source, or the work, is in trouble; without any, that it is well again."""
        with self._lock:
            self.troubles = {name: said for name, said in {**self.troubles, what: trouble}.items() if said}

    def missed(self, count: int) -> None:
        """Count messages for which nothing could be done."""
        with self._lock:
            self.counts.update(received=count, failed=count)

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics; lags are the seconds from an event to the end of what it led to: of late, and at most."""
        with self._lock:
            return {
                "source": self.source,
                "ok": not self.trouble,
                "trouble": self.trouble or None,
                "counts": dict(sorted(self.counts.items())),
                "lag_seconds": _seconds(self.lag),
                "longest_lag_seconds": _seconds(self.longest_lag),
            }


class Watcher:
    """Runs a consumer over a source, in several threads. `on_failure` is told the id of each failed message, and why."""

    def __init__(
        self,
        queue: EventQueue,
        consumer: Consumer,
        *,
        tally: Tally | None = None,
        threads: int = 4,
        on_failure: Callable[[str, str], object] = lambda *_: None,
    ) -> None:
        self.tally = tally or Tally(queue.name)
        self._queue = queue
        self._consumer = consumer
        self._threads = threads
        self._on_failure = on_failure
        self._held: dict[int, Sequence[Message]] = {}
        self._ended = threading.Event()
        self._reached = False

    def run(self, stopping: Callable[[], bool] = lambda: False) -> Tally:
        """Watch until the source ends, or `stopping` says so.

        Raises what waiting would not mend: RefusedError where bucket and table do not belong together or their clocks are apart,
        JournalError where a deletion cannot be journalled, EventSourceError where the source was never within reach.
        """
        self._consumer.check()
        with ThreadPoolExecutor(self._threads, "watch") as pool, self._keeping(self._queue.patience):
            loops = [pool.submit(self._loop) for _ in range(self._threads)]
            self._oversee(loops, stopping)
        for loop in loops:
            loop.result()
        log.info("watch_finished", **self.tally.as_dict())
        return self.tally

    def _oversee(self, loops: Sequence[Future[None]], stopping: Callable[[], bool]) -> None:
        """Wait for the loops; end them all when that is asked for, or when one has failed."""
        told = time.monotonic()
        running: Collection[Future[None]] = loops
        while running:
            ended, running = wait(running, timeout=TICK, return_when=FIRST_EXCEPTION)
            if not self._ended.is_set() and (stopping() or any(loop.exception() for loop in ended)):
                self._ended.set()
                self._queue.close()
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                log.info("watched", **self.tally.as_dict())

    def _loop(self) -> None:
        """Take, handle and give back, until the source has no more; while anything is out of reach, try again ever later."""
        pause = FIRST_WAIT
        while not (self._ended.is_set() and self.tally.trouble):
            try:
                messages = self._queue.receive()
                if messages is None:
                    return
                self._reached = True
                self.tally.note("source")
                self._handle(messages)
                pause = FIRST_WAIT
            except (RefusedError, JournalError):
                raise
            except ReconcilerError as error:
                if isinstance(error, EventSourceError) and not self._reached:
                    raise
                log.warning("out_of_reach", error=error.message, hint=error.hint, again_in=pause)
                self.tally.note("source" if isinstance(error, EventSourceError) else "work", error.message)
                self._ended.wait(pause)
                pause = min(2 * pause, LONGEST_WAIT)

    def _handle(self, messages: Sequence[Message]) -> None:
        if not messages:
            return
        self._held[threading.get_ident()] = messages
        try:
            consumed = self._consumer.consume(messages)
        except BaseException:
            self.tally.missed(len(messages))
            self._queue.failed(messages)
            raise
        finally:
            self._held.pop(threading.get_ident(), None)
        self.tally.add(consumed)
        self.tally.note("work", "S3 did not answer for some keys" if consumed.counts.get("unknown") else "")
        for message, why in consumed.failed.items():
            log.warning("message_failed", source=self._queue.name, id=message, why=why)
            self._on_failure(message, why)
        self._give_back(messages, consumed)

    def _give_back(self, messages: Sequence[Message], consumed: Consumed) -> None:
        failed = [message for message in messages if message.id in consumed.failed]
        done = [message for message in messages if message.id not in consumed.failed]
        if failed:
            self._queue.failed(failed)
        if done:
            self._queue.done(done)

    @contextmanager
    def _keeping(self, patience: float | None) -> Iterator[None]:
        """Say, before the source's patience is over, that what is held is still being worked on."""
        if patience is None:
            yield
            return
        finished = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(finished, patience / 3), name="watch-keeper", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            finished.set()
            keeper.join()

    def _keep(self, finished: threading.Event, every: float) -> None:
        while not finished.wait(every):
            for messages in list(self._held.values()):
                try:
                    self._queue.keep(messages)
                except EventSourceError as error:
                    log.warning("not_kept", error=error.message)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)
