"""A queue of events in memory: what fails comes again at once, and ends among the dead letters."""

from collections.abc import Sequence

from reconciler.adapters.backlog import Backlog
from reconciler.ports import Message

SIZE = 1_000_000
POLL_SECONDS = 0.05


class MemoryQueue:
    """An EventQueue that tests put bodies into. A message that has failed `attempts` times lies in `dead`."""

    name = "memory"
    patience: float | None = None

    def __init__(self, *, attempts: int = 3) -> None:
        self.dead: list[Message] = []
        self._backlog = Backlog(size=SIZE, waits=(0.0,) * (attempts - 1), dropped=self.dead.append)

    def put(self, body: str) -> None:
        """Put a message into the queue, as its sender would."""
        self._backlog.put(body)

    def receive(self) -> Sequence[Message] | None:
        """Wait a moment for messages; None once it is closed and drained."""
        return self._backlog.take(seconds=POLL_SECONDS)

    def done(self, messages: Sequence[Message]) -> None:
        """Do nothing: what was received is no longer here."""

    def failed(self, messages: Sequence[Message]) -> None:
        """Put messages back, or among the dead letters."""
        self._backlog.give_back(messages)

    def keep(self, messages: Sequence[Message]) -> None:
        """Do nothing: nobody else receives them."""

    def close(self) -> None:
        """Take in nothing more."""
        self._backlog.close()
