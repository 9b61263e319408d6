"""S3, table, signer and event queue in memory: for tests of your own, and the reference that the conformance suites compare with.

They behave as the real ones do where the protocol looks: tags are replaced whole, an absent key is an error, an empty object
has no first byte, a Move is atomic, a transaction that fails leaves nothing behind.
"""

from reconciler.adapters.memory.bucket import MemoryFindings, MemoryObjects, MemorySigner
from reconciler.adapters.memory.configuration import MemoryBucket
from reconciler.adapters.memory.queue import MemoryQueue
from reconciler.adapters.memory.table import MemoryTable

__all__ = ["MemoryBucket", "MemoryFindings", "MemoryObjects", "MemoryQueue", "MemorySigner", "MemoryTable"]
