"""For tests: the in-memory adapters, clocks that move, and the conformance suites that every adapter passes.

Subclass a suite in your own tests and say how to make the adapter; pytest does the rest.
"""

import sys

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.journal import ListJournal
from reconciler.adapters.memory import MemoryBucket, MemoryFindings, MemoryObjects, MemoryQueue, MemorySigner, MemoryTable
from reconciler.testing.travel import TravellingObjects

# Under pytest the suites' asserts explain themselves, if it is told before they are imported; without it nothing is needed.
if "pytest" in sys.modules:
    suites = ("configuration", "keys", "objects", "queues", "samples", "tables", "transactions", "versions")
    sys.modules["pytest"].register_assert_rewrite(*(f"reconciler.testing.{name}" for name in suites))

from reconciler.testing.configuration import BucketConfigurationSuite
from reconciler.testing.objects import ObjectStoreSuite
from reconciler.testing.queues import EventQueueSuite, s3_event
from reconciler.testing.tables import TableSuite
from reconciler.testing.versions import VersionStoreSuite

__all__ = [
    "BucketConfigurationSuite",
    "EventQueueSuite",
    "ListJournal",
    "MemoryBucket",
    "MemoryFindings",
    "MemoryObjects",
    "MemoryQueue",
    "MemorySigner",
    "MemoryTable",
    "MovableClock",
    "ObjectStoreSuite",
    "TableSuite",
    "TravellingObjects",
    "VersionStoreSuite",
    "s3_event",
]
