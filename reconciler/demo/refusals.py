"""What is refused: by S3, because it is signed; and by the library, because it is not what was signed, or not yours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler import ReconcilerError, UnknownUploadError, WrongTypeError
from reconciler.core.model import Tag
from reconciler.demo.images import disguised_text, draw
from reconciler.demo.script import CAST, Issued, Visit, owner_of
from reconciler.demo.show import OK, Show
from reconciler.demo.stage import Answer

FORBIDDEN, PRECONDITION_FAILED = 403, 412
EXTRA = b"and a little more"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to send something else than what was signed: other headers (None leaves one out), or more bytes."""

    what: str
    headers: Mapping[str, str | None]
    extra: bytes = b""

    def headers_for(self, issued: Issued) -> dict[str, str]:
        """Return the ticket's headers, tampered with."""
        changed = {**issued.ticket.headers, **self.headers}
        return {name: value for name, value in changed.items() if value is not None}


ATTEMPTS = (
    Attempt("tag changed to status=completed", {"x-amz-tagging": "status=completed"}),
    Attempt("tag header left out", {"x-amz-tagging": None}),
    Attempt("Content-Type text/html", {"Content-Type": "text/html"}),
    Attempt("larger than signed", {}, EXTRA),
)
REPLAY = "other bytes, URL used before"
HONEST = "nothing changed"
TRICKS = {attempt.what: FORBIDDEN for attempt in ATTEMPTS} | {REPLAY: PRECONDITION_FAILED}
BY_S3 = len(TRICKS)
BY_THE_LIBRARY = 2


def by_s3(show: Show) -> None:
    """Tamper with a request, and use a URL twice."""
    show.screen.step(
        "What S3 refuses",
        "Mallory is given a URL as well, and changes one thing at a time; then the URL of a completed picture is used "
        "again, with other bytes. S3 must refuse each, and take Mallory's URL with nothing changed.",
    )
    (name,) = CAST[Visit.TAMPERS]
    completed = show.of(Visit.SUBMITS)[0]
    pending = show.ask(Visit.TAMPERS, name, draw(len(show.issued)))
    answers = _try_all(show, pending, completed) if show.stage.server.verifies else {}
    answers[HONEST] = Answer(show.send(pending))
    show.screen.table(["sent", "HTTP", "S3's error code"], [_row(show, what, answers.get(what)) for what in (*TRICKS, HONEST)])
    if show.stage.server.verifies:
        _check(show, answers, completed)
    else:
        show.screen.warn(f"{show.stage.server.name} checks no signature, so the first {BY_S3} were not sent.")
    show.screen.check("with nothing changed the URL works", expected=OK, found=answers[HONEST].status)


def by_the_library(show: Show) -> None:
    """Complete what is no picture, and what is somebody else's."""
    show.screen.step(
        "What the library refuses",
        "Trudy uploads a text file as a JPEG: size, type and signature are right, so S3 takes it, but its first bytes "
        "are no JPEG's. Then she submits somebody else's picture.",
    )
    (name,) = CAST[Visit.DISGUISES]
    text, theirs = show.ask(Visit.DISGUISES, name, disguised_text()), show.of(Visit.WALKS_AWAY)[0]
    show.screen.check("S3 takes the text file", expected=OK, found=show.send(text))
    complete = show.stage.uploads.complete
    _expect(show, "complete the text file", WrongTypeError, lambda: complete(text.key, owner=text.owner))
    _expect(show, f"complete {theirs.name}'s picture", UnknownUploadError, lambda: complete(theirs.key, owner=owner_of(name)))


def _try_all(show: Show, pending: Issued, completed: Issued) -> dict[str, Answer]:
    answers = {
        attempt.what: show.stage.send(pending.ticket, pending.picture.body + attempt.extra, attempt.headers_for(pending))
        for attempt in ATTEMPTS
    }
    answers[REPLAY] = show.stage.send(completed.ticket, completed.picture.body[::-1])
    return answers


def _row(show: Show, what: str, answer: Answer | None) -> tuple[str, object, str]:
    if answer is None:
        return what, "-", f"not verified by {show.stage.server.name}, not counted"
    return what, answer.status, answer.code or "-"


def _check(show: Show, answers: Mapping[str, Answer], completed: Issued) -> None:
    found = {what: answers[what].status for what in TRICKS}
    show.screen.check(f"all {BY_S3} are refused", expected=TRICKS, found=found)
    show.refused += sum(status == TRICKS[what] for what, status in found.items())
    show.screen.check(
        "the completed picture's bytes and tag are as they were",
        expected=(True, Tag.COMPLETED.value),
        found=(show.stage.read(completed.key) == completed.picture.body, show.stage.tag(completed.key)),
    )


def _expect(show: Show, what: str, wanted: type[ReconcilerError], call: Callable[[], object]) -> None:
    try:
        call()
    except ReconcilerError as error:
        found, said = type(error).__name__, error.message
    else:
        found, said = "completed", ""
    show.screen.line(f"{found}: {said}")
    show.refused += found == wanted.__name__
    show.screen.check(f"{what}: refused", expected=wanted.__name__, found=found)
