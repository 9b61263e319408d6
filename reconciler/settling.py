"""Settling: telling S3, through the tag, that a row is completed.

The row is read again first, on its primary: a commit that did not happen, a savepoint that was rolled back or a release that
came first must not leave the tag `completed` behind. Settling late, twice, or never does no harm: the lifecycle rule does not
see the tag `completing` either, and the sweep settles what is left.
"""

from collections.abc import Mapping

from reconciler.core import rows
from reconciler.core.model import Status, Tag, tag_of, with_status
from reconciler.ports import Clock, Objects, Table


def settle(
    objects: Objects,
    table: Table,
    clock: Clock,
    *,
    key: str,
    tags: Mapping[str, str] | None = None,
    version_id: str | None = None,
) -> bool:
    """Retag one object as completed if its row still is, and note that.

    `tags` are the ones to keep; without them they are read, and an object tagged `changed` stays so: it is not the one that was
    completed. Returns whether S3 has been told.
    """
    row = table.get(key)
    if row is None or row.status is not Status.COMPLETED:
        return False
    kept = objects.tags(key) if tags is None else tags
    if tags is None and tag_of(kept) is Tag.CHANGED:
        return False
    objects.put_tags(key, with_status(kept, Tag.COMPLETED), version_id=version_id)
    return bool(table.move([key], rows.settled(etag=row.etag, now=clock.now())))
