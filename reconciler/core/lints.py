"""Others' lifecycle rules, read with suspicion: no bucket policy stops a rule, so one that is too broad has to be seen.

A lint returns remarks and never mends: others' rules are theirs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from reconciler.core.meaning import conditions
from reconciler.core.model import STATUS_TAG, Tag
from reconciler.core.parts import Item, PartName
from reconciler.core.remarks import Remark, Severity
from reconciler.core.timing import Timing

_KEPT = {tag.value for tag in (Tag.COMPLETING, Tag.COMPLETED, Tag.CHANGED)}  # what nobody but the application may let go of


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the rules apply: the bucket and prefix, the deployment's timing, and whether versions are (or were) kept."""

    bucket: str
    prefix: str
    timing: Timing
    versioned: bool


def lifecycle(ours: Sequence[Item], foreign: Sequence[Item], place: Place) -> Iterator[Remark]:
    """Look at all rules of a bucket, ours as they are found there."""
    for rule in foreign:
        yield from broad_expiry(rule, place)
        yield from hasty_expiry(rule, place)
        yield from hasty_noncurrent(rule, place)
    for rule in ours:
        yield from switched_off(rule)
        yield from hasty_expiry(rule, place)
    yield from endless_versions([*ours, *foreign], place)
    yield from endless_parts([*ours, *foreign], place)


def broad_expiry(rule: Item, place: Place) -> Iterator[Remark]:
    """Warn of an enabled rule that expires objects which are, or may be, completed."""
    status = _statuses(rule)
    expires = {"Days", "Date"} & set(rule.get("Expiration") or {})
    if expires and _acts(rule, place) and _may_match_kept(rule):
        found = conditions(rule)
        which = f"tagged {STATUS_TAG}={min(status)}" if status else "whatever their status"
        where = f"under {found['Prefix'] or 'the whole bucket'}"
        yield _drift(rule, f"expires objects {which} {where}: it deletes completed uploads of {place.prefix}")


def hasty_expiry(rule: Item, place: Place) -> Iterator[Remark]:
    """Warn of an enabled rule on pending objects that acts before the sweep has had its chances."""
    least = place.timing.least_lifecycle
    stated = rule.get("Expiration") or {}
    if not _acts(rule, place) or Tag.PENDING.value not in _statuses(rule):
        return
    if "Date" in stated or timedelta(days=stated.get("Days", least.days + 1)) < least:
        when = f"after {stated['Days']} days" if "Days" in stated else f"from {stated['Date']} on at once"
        yield _drift(rule, f"expires pending objects {when}, before the sweep is sure to have seen them ({least.days} days)")


def hasty_noncurrent(rule: Item, place: Place) -> Iterator[Remark]:
    """Warn of an enabled rule that ends old versions before the window in which a deletion can be undone."""
    stated = rule.get("NoncurrentVersionExpiration") or {}
    days = stated.get("NoncurrentDays")
    window = place.timing.noncurrent_days
    hasty = place.versioned and days is not None and days < window
    if hasty and _acts(rule, place) and _may_match_kept(rule):
        yield _drift(rule, f"ends noncurrent versions after {days} days: deletions were to be undone for {window}")


def switched_off(rule: Item) -> Iterator[Remark]:
    """Warn of a rule of ours that is disabled."""
    if rule.get("Status") != "Enabled":
        yield _drift(rule, "is switched off: the safety net does nothing")


def endless_versions(rules: Sequence[Item], place: Place) -> Iterator[Remark]:
    """Warn where versions are kept and no rule ends them: every expiry then leaves its bytes behind."""
    if place.versioned and not any(_covers(rule, place) and rule.get("NoncurrentVersionExpiration") for rule in rules):
        text = "the bucket keeps versions and no rule ends noncurrent ones: expiry and deletion leave the bytes behind for ever"
        yield Remark(PartName.LIFECYCLE, Severity.DRIFT, "noncurrent versions", text)


def endless_parts(rules: Sequence[Item], place: Place) -> Iterator[Remark]:
    """Warn where no rule aborts multipart uploads that nobody finishes: no listing shows their parts, and they are billed."""
    if not any(_covers(rule, place) and rule.get("AbortIncompleteMultipartUpload") for rule in rules):
        text = f"no rule aborts unfinished multipart uploads under {place.prefix}: their parts stay for ever"
        yield Remark(PartName.LIFECYCLE, Severity.DRIFT, "multipart uploads", text)


def _acts(rule: Item, place: Place) -> bool:
    """Whether an enabled rule's prefix and ours have keys in common."""
    prefix = conditions(rule)["Prefix"]
    return rule.get("Status") == "Enabled" and (prefix.startswith(place.prefix) or place.prefix.startswith(prefix))


def _covers(rule: Item, place: Place) -> bool:
    """Whether an enabled rule holds for every object under our prefix."""
    found = conditions(rule)
    narrowed = set(found) - {"Prefix", "Tags"} or found["Tags"]
    return rule.get("Status") == "Enabled" and place.prefix.startswith(found["Prefix"]) and not narrowed


def _may_match_kept(rule: Item) -> bool:
    status = _statuses(rule)
    return not status or bool(status & _KEPT)


def _statuses(rule: Item) -> set[str]:
    return {value for key, value in conditions(rule)["Tags"] if key == STATUS_TAG}


def _drift(rule: Item, text: str) -> Remark:
    return Remark(PartName.LIFECYCLE, Severity.DRIFT, str(rule.get("ID") or "a rule without ID"), text)
