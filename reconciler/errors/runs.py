"""What ends or refuses a run: plans, events, the journal, the guards."""

from reconciler.errors.base import ReconcilerError


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
