"""Putting the bucket's configuration in place, and telling whether it still is.

S3 knows only whole configurations, without any condition on the put. So for each part: read, merge by identity, look once more
right before the put, put, read back, compare. Others' items are carried along as they are, and must be unchanged afterwards.
Lifecycle rules are put switched off first: read back wrong, ours would expire customers' photos.

What somebody else puts between our last look and our put is lost, and nothing in S3 can prevent or tell that; what is put after
it is noticed.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core import lints, openings, verified
from reconciler.core.dialects import Findings
from reconciler.core.parts import Configuration, Difference, Item, Part, PartName, same_configuration
from reconciler.core.remarks import Remark, Severity
from reconciler.core.timing import Timing
from reconciler.core.wanted import Wanted, left_out_events
from reconciler.errors import MovedError, NotSupportedError, ReadBackError, SettingsError
from reconciler.ports import BucketConfiguration

PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds between readings: a bucket's configuration is eventually consistent (S3 user guide)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen of one part.

    Attributes:
        name: which part.
        unset: the settings that are missing; where there are any, nothing is wanted.
        not_known: what the store says where it does not know such a part.
        part: as it should be.
        found: as it is.
        difference: between the two.
        left_out: why, by purpose, this store gets no such statement of the bucket policy.
        untried: whether nobody knows yet what this store makes of the bucket policy.
    """

    name: PartName
    unset: Sequence[str] = ()
    not_known: str = ""
    part: Part | None = None
    found: Configuration = field(default_factory=Configuration)
    difference: Difference | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    untried: bool = False

    @property
    def drifted(self) -> bool:
        """Whether anything of ours is not as it should be."""
        return self.difference is not None and self.difference.drifted


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Everything that a check found."""

    looks: Sequence[Look]
    remarks: Sequence[Remark]

    @property
    def drifted(self) -> bool:
        """Whether anything is not as it should be, ours or the bucket's."""
        return any(look.drifted for look in self.looks) or any(r.severity is Severity.DRIFT for r in self.remarks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Installs and checks the configuration of one bucket for one prefix.

    `known` says what is known of the store's dialect; it is asked where the bucket policy is wanted.
    """

    bucket: BucketConfiguration
    name: str
    wanted: Wanted
    timing: Timing
    known: Callable[[], Findings | None] = lambda: None
    sleep: Callable[[float], object] = time.sleep

    def check_timing(self) -> None:
        """Raise SettingsError unless the timing inequalities hold."""
        problems = self.timing.problems()
        if problems:
            raise SettingsError("; ".join(problems))

    def look(self, names: Collection[PartName] = tuple(PartName)) -> list[Look]:
        """Read these parts and compare them with what is wanted. Writes nothing; a part that cannot be read raises."""
        return list(self._looks(names, self._place(names)))

    def _looks(self, names: Collection[PartName], place: lints.Place) -> Iterator[Look]:
        asked = PartName.POLICY in names and not self.wanted.unset(PartName.POLICY)
        wanted = replace(self.wanted, findings=self.known()) if asked else self.wanted
        for name in PartName:
            if name in names:
                yield self._look(name, wanted, versioned=place.versioned)

    def check(self, names: Collection[PartName] = tuple(PartName), *, verify: bool = True) -> Checked:
        """Look at these parts, at others' items in them, and (to `verify`) at what install leaves to the bucket's owner."""
        place = self._place(names)
        looks = list(self._looks(names, place))
        remarks = [remark for look in looks for remark in _lint(look, place)]
        return Checked(looks=looks, remarks=[*remarks, *(self._verify(looks, place) if verify else ())])

    def install(self, look: Look) -> Sequence[Item]:
        """Put the wanted items of a part in place, as far as the store knows them, and return those that stand there now.

        Raises:
            MovedError: the part is no longer what was looked at.
            NotSupportedError: the store knows no such part.
            ReadBackError: the store did not take it as it was put, or somebody else changed it meanwhile.
        """
        part, before = look.part, look.found
        if part is None or look.difference is None:
            raise SettingsError(f"{look.name} is left out: {', '.join(look.unset)} is not set")
        standing = part.standing(before)
        if not look.drifted:
            return standing
        if not same_configuration(before, self.bucket.read(part.name)):
            raise MovedError(f"somebody else changed the {part.name} configuration of {self.name} while it was looked at")
        return self._install(part, before, part.variants[part.variants.index(standing) :])

    def _install(self, part: Part, before: Configuration, variants: Sequence[Sequence[Item]]) -> Sequence[Item]:
        """Put the first variant that the store knows every word of."""
        *better, last = variants
        for variant in better:
            try:
                self._put(part, before, variant)
            except NotSupportedError:
                continue
            return variant
        self._put(part, before, last)
        return last

    def _put(self, part: Part, before: Configuration, wanted: Sequence[Item]) -> None:
        for items in _stages(part, wanted):
            self.bucket.write(part.name, part.merge(before, items))
            self._read_back(part, before, items)

    def _read_back(self, part: Part, before: Configuration, wanted: Sequence[Item]) -> None:
        for pause in (*PAUSES, None):
            found = self.bucket.read(part.name)
            difference = part.compare(found, wanted)
            if not difference.drifted and part.same_foreign(before, found):
                return
            if pause is not None:
                self.sleep(pause)
        if difference.drifted:
            odd = [*difference.missing, *(new for _, new in difference.changed), *difference.surplus]
            raise ReadBackError(
                f"the {part.name} configuration reads back otherwise than it was put: {', '.join(map(part.identity, odd))}",
                hint="this store changes or drops part of it; `reconcile check` shows what",
            )
        raise ReadBackError(
            f"somebody else's part of the {part.name} configuration changed while ours was installed",
            hint="another tool writes the same configuration: compare it with `reconcile check` and run again",
        )

    def _place(self, names: Collection[PartName]) -> lints.Place:
        """Return where the rules apply. Whether versions are kept is asked where a lifecycle rule depends on it."""
        try:
            versioned = PartName.LIFECYCLE in names and bool(self.bucket.versioning())
        except NotSupportedError:
            versioned = False
        return lints.Place(bucket=self.name, prefix=self.wanted.prefix, timing=self.timing, versioned=versioned)

    def _look(self, name: PartName, wanted: Wanted, *, versioned: bool) -> Look:
        unset = wanted.unset(name)
        try:
            found = self.bucket.read(name)
        except NotSupportedError as error:
            return Look(name=name, unset=unset, not_known=error.message)
        if unset:
            return Look(name=name, unset=unset, found=found)
        part = wanted.part(name, versioned=versioned)
        look = Look(name=name, part=part, found=found, difference=part.compare(found, part.standing(found)))
        if name is not PartName.POLICY:
            return look
        return replace(look, left_out=wanted.composed().left_out, untried=wanted.findings == Findings())

    def _verify(self, looks: Sequence[Look], place: lints.Place) -> list[Remark]:
        found: list[Remark] = []
        verbs: Mapping[str, Callable[[], Remark]] = {
            verified.ACCESS_BLOCK: lambda: verified.access_block(self.bucket.access_block(), by_acls=self._lives_by_acls()),
            verified.OWNERSHIP: lambda: verified.ownership(self.bucket.ownership()),
            verified.VERSIONING: lambda: verified.versioning(self.bucket.versioning()),
            verified.TLS: lambda: verified.tls(self._statements(looks), place),
        }
        for subject, verb in verbs.items():
            try:
                found.append(verb())
            except NotSupportedError:
                found.append(verified.not_known(subject))
        return found

    def _lives_by_acls(self) -> bool:
        try:
            self.bucket.ownership()
        except NotSupportedError:
            return True
        return False

    def _statements(self, looks: Sequence[Look]) -> Sequence[Item]:
        for look in looks:
            if look.name is PartName.POLICY and not look.not_known:
                return look.found.items
        return self.bucket.read(PartName.POLICY).items


def _stages(part: Part, wanted: Sequence[Item]) -> list[list[Item]]:
    if part.name is not PartName.LIFECYCLE:
        return [list(wanted)]
    switched_off: list[Any] = [{**rule, "Status": "Disabled"} for rule in wanted]
    return [switched_off, list(wanted)]


def _lint(look: Look, place: lints.Place) -> list[Remark]:
    if look.not_known:
        return [Remark(look.name, Severity.NOT_KNOWN, str(look.name), f"not known here: {look.not_known}")]
    foreign = look.part.foreign(look.found) if look.part else look.found.items
    match look.name:
        case PartName.LIFECYCLE:
            ours = [item for item in look.found.items if item not in foreign]
            return list(lints.lifecycle(ours, foreign, place))
        case PartName.CORS:
            return list(openings.cors(foreign))
        case PartName.NOTIFICATIONS:
            return _lint_notifications(look, foreign)
        case PartName.POLICY:
            return [*openings.policy(foreign, place), *_lint_dialect(look)]


def _lint_dialect(look: Look) -> list[Remark]:
    """Say what this store's bucket policy does without; where nobody has tried what it heeds, that is a difference."""
    if look.untried:
        text = "what this store heeds was never tried: `reconcile install` does, and puts what works"
        return [Remark(look.name, Severity.DRIFT, "dialect", text)]
    return [Remark(look.name, Severity.NOTE, name, f"left out: {why}") for name, why in look.left_out.items()]


def _lint_notifications(look: Look, foreign: Sequence[Item]) -> list[Remark]:
    if look.part is None:
        return []
    standing = look.part.standing(look.found)
    remarks = list(openings.notifications(standing, foreign))
    refused = left_out_events(look.part, standing)
    if refused:
        text = (
            f"installed without {', '.join(refused)}, which this store refused or cannot bear: the next plan notices such changes"
        )
        remarks.append(Remark(look.name, Severity.NOTE, look.part.identity(standing[0]), text))
    return remarks
