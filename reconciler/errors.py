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

from typing import ClassVar


class ReconcilerError(Exception):
    """Reconciler could not do what was asked."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "", **facts: object) -> None:
        self.message = message or (self.__doc__ or "").strip()
        self.hint = hint or self.default_hint
        self.facts = facts
        super().__init__(self.message)


class SettingsError(ReconcilerError):
    """A setting is missing or wrong."""


class InvalidRequestError(ReconcilerError):
    """What was asked for is not allowed."""


class InvalidOwnerError(InvalidRequestError):
    """The owner must be a text of 1 to 255 characters."""


class InvalidFilenameError(InvalidRequestError):
    """The filename is not usable."""


class InvalidMetadataError(InvalidRequestError):
    """The metadata is not usable."""

    default_hint = "metadata is a dict that JSON can hold, up to 4 KiB"


class TypeNotAllowedError(InvalidRequestError):
    """Files of this type may not be uploaded."""


class SizeNotAllowedError(InvalidRequestError):
    """Files of this size may not be uploaded."""


class InvalidReferenceError(InvalidRequestError):
    """This is neither a key nor a URL of an object in the configured bucket and prefix."""

    default_hint = "hand over the ticket's key, or the object's URL"


class UploadError(ReconcilerError):
    """The upload cannot go on."""


class UnknownUploadError(UploadError):
    """There is no such upload for this owner."""

    default_hint = "hand over the key of a ticket, and the owner it was presigned for"


class UploadExpiredError(UploadError):
    """The upload is past its deadline and can no longer be completed."""

    default_hint = "presign again and let the user upload once more"


class UploadReleasedError(UploadExpiredError):
    """The upload was released or replaced and can no longer be completed."""


class NotUploadedError(UploadError):
    """Nothing has been uploaded to this key."""

    default_hint = "complete after the browser's upload has succeeded"


class NotCompletedError(UploadError):
    """Only a completed upload can be released."""

    default_hint = "a pending upload needs no release: the sweep removes it after its deadline"


class NothingToSettleError(UploadError):
    """Nothing about this key waits for the operator's word."""


class NothingToRestoreError(UploadError):
    """There is nothing to restore at this key."""


class ObjectChangedError(UploadError):
    """The object was replaced while it was being completed."""

    default_hint = "call complete again"


class ObjectRefusedError(UploadError):
    """The object is not what was presigned."""

    default_hint = "presign again and let the user upload once more; the refused object is swept"


class EmptyObjectError(ObjectRefusedError):
    """The uploaded object is empty."""


class WrongSizeError(ObjectRefusedError):
    """The uploaded object has another size than was declared."""


class WrongTypeError(ObjectRefusedError):
    """The uploaded object has another type than was declared."""


class TransactionError(ReconcilerError):
    """The caller's transaction cannot be joined."""


class RetryTransactionError(TransactionError):
    """The transaction met another writer."""

    default_hint = "roll back and run the whole transaction again; on SQLite begin it with BEGIN IMMEDIATE"


class WrongDatabaseError(TransactionError):
    """The session speaks to another database than the one that holds the upload table."""

    default_hint = "hand over a session of the database named by RECONCILER_TABLE_URL"


class AutocommitError(TransactionError):
    """The connection is in autocommit mode, so the completion could not be rolled back with your changes."""

    default_hint = "hand over a connection that is inside a transaction"


class StoreError(ReconcilerError):
    """S3 refused the request."""


class ObjectNotFoundError(StoreError):
    """There is no object at this key."""


class BucketNotFoundError(StoreError):
    """There is no such bucket."""

    default_hint = "create the bucket, or correct RECONCILER_BUCKET and the endpoint"


class NotVersionedError(StoreError):
    """The bucket keeps no versions, so what was deleted is gone."""

    default_hint = "restore works from the moment on that the bucket keeps versions: `aws s3api put-bucket-versioning`"


class AccessDeniedError(StoreError):
    """S3 denied access; whether the object exists is unknown."""

    default_hint = "grant the action to this role; `reconcile policy` prints the documents"


class CredentialsError(AccessDeniedError):
    """S3 does not accept these credentials."""

    default_hint = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_REGION, and this machine's clock"


class StoreUnavailableError(StoreError):
    """S3 could not be reached or failed; what became of the request is unknown."""

    default_hint = "check the endpoint (AWS_ENDPOINT_URL_S3) and the network, then try again"


class SigningError(StoreError):
    """The request could not be signed as it must be."""


class UnorderedListingError(StoreError):
    """The listing is not in key order, so it cannot be compared with the table."""

    default_hint = "directory buckets and stores that list out of order cannot be planned from a listing"


class NotSupportedError(StoreError):
    """This store does not know that."""


class MovedError(StoreError):
    """Somebody else changed the bucket's configuration since it was looked at; nothing was put."""

    default_hint = "look at the difference again, and run again"


class ReadBackError(StoreError):
    """The bucket's configuration reads back otherwise than it was put."""


class TableError(ReconcilerError):
    """The upload table failed."""


class TableNotInitialisedError(TableError):
    """The upload table does not exist yet."""

    default_hint = "is RECONCILER_TABLE_URL right, and this the right folder? If so, run `reconcile init`"


class TableVersionError(TableError):
    """The upload table's schema does not fit this version of reconciler."""


class TableBusyError(TableError):
    """The upload table is locked by another writer."""

    default_hint = "try again in a moment"


class TableUnavailableError(TableError):
    """The upload table's database could not be reached."""

    default_hint = "check RECONCILER_TABLE_URL and the database"


class EventError(ReconcilerError):
    """The event cannot be taken in."""


class MalformedEventError(EventError):
    """The message is no event of S3's."""


class EventSourceError(EventError):
    """The events' source cannot be read from."""


class PlanFileError(ReconcilerError):
    """This is not a plan file, or it is broken."""

    default_hint = "write a new one with `reconcile plan -o FILE`"


class JournalError(ReconcilerError):
    """The journal cannot be written, so nothing was deleted."""

    default_hint = "set RECONCILER_JOURNAL to a file that this user may write"


class RefusedError(ReconcilerError):
    """Refused as unsafe; nothing was changed."""

    exit_code = 4


class StalePlanError(RefusedError):
    """The plan is too old to be applied."""

    default_hint = "plan again; RECONCILER_PLAN_LIFE sets how long a plan may be used"


class UnfinishedPlanError(RefusedError):
    """Planning was cut short before the last key."""

    default_hint = "go on with `reconcile plan --resume FILE`"


class TooManyDeletionsError(RefusedError):
    """The plan deletes more than a normal run would."""


class WrongTableError(RefusedError):
    """The table does not know the objects in the bucket."""

    default_hint = "check RECONCILER_TABLE_URL, RECONCILER_BUCKET and RECONCILER_PREFIX"


class TooManyDisputesError(RefusedError):
    """Too many due uploads are tagged completed: the table may be a restored backup."""


class ClockSkewError(RefusedError):
    """The clocks of the table and of S3 disagree."""

    default_hint = "set the clocks (NTP) and run again"


class BindingError(RefusedError):
    """Bucket and table are not bound to each other."""

    default_hint = "run `reconcile init`, or correct RECONCILER_TABLE_URL, RECONCILER_BUCKET, RECONCILER_PREFIX"
