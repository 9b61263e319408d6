"""For tests: the in-memory adapters, clocks that move, and the conformance suites that every adapter passes.

Subclass a suite in your own tests and say how to make the adapter; pytest does the rest.
"""

from reconciler.adapters.clocks import MovableClock
from reconciler.adapters.journal import ListJournal
from reconciler.adapters.memory import MemoryLifecycle, MemoryObjects, MemorySigner, MemoryTable
from reconciler.testing.travel import TravellingObjects

__all__ = ["ListJournal", "MemoryLifecycle", "MemoryObjects", "MemorySigner", "MemoryTable", "MovableClock", "TravellingObjects"]
