"""One performance: the stage, the screen, and everything that has been issued, sent and carried out so far."""

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.core.actions import Reason
from reconciler.core.report import RunReport
from reconciler.demo.images import Picture
from reconciler.demo.screen import Screen
from reconciler.demo.script import ENDS, Issued, Visit, owner_of
from reconciler.demo.stage import Stage

OK = 200


@dataclass
class Show:
    """What the steps share."""

    stage: Stage
    screen: Screen
    issued: list[Issued] = field(default_factory=list)
    arrived: list[Issued] = field(default_factory=list)
    runs: list[RunReport] = field(default_factory=list)
    refused: int = 0

    def of(self, *visits: Visit) -> list[Issued]:
        """Return the uploads of these visits."""
        return [issued for issued in self.issued if issued.visit in visits]

    def ending(self, *reasons: Reason) -> list[Issued]:
        """Return the uploads that must end so."""
        return [issued for issued in self.issued if issued.end in reasons]

    def ask(self, visit: Visit, name: str, picture: Picture, *, replaces: Issued | None = None) -> Issued:
        """Presign one picture for one visitor, and note how it must end."""
        ticket = self.stage.uploads.presign(
            filename=picture.filename,
            content_type=picture.content_type,
            size=picture.size,
            owner=owner_of(name),
            replaces=replaces.key if replaces else None,
        )
        issued = Issued(visit, name, picture, ticket, ENDS[visit][1 if replaces else 0])
        self.issued.append(issued)
        return issued

    def send(self, issued: Issued) -> int:
        """Upload as asked for; return the HTTP status."""
        status = self.stage.send(issued.ticket, issued.picture.body).status
        if status == OK:
            self.arrived.append(issued)
        return status


Step = Callable[[Show], None]
