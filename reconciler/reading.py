"""What several use cases read alike: the binding of table and bucket, a tag as a vote, an object that may be absent."""

from reconciler.core.guards import World
from reconciler.core.keys import marker_key
from reconciler.core.model import Binding, ObjectFacts, Tag, tag_of
from reconciler.errors import BindingError, ObjectNotFoundError, TableNotInitialisedError
from reconciler.ports import Clock, ObjectReader, TableReader


def bound(table: TableReader, *, bucket: str, prefix: str) -> Binding:
    """Return the table's binding, or raise where it has none or another bucket's or prefix's."""
    binding = table.binding()
    if binding is None:
        raise TableNotInitialisedError("the table is not bound to a bucket yet")
    if (binding.bucket, binding.prefix) != (bucket, prefix):
        raise BindingError(f"the table belongs to {binding.bucket}/{binding.prefix}, the settings name {bucket}/{prefix}")
    return binding


def world(objects: ObjectReader, table: TableReader, clock: Clock, *, prefix: str) -> World:
    """Read what the guards compare a plan with: both sides of the binding, and both clocks."""
    binding = bound(table, bucket=objects.bucket, prefix=prefix)
    marker, store_time = objects.marker(marker_key(prefix))
    return World(binding=binding, marker=marker, now=clock.now(), store_time=store_time)


def find(objects: ObjectReader, key: str) -> ObjectFacts | None:
    """Return the object's facts; None only where S3 says that there is no such object."""
    try:
        return objects.head(key)
    except ObjectNotFoundError:
        return None


def vote(objects: ObjectReader, key: str) -> Tag | None:
    """Return what the object's tag says; None only where S3 says that there is no such object."""
    try:
        return tag_of(objects.tags(key))
    except ObjectNotFoundError:
        return None
