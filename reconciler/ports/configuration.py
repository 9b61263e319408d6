"""The bucket's own configuration, and what is known of its store."""

from collections.abc import Mapping
from typing import Protocol

from reconciler.core.dialects import Findings
from reconciler.core.parts import Configuration, PartName


class BucketConfiguration(Protocol):
    """The bucket's own configuration, part by part. Each verb may raise NotSupportedError, where the store does not know such."""

    def read(self, name: PartName) -> Configuration:
        """Return a part as it is now, in the store's words. A denied read raises; it is never an empty configuration."""
        ...

    def write(self, name: PartName, configuration: Configuration) -> None:
        """Replace a part as a whole, with what else it holds. One without items is removed."""
        ...

    def versioning(self) -> str:
        """Return `Enabled`, `Suspended`, or nothing where versions were never kept."""
        ...

    def access_block(self) -> Mapping[str, bool]:
        """Return the switches of block-public-access by S3's names; none where nothing was set."""
        ...

    def ownership(self) -> str:
        """Return who owns new objects, in S3's word; nothing where nothing was set."""
        ...


class FindingsStore(Protocol):
    """Where a bucket keeps what its store makes of the bucket policy, so that nobody has to try it out to know."""

    def read(self) -> Findings | None:
        """Return what was kept; None where nothing was. StoreError where it cannot be understood."""
        ...

    def write(self, findings: Findings) -> None:
        """Keep these instead."""
        ...
