"""Which version of an object a restoration takes: the bytes that were completed, never what was put on top of them later."""

from collections.abc import Sequence

from reconciler.core.model import ObjectVersion, Upload
from reconciler.errors import NothingToRestoreError

GONE = "a deleted version is kept for RECONCILER_NONCURRENT_DAYS, where the rules of `reconcile install` stand"


def choose_version(
    key: str, versions: Sequence[ObjectVersion], row: Upload | None, *, version_id: str | None = None
) -> ObjectVersion:
    """Return the version to restore, out of all of them, newest first.

    The one that was asked for; else the one that the row was completed with; else the newest with the row's etag. Where the row
    knows no etag (or there is none) all versions must hold the same bytes. Raises NothingToRestoreError where there is none, or
    where nothing tells which.
    """
    if version_id is not None:
        return _asked(key, versions, version_id)
    if row is not None and row.version_id is not None:
        pinned = next((each for each in versions if each.version_id == row.version_id), None)
        if pinned is not None:
            return pinned
    wanted = row.etag if row is not None else None
    fitting = [each for each in versions if wanted in (None, each.etag)]
    if not fitting:
        left = f" ({len(versions)} with other bytes are)" if versions else ""
        raise NothingToRestoreError(f"no version of {key} with the deleted bytes is left{left}", hint=GONE)
    if len({each.etag for each in fitting}) > 1:
        raise NothingToRestoreError(
            f"{key} was deleted before its bytes were noted, and there are versions with different ones",
            hint=f"look at them, and say which with --version-id: {', '.join(each.version_id for each in fitting[:5])}",
        )
    return fitting[0]


def _asked(key: str, versions: Sequence[ObjectVersion], version_id: str) -> ObjectVersion:
    for each in versions:
        if each.version_id == version_id:
            return each
    known = ", ".join(each.version_id for each in versions[:5])
    raise NothingToRestoreError(f"{key} has no version {version_id!r}", hint=f"there are {known}" if known else GONE)
