"""Judging: one key is decided about, and whatever the decision turns out to need is read: its tag, or a proof.

Nothing here can write. Where S3 does not answer for a key, that is said of it, and the others go on.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from reconciler.core.actions import Action, Confirm, Facts, LookAtTag, Reason, Report, Settle, Tombstone
from reconciler.core.decide import decide
from reconciler.core.model import ObjectEntry, Status, Tag, Upload
from reconciler.core.plan import PlanOptions, Suspect
from reconciler.core.timing import Timing
from reconciler.errors import StoreError
from reconciler.ports import Clock, ObjectReader
from reconciler.reading import find, vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Decides about suspects. `restored`: an earlier run met a dispute, and nobody has said that the table is no old backup."""

    objects: ObjectReader
    clock: Clock
    timing: Timing
    options: PlanOptions
    restored: bool

    def about_all(self, suspects: Sequence[Suspect], pool: Executor) -> list[Action]:
        """Decide about many keys; what needs no reading, most by far, costs no thread a visit."""
        actions = [self.decide(suspect) for suspect in suspects]
        unsure = [number for number, suspect in enumerate(suspects) if self._wants_more(actions[number], suspect)]
        for number, action in zip(unsure, pool.map(self.about, [suspects[number] for number in unsure]), strict=True):
            actions[number] = action
        return actions

    def about(self, suspect: Suspect) -> Action:
        """Decide about one key; where S3 fails to answer for it, report that: unknown is not absent."""
        try:
            return self._resolve(suspect)
        except StoreError:
            return self._unknown(suspect)

    def afresh(self, key: str, row: Upload | None) -> Action | None:
        """Ask S3 for one key by name, and decide about it; None where there is neither row nor object."""
        try:
            facts = find(self.objects, key)
        except StoreError:
            return self._unknown(Suspect(row, ObjectEntry(key)))
        if facts:
            return self.about(Suspect(row, facts.entry))
        return None if row is None else self.about(_absent(Suspect(row, None)))

    def decide(self, suspect: Suspect) -> Action:
        """Decide about one key by what is known of it."""
        return decide(
            suspect.row,
            suspect.entry,
            tag=suspect.tag,
            now=self.clock.now(),
            timing=self.timing,
            untracked=self.options.untracked,
            restored=self.restored,
            accept_restored=self.options.accept_restored,
        )

    def _unknown(self, suspect: Suspect) -> Report:
        facts = Facts.of(suspect.row, suspect.entry, tag=Tag.UNKNOWN, now=self.clock.now())
        return Report(key=suspect.key, reason=Reason.UNKNOWN, facts=facts)

    def _resolve(self, suspect: Suspect) -> Action:
        action = self.decide(suspect)
        if _needs_proof(action, suspect):
            # A listing is no snapshot: only a 404 of its own makes an object missing.
            facts = find(self.objects, suspect.key)
            return self._resolve(suspect._replace(entry=facts.entry) if facts else _absent(suspect))
        if self._wants_tag(action, suspect):
            tag = vote(self.objects, suspect.key)
            return self._resolve(_absent(suspect) if tag is None else suspect._replace(tag=tag))
        return action

    def _wants_more(self, action: Action, suspect: Suspect) -> bool:
        return _needs_proof(action, suspect) or self._wants_tag(action, suspect)

    def _wants_tag(self, action: Action, suspect: Suspect) -> bool:
        asked = isinstance(action, LookAtTag | Confirm) or (self.options.tags and _tag_matters(suspect))
        return asked and suspect.tag is Tag.UNKNOWN


def _tag_matters(suspect: Suspect) -> bool:
    """Say whether a tag could tell something that the row does not: that somebody undid ours, or whose the object is."""
    completed = suspect.row is None or suspect.row.status is Status.COMPLETED
    return completed and suspect.entry is not None


def _needs_proof(action: Action, suspect: Suspect) -> bool:
    """Say whether the decision rests on what nobody has asked S3 for by name: an absence, or an object as a row recalls it.

    An outlived tombstone needs none: its URLs are long dead, and a listing has said that nothing lies there.
    """
    remembered = suspect.entry is not None and suspect.entry.last_modified is None
    if isinstance(action, Settle):
        return remembered
    if isinstance(action, Confirm):
        # What was sent by PUT cannot have been replaced through its URL; its tag alone tells whether all is well.
        return remembered and suspect.row is not None and suspect.row.replayable
    rests_on_absence = isinstance(action, Tombstone) or action.reason is Reason.MISSING
    return rests_on_absence and suspect.tag is Tag.UNKNOWN


def _absent(suspect: Suspect) -> Suspect:
    """Return what is left when S3 says that there is no object."""
    if suspect.row is None:
        # Neither side: a listed object without a row that was deleted meanwhile. Its unknown age keeps it.
        return Suspect(None, ObjectEntry(suspect.key), Tag.NONE)
    return suspect._replace(entry=None, tag=Tag.NONE)
