"""The grace periods that decisions use, and the inequalities between them that make the protocol safe."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.model import Upload

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LIFECYCLE_ROUNDING = 2 * DAY  # Days round up to the next midnight UTC, and removal is asynchronous (S3 user guide)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long each state may last.

    Attributes:
        url_life: how long a presigned URL can start an upload.
        slowest_transfer: how long an upload begun in time may go on after the URL has expired.
        skew: how far the clocks of backend, database and S3 may be apart.
        retention: how long a pending upload is kept, from presign.
        release_grace: how long a released object is kept.
        settle_wait: how long after settling the tag is looked at once more.
        tombstone_life: how long a deleted row is kept after its last URL has died.
        sweep_interval: how often the sweep runs.
        lifecycle_days: days after which the bucket's own rule expires what is tagged pending.
        noncurrent_days: days a noncurrent version is kept on a versioned bucket: the window in which restore works.
        plan_life: how long a plan may be applied.
        vote_life: how long a tag that was read counts as a vote; an older one is read again before a deletion.
    """

    url_life: timedelta = timedelta(minutes=15)
    slowest_transfer: timedelta = HOUR
    skew: timedelta = timedelta(minutes=15)
    retention: timedelta = DAY
    release_grace: timedelta = 7 * DAY
    settle_wait: timedelta = HOUR
    tombstone_life: timedelta = 7 * DAY
    sweep_interval: timedelta = DAY
    lifecycle_days: int = 7
    noncurrent_days: int = 30
    plan_life: timedelta = 6 * HOUR
    vote_life: timedelta = timedelta(minutes=15)

    @property
    def least_lifecycle(self) -> timedelta:
        """The shortest time after which a lifecycle rule may expire what is tagged pending."""
        return self.retention + 3 * self.sweep_interval + LIFECYCLE_ROUNDING

    def problems(self) -> list[str]:
        """Name each inequality of DESIGN that does not hold; an empty list means that the timing is safe."""
        found = []
        live = self.url_life + self.slowest_transfer + self.skew
        if live > self.retention:
            found.append(
                f"url_life + slowest_transfer + skew is {live}, longer than retention ({self.retention}): "
                "an upload could be swept while it is still arriving; raise RECONCILER_RETENTION"
            )
        least = self.least_lifecycle
        if timedelta(days=self.lifecycle_days) < least:
            found.append(
                f"lifecycle_days is {self.lifecycle_days}, shorter than retention + 3 sweep intervals + 48 h "
                f"({least}): the rule could act before the sweep; raise RECONCILER_LIFECYCLE_DAYS"
            )
        return found

    def is_fresh(self, seen_at: datetime, *, now: datetime) -> bool:
        """Say whether a tag that was read then still counts as a vote."""
        return timedelta() <= now - seen_at <= self.vote_life

    def last_arrival(self, row: Upload) -> datetime:
        """Return when the last byte sent with the row's URL can have arrived."""
        return row.expires_at + self.slowest_transfer

    def confirm_at(self, row: Upload) -> datetime | None:
        """Return when a settled row's tag is looked at once more; None while it is not settled."""
        if row.settled_at is None:
            return None
        return max(row.settled_at + self.settle_wait, self.last_arrival(row))

    def forget_at(self, row: Upload) -> datetime | None:
        """Return when a tombstone has outlived every URL for its key; None while it is not one."""
        if row.deleted_at is None:
            return None
        return max(row.deleted_at, row.expires_at) + self.tombstone_life + self.slowest_transfer
