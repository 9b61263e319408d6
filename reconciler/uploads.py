"""What a backend does with uploads: presign, complete, replace, release. Here over ports alone; `wiring` makes it usable."""

from collections.abc import Mapping
from typing import Any

from reconciler.completion import CompletedUpload, Completer
from reconciler.core.model import Upload
from reconciler.core.requests import Allowed, check_owner
from reconciler.core.timing import Timing
from reconciler.ports import Clock, Objects, Signer, Table
from reconciler.presign import PresignedUpload, Presigner
from reconciler.reading import bound


class UploadUseCases:
    """The three calls of a backend, over any adapters."""

    def __init__(
        self,
        *,
        objects: Objects,
        signer: Signer,
        table: Table,
        clock: Clock,
        timing: Timing,
        allowed: Allowed,
        prefix: str,
    ) -> None:
        self._table = table
        self._bucket = objects.bucket
        self._prefix = prefix
        self._is_bound = False
        self._presigner = Presigner(
            signer=signer,
            table=table,
            clock=clock,
            timing=timing,
            allowed=allowed,
            bucket=objects.bucket,
            prefix=prefix,
        )
        self._completer = Completer(objects=objects, table=table, clock=clock, timing=timing, prefix=prefix)

    def presign(
        self,
        *,
        filename: str,
        content_type: str,
        size: int,
        owner: str,
        metadata: Mapping[str, Any] | None = None,
        replaces: str | None = None,
    ) -> PresignedUpload:
        """Issue a URL for one PUT of exactly `size` bytes to a fresh key, and remember it as pending.

        The row is committed before this returns, on a connection of our own: call it outside your own transaction.

        Args:
            filename: the user's name for it, 1 to 255 characters without path parts; kept in the row only.
            content_type: the media type, one of the allowed ones; signed, and compared with the first bytes at completion.
            size: bytes, 1 to the allowed maximum; signed.
            owner: who may complete and release it, as your application names its users.
            metadata: your own facts, at most 4 KiB as JSON.
            replaces: key or URL of an upload by the same owner which this one is to replace. It is released when this
                one completes; if it is still pending, it is swept soon after its URL has died.

        Raises:
            InvalidRequestError: what was asked for is not allowed; its children say which part.
            UnknownUploadError: there is no upload `replaces` of this owner.
            TableError: the table is missing, locked or out of reach.
            SigningError: the client cannot sign as it must.
        """
        self._check_bound()
        return self._presigner.put(
            filename=filename,
            content_type=content_type,
            size=size,
            owner=owner,
            metadata=metadata,
            replaces=replaces,
        )

    def presign_post(
        self,
        *,
        filename: str,
        content_type: str,
        owner: str,
        max_size: int | None = None,
        min_size: int = 1,
        metadata: Mapping[str, Any] | None = None,
        replaces: str | None = None,
    ) -> PresignedUpload:
        """Issue a form POST for a size in a range, where the exact size is not known beforehand.

        Weaker than `presign`: S3 has no conditional create for POST, so until it expires the form can be sent again and
        replaces the object; the sweep then reports it as changed. Arguments and errors are those of `presign`.
        """
        self._check_bound()
        return self._presigner.post(
            filename=filename,
            content_type=content_type,
            owner=owner,
            max_size=max_size,
            min_size=min_size,
            metadata=metadata,
            replaces=replaces,
        )

    def complete(self, reference: str, *, owner: str, session: Any = None) -> CompletedUpload:
        """Complete an upload: the form was submitted, the application now refers to the object.

        The object is verified and tagged `completing`, then the row becomes `completed` in the transaction of `session`,
        with everything else that transaction does. Call it last, after validation. After the commit S3 is told
        (`status=completed`); with a bare Connection call `settle()` on the result after committing. Completing twice returns
        the same upload.

        Args:
            reference: the key, or any URL of the object.
            owner: the owner given to `presign`.
            session: a SQLAlchemy Session or Connection of the table's database; without one, a transaction of our own.

        Raises:
            InvalidReferenceError: neither a key nor a URL of an object of ours.
            UnknownUploadError: no such upload, or not this owner's.
            UploadExpiredError: past its deadline, or already swept.
            NotUploadedError, ObjectRefusedError, ObjectChangedError: the object is missing or not what was signed.
            RetryTransactionError: roll back and run the whole transaction again.
            WrongDatabaseError, AutocommitError: `session` cannot carry the completion.
            StoreError, TableError: S3 or the table refused; nothing was completed.
        """
        self._check_bound()
        return self._completer.complete(reference, owner=check_owner(owner), session=session)

    def release(self, reference: str, *, owner: str, session: Any = None) -> None:
        """Release a completed upload: the application no longer refers to it.

        The object is deleted by the sweep after the release grace (7 days unless set otherwise). Releasing twice is fine.
        Arguments and errors are those of `complete`, and NotCompletedError for a pending one.
        """
        self._check_bound()
        self._completer.release(reference, owner=check_owner(owner), session=session)

    def get(self, reference: str, *, owner: str) -> Upload:
        """Return the row of an upload; raises UnknownUploadError where there is none of this owner."""
        return self._completer.find(reference, owner=check_owner(owner))

    def _check_bound(self) -> None:
        if not self._is_bound:
            bound(self._table, bucket=self._bucket, prefix=self._prefix)
            self._is_bound = True
