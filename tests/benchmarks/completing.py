"""Completing: how many a second, and what one completed upload costs in requests, until it is confirmed."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.figures import Figure, require
from benchmarks.filling import BODY, OWNER, TYPE
from benchmarks.lab import Lab, Place, slug
from benchmarks.series import once, per_second, race
from support import send

from reconciler.core.model import Status
from reconciler.core.parts import PartName
from reconciler.core.rows import Where

UNCONFIRMED = Where(statuses=(Status.COMPLETED,), equals={"confirmed_at": None})


def measure(lab: Lab) -> Iterator[Figure]:
    """Complete on each database and store, then let the sweep confirm."""
    places = lab.places()
    if lab.announcing:
        places.append(lab.on_postgres(lab.announcing))
        installer = places[-1].deployment.installer()
        for look in installer.look([PartName.LIFECYCLE]):
            installer.install(look)
    announced = {place.name: _announces(place) for place in places}
    taken = race(lab.sizes.rounds, **{place.name: partial(_complete, place, lab.sizes.completed) for place in places})
    for place in places:
        yield Figure(
            name=f"complete_{place.name}_per_second",
            series=taken[place.name],
            unit="1/s",
            meaning="Uploads.complete in a transaction of its own, one thread",
            size=lab.sizes.completed,
        )
    total = lab.sizes.rounds * lab.sizes.completed
    for place in places:
        _confirm(place, total)
    for name, place in (("requests_per_completed", places[-1]), (f"requests_per_completed_{slug(lab.store)}", places[0])):
        yield _requests(name, place, total, announced=announced[place.name])


def _announces(place: Place) -> bool:
    """Say whether the store tells of the lifecycle rule that would expire a pending upload: completing then costs less."""
    return "Expiration" in place.client.head_object(Bucket=place.bucket, Key=_upload(place))


def _complete(place: Place, count: int) -> float:
    keys = [_upload(place) for _ in range(count)]

    def complete() -> None:
        for key in keys:
            place.uploads.complete(key, owner=OWNER)

    with place.requests.counted():
        return per_second(count, complete)


def _upload(place: Place) -> str:
    ticket = place.uploads.presign(filename="me.jpg", content_type=TYPE, size=len(BODY), owner=OWNER)
    status = send(ticket, BODY)
    require(holds=status == 200, otherwise=f"the browser's PUT was answered with {status}")
    return ticket.key


def _confirm(place: Place, total: int) -> None:
    """Let the time pass after which the sweep looks at each completed upload once more, and sweep."""
    timing = place.deployment.timing
    place.clock.advance(timing.settle_wait + timing.url_life + timing.slowest_transfer)
    with place.requests.counted():
        place.sweep()
    table: Any = place.deployment.table
    done = table.count(Where(statuses=(Status.COMPLETED,))), table.count(UNCONFIRMED)
    require(holds=done == (total, 0), otherwise=f"{place.name}: of {total}, (completed, unconfirmed) are {done}")


def _requests(name: str, place: Place, total: int, *, announced: bool) -> Figure:
    parts = place.requests.each(total)
    return Figure(
        name=name,
        series=once(sum(parts.values())),
        unit="requests",
        meaning="one upload completed, settled, and confirmed by a later sweep; without reads of the marker",
        size=total,
        parts=parts,
        server=f"{place.store.name}, which {'announces' if announced else 'does not announce'} the lifecycle rule's expiry",
    )
