"""The conformance suite of the event queue's port, one fact a test.

Subclass `EventQueueSuite`, say how to make your queue and how an event gets into it, and let pytest collect it.
"""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote_plus

from reconciler.ports import Message

PATIENCE = 30.0  # seconds that a slow queue may take to hand over what it has
COUNT = 25  # more than any queue hands over at once


def s3_event(key: str, *, bucket: str = "photos", name: str = "ObjectCreated:Put", **details: Any) -> str:
    """Return a message as S3 sends it when something has happened to a key; `details` go into its object."""
    found = {"key": quote_plus(key, safe="/"), **details}
    record = {
        "eventVersion": "2.4",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": found},
    }
    return json.dumps({"Records": [record]})


class EventQueueSuite:
    """What every adapter of the event queue's port must do."""

    server_name: str

    def make_queue(self) -> Any:
        """Return a fresh queue; one that asks a server for messages should do so often, and show failed ones again soon."""
        raise NotImplementedError

    def send(self, queue: Any, body: str) -> None:
        """Let an event get into the queue, the way it does in production."""
        raise NotImplementedError

    # Taking

    def test_a_queue_has_a_name_and_some_patience(self) -> None:
        """Its name serves metrics; its patience is a span, or None."""
        queue = self.make_queue()
        assert queue.name
        assert queue.patience is None or queue.patience > 0

    def test_an_empty_queue_hands_over_nothing(self) -> None:
        """And does not end: there may be more later."""
        queue = self.make_queue()
        received = queue.receive()
        assert received is not None
        assert list(received) == []

    def test_a_message_says_what_was_sent(self) -> None:
        """Word for word, whatever is in the key."""
        queue, body = self.make_queue(), s3_event("uploads/a b+c%20é\u2028\U0001f600.jpg")
        self.send(queue, body)
        assert [message.body for message in self._received(queue, 1)] == [body]

    def test_a_large_message_arrives_whole(self) -> None:
        """Also one that is larger than any that S3 sends."""
        queue, body = self.make_queue(), s3_event("uploads/a.jpg", padding="x" * 200_000)
        self.send(queue, body)
        assert [message.body for message in self._received(queue, 1)] == [body]

    def test_every_message_arrives(self) -> None:
        """However many there are; each has an id of its own."""
        queue = self.make_queue()
        self._fill(queue)
        received = self._received(queue, COUNT)
        assert {message.body for message in received} == set(_bodies())
        assert len({message.id for message in received}) == COUNT

    def test_any_number_of_threads_may_take(self) -> None:
        """Together they get every message."""
        queue = self.make_queue()
        self._fill(queue)
        bodies: list[str] = []
        deadline = time.monotonic() + PATIENCE

        def take(_: int) -> None:
            while len(bodies) < COUNT and time.monotonic() < deadline:
                bodies.extend(message.body for message in self._taken(queue.receive()))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(take, range(4)))
        assert set(bodies) == set(_bodies())

    # Giving back

    def test_what_is_done_does_not_come_again(self) -> None:
        """Nor does it take anything else along."""
        queue = self.make_queue()
        self._fill(queue)
        received = self._received(queue, COUNT)
        kept = received.pop()
        queue.done(received)
        queue.failed([kept])
        assert [message.body for message in self._received(queue, 1)] == [kept.body]
        assert self._taken(queue.receive()) == []

    def test_what_failed_comes_again(self) -> None:
        """With the same words."""
        queue, body = self.make_queue(), s3_event("uploads/a.jpg")
        self.send(queue, body)
        queue.failed(self._received(queue, 1))
        assert [message.body for message in self._received(queue, 1)] == [body]

    def test_what_failed_holds_up_nobody(self) -> None:
        """Others come meanwhile."""
        queue, other = self.make_queue(), s3_event("uploads/other.jpg")
        self.send(queue, s3_event("uploads/poison.jpg"))
        queue.failed(self._received(queue, 1))
        self.send(queue, other)
        assert other in {message.body for message in self._received(queue, 2)}

    def test_what_is_kept_can_still_be_done(self) -> None:
        """Keeping changes nothing but who may have it meanwhile."""
        queue = self.make_queue()
        self.send(queue, s3_event("uploads/a.jpg"))
        received = self._received(queue, 1)
        queue.keep(received)
        queue.done(received)
        assert self._taken(queue.receive()) == []

    def test_giving_back_twice_does_no_harm(self) -> None:
        """A message that somebody else has had meanwhile is no error."""
        queue = self.make_queue()
        self.send(queue, s3_event("uploads/a.jpg"))
        received = self._received(queue, 1)
        queue.done(received)
        queue.done(received)
        queue.keep(received)

    def test_giving_back_nothing_is_no_request(self) -> None:
        """An empty list of messages is no error."""
        queue = self.make_queue()
        queue.done([])
        queue.failed([])
        queue.keep([])

    # The end

    def test_a_closed_queue_comes_to_an_end(self) -> None:
        """What was taken in is still handed over, and then there is None, again and again."""
        queue = self.make_queue()
        self.send(queue, s3_event("uploads/a.jpg"))
        queue.close()
        queue.close()
        handed_over = list(iter(queue.receive, None))
        assert len(handed_over) <= 1
        assert queue.receive() is None

    def _fill(self, queue: Any) -> None:
        for body in _bodies():
            self.send(queue, body)

    def _received(self, queue: Any, count: int) -> list[Message]:
        """Receive until there are as many messages as that, or time is up."""
        return list(self._arrivals(queue, count))

    def _arrivals(self, queue: Any, count: int) -> Iterator[Message]:
        deadline = time.monotonic() + PATIENCE
        while count > 0 and time.monotonic() < deadline:
            messages = self._taken(queue.receive())
            count -= len(messages)
            yield from messages

    @staticmethod
    def _taken(messages: Sequence[Message] | None) -> list[Message]:
        assert messages is not None, "the queue has ended"
        return list(messages)


def _bodies() -> list[str]:
    return [s3_event(f"uploads/{number}.jpg") for number in range(COUNT)]
