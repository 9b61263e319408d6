"""The borders of the use cases, as Protocols: what they need of S3, of the table, of events, of a clock and of a journal.

Reading and writing are apart, so that a planner which writes is a type error. Every adapter passes the conformance suites
of `reconciler.testing`. Unless a verb says otherwise, each may raise StoreUnavailableError, AccessDeniedError and
BucketNotFoundError (the S3 ports) or TableError and its children (the table ports).
"""

from reconciler.ports.configuration import BucketConfiguration, FindingsStore
from reconciler.ports.events import EventQueue, Message
from reconciler.ports.running import Clock, Journal
from reconciler.ports.store import ObjectReader, Objects, ObjectWriter, SignedRequest, Signer, Target
from reconciler.ports.table import Table, TableReader, TableWriter, Transaction
from reconciler.ports.trying import Answer, RawStore

__all__ = [
    "Answer",
    "BucketConfiguration",
    "Clock",
    "EventQueue",
    "FindingsStore",
    "Journal",
    "Message",
    "ObjectReader",
    "ObjectWriter",
    "Objects",
    "RawStore",
    "SignedRequest",
    "Signer",
    "Table",
    "TableReader",
    "TableWriter",
    "Target",
    "Transaction",
]
