"""Binding a table and a bucket to each other, so that no run ever compares the wrong pair.

The table's one binding row and the bucket's marker object hold the same instance id. `initialise` writes both, in this order,
and may be run again after a crash anywhere.
"""

from collections.abc import Callable
from enum import StrEnum

from reconciler.core.keys import SYSTEM_FOLDER, ancestors, marker_key
from reconciler.core.model import Binding
from reconciler.errors import AccessDeniedError, BindingError, CredentialsError
from reconciler.ports import Objects, Table
from reconciler.reading import bound, find, vote


class Bound(StrEnum):
    """What initialising found or did."""

    ALREADY = "already bound"
    MARKED = "marker written"
    NEW = "bound"


def probe(objects: Objects, *, prefix: str, unique: str) -> None:
    """Raise unless S3 tells this role that an absent object is absent.

    Without s3:ListBucket an absent key answers 403, and nothing could ever be told from something (S3 API, HeadObject).
    """
    key = f"{prefix}{SYSTEM_FOLDER}absent-{unique}"
    try:
        vote(objects, key)  # first, because a HEAD that is refused does not say why
        find(objects, key)
    except CredentialsError:
        raise
    except AccessDeniedError as error:
        raise AccessDeniedError(
            f"S3 answers 403 for an absent object in {objects.bucket!r}: whether it exists stays unknown",
            hint="grant s3:ListBucket on the bucket and s3:GetObject, s3:GetObjectTagging on the prefix",
        ) from error


def initialise(
    objects: Objects, table: Table, *, prefix: str, new_id: Callable[[], str], rebind: bool = False
) -> tuple[Binding, Bound]:
    """Bind table and bucket, or make sure that they are. Safe to run again.

    Raises BindingError where either belongs to another; `rebind` is the operator's word that both are his, after a table
    was lost: both get a new instance id.
    """
    key = marker_key(prefix)
    probe(objects, prefix=prefix, unique=new_id())
    marker, _ = objects.marker(key)
    for outer in ancestors(prefix):
        if objects.marker(marker_key(outer))[0] is not None:
            raise BindingError(
                f"another deployment has the prefix {outer!r}, in which {prefix!r} lies",
                hint="give each deployment a prefix of its own, such as uploads/ and avatars/",
            )
    mine = table.binding()
    if rebind or mine is None:
        if marker is not None and not rebind:
            raise BindingError(
                f"{objects.bucket}/{prefix} already belongs to instance {marker.instance_id}, and this table is new",
                hint="is RECONCILER_TABLE_URL right, and this the right folder? If another deployment uses this prefix, "
                "choose your own; only if its table is lost for good, run `reconcile init --rebind`",
            )
        # Another init may be a moment ahead: then both go on with its instance.
        mine = table.bind(Binding(new_id(), objects.bucket, prefix), overwrite=rebind)
        objects.put_marker(key, mine, overwrite=rebind)
        return _read_back(objects, key, mine), Bound.NEW
    mine = bound(table, bucket=objects.bucket, prefix=prefix)
    if marker is None:
        objects.put_marker(key, mine, overwrite=False)
        return _read_back(objects, key, mine), Bound.MARKED
    return _read_back(objects, key, mine), Bound.ALREADY


def _read_back(objects: Objects, key: str, mine: Binding) -> Binding:
    marker, _ = objects.marker(key)
    if marker != mine:
        theirs = marker.instance_id if marker else "nobody"
        raise BindingError(
            f"the bucket's marker names instance {theirs}, the table is {mine.instance_id}",
            hint="they belong to two deployments: correct RECONCILER_TABLE_URL, RECONCILER_BUCKET or RECONCILER_PREFIX",
        )
    return mine
