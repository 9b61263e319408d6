"""Sweeping: abandoned uploads deleted a second, and what one costs in requests until its row is forgotten."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
from benchmarks.figures import Figure, require
from benchmarks.filling import abandon, put_objects
from benchmarks.lab import REGION, Lab, Place, pointed_at
from benchmarks.series import once, per_second, race

from reconciler.core.model import Status, Tag
from reconciler.core.rows import EVERY, Where
from reconciler.core.timing import HOUR

RUNS = 2  # a round: the one that deletes, and the one that forgets


def measure(lab: Lab) -> Iterator[Figure]:
    """Sweep on each database, beside a delete of everything under the prefix."""
    places, bare = lab.places(), lab.on_sqlite()
    tracks = {place.name: partial(_sweep, place, lab) for place in places}
    taken = race(lab.sizes.rounds, **tracks, bare=partial(_delete_all, bare, lab))
    count = lab.sizes.abandoned
    for place in places:
        yield Figure(
            name=f"sweep_{place.name}_per_second",
            series=taken[place.name],
            unit="1/s",
            meaning="plan and apply of a sweep: vote, claim, journal, delete, tombstone",
            size=count,
        )
    yield Figure(
        name="delete_all_boto3_per_second",
        series=taken["bare"],
        unit="1/s",
        meaning="boto3's bucket.objects.filter(Prefix=...).delete(): no table, no vote, no journal; deletes completed ones too",
        size=count,
    )
    yield from _requests(places[0], lab)


def _sweep(place: Place, lab: Lab) -> float:
    count, timing = lab.sizes.abandoned, place.deployment.timing
    abandon(place, put_objects(place, count, tag=Tag.PENDING, writers=lab.sizes.writers))
    place.clock.advance(timing.retention + HOUR)
    with place.requests.counted():
        rate = per_second(count, place.sweep)
    _require_rows(place, Where(statuses=(Status.DELETED,)), count)
    place.clock.advance(timing.tombstone_life + timing.slowest_transfer + HOUR)
    with place.requests.counted():
        place.sweep()
    _require_rows(place, EVERY, 0)
    return rate


def _require_rows(place: Place, where: Where, count: int) -> None:
    found = place.deployment.table.count(where)
    require(holds=found == count, otherwise=f"{place.name}: {found} rows instead of {count} after the sweep")


def _delete_all(place: Place, lab: Lab) -> float:
    put_objects(place, lab.sizes.abandoned, tag=Tag.PENDING, writers=lab.sizes.writers)
    with pointed_at(place.store):
        bucket: Any = boto3.resource("s3", region_name=REGION).Bucket(place.bucket)
    rate = per_second(lab.sizes.abandoned, bucket.objects.filter(Prefix=place.deployment.prefix).delete)
    bucket.meta.client.close()
    return rate


def _requests(place: Place, lab: Lab) -> Iterator[Figure]:
    runs, count = lab.sizes.rounds * RUNS, lab.sizes.abandoned
    parts = place.requests.each(lab.sizes.rounds * count)
    yield Figure(
        name="requests_per_abandoned",
        series=once(sum(parts.values())),
        unit="requests",
        meaning=f"one upload swept and, a week later, forgotten, on {place.name}, {count:,} at a time, without marker reads",
        size=count,
        parts=parts,
        server=place.store.name,
    )
    yield Figure(
        name="marker_reads_per_run",
        series=once(place.requests.marker_reads / runs),
        unit="requests",
        meaning="reads of the object that binds the bucket: per sweep, whatever its size, in no other figure",
        size=runs,
    )
