"""Each reason in words, for `reconcile show --why`."""

from reconciler.core.actions import Reason

WHY: dict[Reason, str] = {
    Reason.TOO_YOUNG: "There is an object but no row, and it is younger than the retention: it is left alone for now.",
    Reason.AWAITING_UPLOAD: "A URL was issued, nothing has arrived yet, and there is still time.",
    Reason.AWAITING_COMPLETION: "The object has arrived; the form has not been submitted, and there is still time.",
    Reason.IN_SYNC: "The upload is completed, and S3 has been told.",
    Reason.RELEASED: "The application released it; it is kept until the release grace is over.",
    Reason.QUARANTINED: "It was found without a row and is under watch until its deadline.",
    Reason.TOMBSTONE: "It was deleted; the row stays until no URL for its key can be in use any more.",
    Reason.STORED: "The object has arrived, and the row does not say so yet.",
    Reason.UNSETTLED: "The row is completed, but the object's tag does not (surely) say so: S3 is told once more.",
    Reason.UNCONFIRMED: "S3 was told some time ago; the tag is looked at once more.",
    Reason.NEVER_UPLOADED: "The deadline has passed and nothing was ever uploaded.",
    Reason.ABANDONED: "The deadline has passed and the form was never submitted.",
    Reason.LATE_ARRIVAL: "The object came after its row was deleted: an upload that was slow, or a URL used twice.",
    Reason.GRACE_OVER: "The deletion was decided before, and its grace is over.",
    Reason.OUTLIVED: "No URL for this key can be in use any more: the row is forgotten.",
    Reason.TAG_NEEDED: "The object's tag has to be read before anything can be decided.",
    Reason.UNTRACKED: "There is an object but no row, and it is older than the retention.",
    Reason.DISPUTED: "The tag says completed, the table does not: the table lost a commit, perhaps by a restored backup.",
    Reason.WAS_COMPLETING: "The deadline passed while it was being completed, and that was never committed: it gets one more.",
    Reason.HELD_BACK: "It was being completed, and other keys are disputed: nothing of the kind is deleted until those are.",
    Reason.UNKNOWN: "S3 did not answer for this key: whether it is there is unknown, so nothing is done about it.",
    Reason.CHANGED: "The object is not the one that was completed: somebody overwrote it.",
    Reason.MISSING: "The row is completed, but there is no object.",
}
