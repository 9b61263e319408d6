"""Who comes to the form, and how it must end for every upload: data alone, so that what is expected is counted and not guessed.

The steps play this script against a real S3 server; the checks compare the world with it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.actions import Reason
from reconciler.core.model import Status
from reconciler.demo.images import Picture
from reconciler.presign import PresignedUpload


class Visit(StrEnum):
    """What one visitor does with the form."""

    SUBMITS = "submits the form"
    CHANGES_FIRST = "picks another picture, then submits"
    CHANGES_LATER = "submits, and picks another picture afterwards"
    FAILS = "submits, but the application rolls back"
    WALKS_AWAY = "uploads and walks away"
    NEVER_UPLOADS = "asks for a URL and never uploads"
    TAMPERS = "tampers with the request, then walks away"
    DISGUISES = "uploads a text file as a JPEG"


# One end for each upload of a visit, in order. IN_SYNC is completed; every other reason is why the row ended as deleted.
ENDS: dict[Visit, tuple[Reason, ...]] = {
    Visit.SUBMITS: (Reason.IN_SYNC,),
    Visit.CHANGES_FIRST: (Reason.ABANDONED, Reason.IN_SYNC),
    Visit.CHANGES_LATER: (Reason.RELEASED, Reason.IN_SYNC),
    Visit.FAILS: (Reason.ABANDONED,),
    Visit.WALKS_AWAY: (Reason.ABANDONED,),
    Visit.NEVER_UPLOADS: (Reason.NEVER_UPLOADED,),
    Visit.TAMPERS: (Reason.ABANDONED,),
    Visit.DISGUISES: (Reason.ABANDONED,),
}

# The first five upload one picture each before anything else happens: two dozen.
CAST: dict[Visit, tuple[str, ...]] = {
    Visit.SUBMITS: ("ada", "ben", "cleo", "dora", "emil", "fay", "gus"),
    Visit.CHANGES_FIRST: ("hana", "ivo", "june"),
    Visit.CHANGES_LATER: ("kai", "lena"),
    Visit.FAILS: ("milo",),
    Visit.WALKS_AWAY: ("nora", "otto", "pia", "quin", "rosa", "sam", "tess", "ugo", "vera", "will", "xena"),
    Visit.NEVER_UPLOADS: ("yuri", "zoe"),
    Visit.TAMPERS: ("mallory",),
    Visit.DISGUISES: ("trudy",),
}
UPLOADING = (Visit.SUBMITS, Visit.CHANGES_FIRST, Visit.CHANGES_LATER, Visit.FAILS, Visit.WALKS_AWAY)


@dataclass(frozen=True, slots=True)
class Issued:
    """One presigned upload of the story: whose it is, what is sent with it, and how it must end."""

    visit: Visit
    name: str
    picture: Picture
    ticket: PresignedUpload
    end: Reason

    @property
    def owner(self) -> str:
        """What the application calls the visitor."""
        return owner_of(self.name)

    @property
    def key(self) -> str:
        """The object's key."""
        return self.ticket.key

    @property
    def row_end(self) -> tuple[Status, str | None]:
        """The status and reason its row must have in the end."""
        return (Status.COMPLETED, None) if self.end is Reason.IN_SYNC else (Status.DELETED, self.end.value)


def owner_of(name: str) -> str:
    """Return what the application calls a visitor."""
    return f"user:{name}"


def ends(visits: Iterable[Visit] = Visit) -> Counter[Reason]:
    """Count how the uploads of these visits must end."""
    return Counter(end for visit in visits for end in ENDS[visit] for _ in CAST[visit])
