"""Patients for doctor: buckets that are set up as an operator would have them."""

import uuid
from typing import Any

from support import PREFIX

from reconciler.adapters.s3 import S3Bucket
from reconciler.core.parts import PartName
from reconciler.core.timing import Timing
from reconciler.doctor import Diagnosis, Doctor
from reconciler.installer import Installer
from reconciler.ports import Clock
from reconciler.settings import Settings
from reconciler.wiring import make_doctor, wanted_by

ORIGIN = "https://www.example.com"


def set_up(client: Any) -> str:
    """Create a bucket with our lifecycle rules and CORS document, and return its name."""
    bucket = f"photos-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    installer = Installer(
        bucket=S3Bucket(client, bucket),
        name=bucket,
        wanted=wanted_by(Settings(bucket=bucket, origins=(ORIGIN,))),
        timing=Timing(),
    )
    for look in installer.look([PartName.LIFECYCLE, PartName.CORS]):
        installer.install(look)
    return bucket


def doctor_for(client: Any, bucket: str, *, clock: Clock | None = None, **settings: Any) -> Doctor:
    """Return what `reconcile doctor` would use on this bucket."""
    return make_doctor(Settings(bucket=bucket, prefix=PREFIX, **settings), client=client, clock=clock)


def examined(client: Any) -> Diagnosis:
    """Return what doctor says of a bucket that is set up; nothing may be left behind."""
    patient = doctor_for(client, set_up(client), origins=(ORIGIN,))
    try:
        return patient.examine()
    finally:
        assert patient.tidy() == []
