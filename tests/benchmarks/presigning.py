"""Presigning: signing alone beside plain boto3 with the same parameters, and with the row that reconciler remembers."""

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.figures import Figure, require
from benchmarks.filling import BODY, OWNER, TYPE
from benchmarks.lab import Lab, Place, plain_client
from benchmarks.series import Series, Track, per_second, race

from reconciler.adapters.s3.signer import PENDING_TAGGING
from reconciler.core.keys import make_key

SECONDS = 900


def measure(lab: Lab) -> Iterator[Figure]:
    """Sign, and presign, in one thread."""
    places, count = lab.places(), lab.sizes.presigned
    key = make_key(places[0].deployment.prefix, now=places[0].clock.now(), unique=uuid.uuid4(), content_type=TYPE)
    sign, plain = partial(_sign, places[0], key), partial(_plain, plain_client(lab.store), places[0].bucket, key)
    require(holds=_signed(sign()) == _signed(plain()), otherwise="the two ways to sign do not sign the same headers")
    rows = {f"presign_row_{place.database}": _many(partial(_presign, place), count) for place in places}
    signing = {"presign": _many(sign, count), "presign_boto3": _many(plain, count)}
    signing |= {"cpu": _many(sign, count, clock=time.thread_time), "cpu_boto3": _many(plain, count, clock=time.thread_time)}
    taken = race(lab.sizes.presign_rounds, **signing, **rows)

    def figure(name: str, series: Series, unit: str, meaning: str) -> Figure:
        return Figure(name=name, series=series, unit=unit, meaning=meaning, size=count)

    ours, theirs = taken["presign"], taken["presign_boto3"]
    yield figure("presign_per_second", ours, "1/s", "signing a PUT alone, S3Signer.put")
    yield figure("presign_boto3_per_second", theirs, "1/s", "plain generate_presigned_url with the same headers")
    yield figure("presign_vs_boto3", ours.over(theirs), "ratio", "S3Signer.put per second / generate_presigned_url per second")
    disturbed_less = "the same per second of processor time, which other work on the machine disturbs less"
    yield figure("presign_vs_boto3_cpu", taken["cpu"].over(taken["cpu_boto3"]), "ratio", disturbed_less)
    for name in rows:
        database, both = name.rpartition("_")[2], taken[name]
        yield figure(f"{name}_per_second", both, "1/s", f"Uploads.presign: the URL, and its row committed to disk in {database}")
        yield figure(f"{name}_vs_signing", both.over(ours), "ratio", "Uploads.presign per second / signing alone per second")


def _many(sign: Callable[[], object], count: int, *, clock: Callable[[], float] = time.perf_counter) -> Track:
    sign()  # what is made once a process (connections, the binding) is no part of it

    def run() -> None:
        for _ in range(count):
            sign()

    return lambda: per_second(count, run, clock=clock)


def _sign(place: Place, key: str) -> str:
    return place.deployment.signer.put(key, content_type=TYPE, size=len(BODY), seconds=SECONDS).url


def _plain(client: Any, bucket: str, key: str) -> str:
    params = {
        "Bucket": bucket,
        "Key": key,
        "ContentType": TYPE,
        "ContentLength": len(BODY),
        "Tagging": PENDING_TAGGING,
        "IfNoneMatch": "*",
    }
    url: str = client.generate_presigned_url("put_object", Params=params, ExpiresIn=SECONDS, HttpMethod="PUT")
    return url


def _presign(place: Place) -> object:
    return place.uploads.presign(filename="me.jpg", content_type=TYPE, size=len(BODY), owner=OWNER)


def _signed(url: str) -> tuple[str, list[str]]:
    parts = urlsplit(url)
    return parts.path, parse_qs(parts.query)["X-Amz-SignedHeaders"]
