"""A bucket's configuration in memory: parts that are replaced as a whole, and what is only looked at."""

import copy
from collections.abc import Mapping, Sequence

from reconciler.core.parts import Configuration, Item, PartName

BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


class MemoryBucket:
    """BucketConfiguration in memory, made as AWS makes a bucket: nothing public, and the owner owns every object.

    Args:
        parts: what stands there already, as items.
        versioning: `Enabled`, `Suspended`, or nothing.
    """

    def __init__(self, parts: Mapping[PartName, Sequence[Item]] | None = None, *, versioning: str = "") -> None:
        self._parts = {name: Configuration(tuple(items)) for name, items in (parts or {}).items()}
        self._versioning = versioning
        self.blocked: Mapping[str, bool] = BLOCKED
        self.owner = "BucketOwnerEnforced"

    def read(self, name: PartName) -> Configuration:
        """Return a copy of a part."""
        return copy.deepcopy(self._parts.get(name, Configuration()))

    def write(self, name: PartName, configuration: Configuration) -> None:
        """Replace a part."""
        kept = configuration if configuration.items else Configuration()
        self._parts[name] = copy.deepcopy(kept)

    def versioning(self) -> str:
        """Return what the bucket was made as."""
        return self._versioning

    def access_block(self) -> Mapping[str, bool]:
        """Return all four switches."""
        return self.blocked

    def ownership(self) -> str:
        """Return who owns new objects."""
        return self.owner
