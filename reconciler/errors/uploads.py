"""What was asked for cannot be done: a request, or one upload."""

from reconciler.errors.base import ReconcilerError


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
