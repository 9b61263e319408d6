"""The visitors: presign, upload, submit the form, pick another picture, walk away."""

from collections import Counter

from sqlalchemy.orm import Session

from reconciler.core.actions import Reason
from reconciler.core.model import Status, Tag
from reconciler.demo.images import draw
from reconciler.demo.screen import size
from reconciler.demo.script import CAST, UPLOADING, Issued, Visit
from reconciler.demo.show import OK, Show
from reconciler.demo.stage import Profile


class OutOfStockError(Exception):
    """What an application raises when the rest of a form cannot be saved after all."""


def presign(show: Show) -> None:
    """Issue a URL to everybody who will upload, and to two who never will."""
    show.screen.step(
        "Presign",
        "For each visitor the backend asks for a URL: one fresh key, one row `pending`, and a signature that fixes "
        "size, type and tag, so that S3 itself refuses anything else.",
    )
    visits = [(visit, name) for visit in (*UPLOADING, Visit.NEVER_UPLOADS) for name in CAST[visit]]
    for number, (visit, name) in enumerate(visits):
        show.ask(visit, name, draw(number))
    first = show.issued[0]
    show.screen.line(f"{first.owner} has {first.picture.filename}, {size(first.picture.size)}, and gets")
    show.screen.line(f"{first.ticket.method} {first.key}")
    for header, value in first.ticket.headers.items():
        show.screen.line(f"    {header}: {value}")
    show.screen.line("    (the URL's signature is not shown: whoever holds it can upload)")
    rows = len(visits)
    show.screen.check(f"{rows} rows, all pending", expected={Status.PENDING: rows}, found=show.stage.statuses())


def upload(show: Show) -> None:
    """Send two dozen pictures straight to S3."""
    pictures = show.of(*UPLOADING)
    show.screen.step(
        "Upload",
        f"{len(pictures)} browsers send their pictures straight to S3 by HTTP, with the signed headers; "
        f"the backend sees no byte. {len(show.of(Visit.NEVER_UPLOADS))} more have a URL and never use it.",
    )
    answers = Counter(show.send(issued) for issued in pictures)
    kinds = sorted({issued.picture.content_type for issued in pictures})
    show.screen.table(
        ["type", "files", "smallest", "largest", "HTTP"],
        [_kind(kind, pictures, answers) for kind in kinds],
        right=["files", "smallest", "largest"],
    )
    count = len(pictures)
    show.screen.check(f"{count} answers 200", expected={OK: count}, found=answers)
    show.screen.check(
        f"{count} objects in the bucket, all tagged status=pending", expected={Tag.PENDING: count}, found=show.stage.tags()
    )


def submit(show: Show) -> None:
    """Save some forms, one of them in vain."""
    forms = show.of(Visit.SUBMITS, Visit.CHANGES_LATER)
    (failing,) = show.of(Visit.FAILS)
    show.screen.step(
        "Submit forms",
        f"{len(forms)} visitors submit. Profile and upload are saved in one transaction of the application; "
        "after its commit S3 is told by the tag. One more form is rolled back after the upload was completed in it.",
    )
    for issued in forms:
        save(show, issued)
    _save_in_vain(show, failing)
    for issued, said in ((forms[0], "saved"), (failing, "rolled back")):
        row, tag = show.stage.rows()[issued.key], show.stage.tag(issued.key)
        show.screen.line(f"{issued.owner}: {said}; row {row.status}, tag status={tag}")
    show.screen.check(
        f"{len(forms)} profiles saved, each with its picture",
        expected={issued.owner: issued.key for issued in forms},
        found=show.stage.profiles(),
    )
    show.screen.check(
        "the picture of the rolled back form is as pending as before",
        expected=Status.PENDING,
        found=show.stage.rows()[failing.key].status,
    )


def change(show: Show) -> None:
    """Pick other pictures, before and after submitting."""
    before, after = show.of(Visit.CHANGES_FIRST), show.of(Visit.CHANGES_LATER)
    show.screen.step(
        "Change pictures",
        f"{len(before)} visitors pick another picture before they submit, {len(after)} after they have. The new upload "
        "names the one it replaces: a pending one is due once its URL has died, a completed one is released.",
    )
    for number, old in enumerate([*before, *after], start=len(show.issued)):
        new = show.ask(old.visit, old.name, draw(number), replaces=old)
        show.send(new)
        save(show, new)
    for old in (before[0], after[0]):
        row = show.stage.rows()[old.key]
        show.screen.line(f"{old.owner}'s first picture: row {row.status}, due {row.due_at:%Y-%m-%d %H:%M}Z")
    kept = show.ending(Reason.IN_SYNC)
    show.screen.check(
        f"{len(kept)} profiles now, each with the picture picked last",
        expected={issued.owner: issued.key for issued in kept},
        found=show.stage.profiles(),
    )
    show.screen.check(
        f"those {len(kept)} pictures are tagged status=completed",
        expected=dict.fromkeys((issued.key for issued in kept), Tag.COMPLETED.value),
        found={issued.key: show.stage.tag(issued.key) for issued in kept},
    )


def save(show: Show, issued: Issued) -> None:
    """Save the form as an application does: its own row and the upload in one transaction, complete last."""
    with Session(show.stage.engine) as session, session.begin():
        session.merge(Profile(user=issued.owner, picture=issued.key))
        show.stage.uploads.complete(issued.key, owner=issued.owner, session=session)


def _save_in_vain(show: Show, issued: Issued) -> None:
    try:
        with Session(show.stage.engine) as session, session.begin():
            session.add(Profile(user=issued.owner, picture=issued.key))
            show.stage.uploads.complete(issued.key, owner=issued.owner, session=session)
            raise OutOfStockError  # noqa: TRY301  the rollback is what is shown
    except OutOfStockError:
        return


def _kind(kind: str, pictures: list[Issued], answers: Counter[int]) -> tuple[str, int, str, str, str]:
    sizes = [issued.picture.size for issued in pictures if issued.picture.content_type == kind]
    return kind, len(sizes), size(min(sizes)), size(max(sizes)), " ".join(map(str, answers))
