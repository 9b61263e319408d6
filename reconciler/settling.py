"""Settling: telling S3, through the tag, that a row is completed.

The row is read again first, on its primary: a commit that did not happen, a savepoint that was rolled back or a release that
came first must not leave the tag `completed` behind. Settling late, twice, or never does no harm: the lifecycle rule does not
see the tag `completing` either, and the sweep settles what is left.
"""

from collections.abc import Mapping

from reconciler.core import rows
from reconciler.core.model import Status, Tag, with_status
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
    """Retag one object as completed if its row still is, and note that, and which version it was.

    `tags` are the ones to keep, and `version_id` is the version they were read of. Without them both sides are looked at again,
    and an object that is not the one which was completed is left alone. Returns whether S3 has been told.
    """
    row = table.get(key)
    if row is None or row.status is not Status.COMPLETED:
        return False
    if tags is None:
        facts = objects.head(key)
        if facts.etag != row.etag:
            return False
        tags, version_id = objects.tags(key), facts.version_id
    objects.put_tags(key, with_status(tags, Tag.COMPLETED), version_id=version_id)
    return bool(table.move([key], rows.settled(etag=row.etag, version_id=version_id, now=clock.now())))
