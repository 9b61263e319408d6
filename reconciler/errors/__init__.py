"""Everything that can go wrong, as one tree. Each error carries its exit code and what to do next.

ReconcilerError                     1
├── SettingsError                   a setting is missing or wrong
├── InvalidRequestError             what was asked for cannot be presigned or looked up
│   ├── InvalidOwnerError
│   ├── InvalidFilenameError
│   ├── InvalidMetadataError
│   ├── TypeNotAllowedError
│   ├── SizeNotAllowedError
│   └── InvalidReferenceError       neither a key nor a URL of an object of ours
├── UploadError                     one upload cannot go on
│   ├── UnknownUploadError          no such key, or not this owner's: the same words for both
│   ├── UploadExpiredError          past its deadline, or already claimed by a sweep
│   │   └── UploadReleasedError     the application has let go of it, or replaced it
│   ├── NotUploadedError            nothing was ever put at the key
│   ├── NotCompletedError           only a completed upload can be released
│   ├── NothingToSettleError        the operator's word is not needed for this key
│   ├── NothingToRestoreError       nothing of this key was deleted, or nothing of it is left
│   ├── ObjectChangedError          the object was replaced while it was being completed
│   └── ObjectRefusedError          the object is not what was presigned
│       ├── EmptyObjectError
│       ├── WrongSizeError
│       └── WrongTypeError
├── TransactionError                the caller's transaction cannot be joined
│   ├── RetryTransactionError       roll back and run the transaction again
│   ├── WrongDatabaseError          the session speaks to another database than the table's
│   └── AutocommitError             the connection commits every statement by itself
├── StoreError                      S3 refused, failed, or answered what cannot be believed
│   ├── ObjectNotFoundError         S3 said NoSuchKey or 404, and nothing else counts as absent
│   ├── BucketNotFoundError
│   ├── NotVersionedError           the bucket keeps no versions, so what was deleted is gone
│   ├── AccessDeniedError           a 403 is never "not there"
│   │   └── CredentialsError        S3 does not accept who is asking
│   ├── StoreUnavailableError       unreachable, timed out, or a 5xx: unknown is not absent
│   ├── SigningError                the URL is not signed as it must be
│   ├── UnorderedListingError       the listing is not in key order, so it cannot be merged
│   ├── NotSupportedError           the store says that it does not know such a thing
│   ├── MovedError                  somebody else changed the bucket's configuration since it was looked at
│   └── ReadBackError               the bucket's configuration reads back otherwise than it was put
├── TableError                      the state table refused or failed
│   ├── TableNotInitialisedError
│   ├── TableVersionError           the schema is newer or older than this program
│   ├── TableBusyError              another writer holds the table's lock
│   └── TableUnavailableError
├── EventError                      an event cannot be taken in
│   ├── MalformedEventError         the message is no event of S3's, however it is wrapped
│   └── EventSourceError            the queue, address or file that events come from refused or failed
├── PlanFileError                   not a plan, or a broken one
├── JournalError                    deletions cannot be journalled, so nothing is deleted
└── RefusedError                    4  refused as unsafe, as a whole
    ├── StalePlanError
    ├── UnfinishedPlanError         planning was cut short before the last key
    ├── TooManyDeletionsError
    ├── WrongTableError             the table does not know the objects that are listed
    ├── TooManyDisputesError
    ├── ClockSkewError
    └── BindingError                bucket and table are not bound to each other
"""

from reconciler.errors.base import ReconcilerError, SettingsError
from reconciler.errors.runs import (
    BindingError,
    ClockSkewError,
    EventError,
    EventSourceError,
    JournalError,
    MalformedEventError,
    PlanFileError,
    RefusedError,
    StalePlanError,
    TooManyDeletionsError,
    TooManyDisputesError,
    UnfinishedPlanError,
    WrongTableError,
)
from reconciler.errors.stores import (
    AccessDeniedError,
    BucketNotFoundError,
    CredentialsError,
    MovedError,
    NotSupportedError,
    NotVersionedError,
    ObjectNotFoundError,
    ReadBackError,
    SigningError,
    StoreError,
    StoreUnavailableError,
    UnorderedListingError,
)
from reconciler.errors.tables import (
    TableBusyError,
    TableError,
    TableNotInitialisedError,
    TableUnavailableError,
    TableVersionError,
)
from reconciler.errors.transactions import AutocommitError, RetryTransactionError, TransactionError, WrongDatabaseError
from reconciler.errors.uploads import (
    EmptyObjectError,
    InvalidFilenameError,
    InvalidMetadataError,
    InvalidOwnerError,
    InvalidReferenceError,
    InvalidRequestError,
    NotCompletedError,
    NothingToRestoreError,
    NothingToSettleError,
    NotUploadedError,
    ObjectChangedError,
    ObjectRefusedError,
    SizeNotAllowedError,
    TypeNotAllowedError,
    UnknownUploadError,
    UploadError,
    UploadExpiredError,
    UploadReleasedError,
    WrongSizeError,
    WrongTypeError,
)

__all__ = [
    "AccessDeniedError",
    "AutocommitError",
    "BindingError",
    "BucketNotFoundError",
    "ClockSkewError",
    "CredentialsError",
    "EmptyObjectError",
    "EventError",
    "EventSourceError",
    "InvalidFilenameError",
    "InvalidMetadataError",
    "InvalidOwnerError",
    "InvalidReferenceError",
    "InvalidRequestError",
    "JournalError",
    "MalformedEventError",
    "MovedError",
    "NotCompletedError",
    "NotSupportedError",
    "NotUploadedError",
    "NotVersionedError",
    "NothingToRestoreError",
    "NothingToSettleError",
    "ObjectChangedError",
    "ObjectNotFoundError",
    "ObjectRefusedError",
    "PlanFileError",
    "ReadBackError",
    "ReconcilerError",
    "RefusedError",
    "RetryTransactionError",
    "SettingsError",
    "SigningError",
    "SizeNotAllowedError",
    "StalePlanError",
    "StoreError",
    "StoreUnavailableError",
    "TableBusyError",
    "TableError",
    "TableNotInitialisedError",
    "TableUnavailableError",
    "TableVersionError",
    "TooManyDeletionsError",
    "TooManyDisputesError",
    "TransactionError",
    "TypeNotAllowedError",
    "UnfinishedPlanError",
    "UnknownUploadError",
    "UnorderedListingError",
    "UploadError",
    "UploadExpiredError",
    "UploadReleasedError",
    "WrongDatabaseError",
    "WrongSizeError",
    "WrongTableError",
    "WrongTypeError",
]
