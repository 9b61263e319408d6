"""Where events come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an event source: the source's own handle for it, and what it says."""

    id: str
    body: str


class EventQueue(Protocol):
    """Where events come from, at least once and in any order. Any number of threads may use it at once.

    Each verb may raise EventSourceError.
    """

    @property
    def name(self) -> str:
        """What metrics and logs call it: sqs, webhook, file."""
        ...

    @property
    def patience(self) -> float | None:
        """For how many seconds received messages are ours alone, unless `keep` says more; None for as long as it takes."""
        ...

    def receive(self) -> Sequence[Message] | None:
        """Wait some seconds at most for messages; empty where none came, None where there will never be any more."""
        ...

    def done(self, messages: Sequence[Message]) -> None:
        """Take messages off the queue: they were handled."""
        ...

    def failed(self, messages: Sequence[Message]) -> None:
        """Give messages back: they come again later, until the source puts them where it puts what fails."""
        ...

    def keep(self, messages: Sequence[Message]) -> None:
        """Say that messages are still being worked on."""
        ...

    def close(self) -> None:
        """Take in nothing more; what was taken in and not yet received is still handed over."""
        ...
