"""The safety net: putting the bucket's lifecycle rules in place, and telling whether they still are.

S3 knows only whole configurations, without any condition on the put. So: read, merge by rule ID, put ours switched off, read
back, compare, switch on, read back again. Others' rules are carried along as they are, and must be unchanged afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.core.documents import Rule, disabled, fill, is_ours, merge_rules, rule_prefix, same_meaning
from reconciler.core.timing import Timing
from reconciler.errors import ReadBackError, SettingsError
from reconciler.ports import LifecycleStore


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleDiff:
    """How the bucket's rules differ from what is wanted. Rules under our IDs that nobody wants are `surplus`."""

    missing: tuple[Rule, ...]
    changed: tuple[tuple[Rule, Rule], ...]
    surplus: tuple[Rule, ...]
    foreign: tuple[Rule, ...]

    @property
    def drifted(self) -> bool:
        """Whether anything of ours is not as it should be."""
        return bool(self.missing or self.changed or self.surplus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Installs and checks the lifecycle rules of one prefix."""

    store: LifecycleStore
    document: Mapping[str, Any]
    versioned_document: Mapping[str, Any]
    timing: Timing
    prefix: str

    def wanted(self) -> list[Rule]:
        """Return the rules that should stand, from the document that fits the bucket."""
        document = self.versioned_document if self.store.versioned() else self.document
        rules: list[Rule] = fill(document, lifecycle_values(self.timing, self.prefix))["Rules"]
        return rules

    def compare(self) -> LifecycleDiff:
        """Read the bucket's rules and compare them with the wanted ones. Writes nothing."""
        return self._diff(self.store.rules(), self.wanted())

    def check_timing(self) -> None:
        """Raise SettingsError unless the timing inequalities hold."""
        problems = self.timing.problems()
        if problems:
            raise SettingsError("; ".join(problems))

    def install(self) -> LifecycleDiff:
        """Put the wanted rules in place and return what was different before.

        Raises SettingsError where the timing is unsafe, ReadBackError where the bucket did not take the rules as they are.
        """
        self.check_timing()
        current, wanted = self.store.rules(), self.wanted()
        diff = self._diff(current, wanted)
        if diff.drifted:
            self._put(merge_rules(current, disabled(wanted), prefix=self.prefix))
            self._put(merge_rules(current, wanted, prefix=self.prefix))
        return diff

    def _put(self, rules: Sequence[Rule]) -> None:
        self.store.put_rules(rules)
        found = self.store.rules()
        ours = [rule for rule in rules if is_ours(rule, prefix=self.prefix)]
        others = [rule for rule in rules if not is_ours(rule, prefix=self.prefix)]
        if self._diff(found, ours).drifted:
            raise ReadBackError(
                "the lifecycle rules read back otherwise than they were put",
                hint="this store changes or drops part of them; ours were put switched off first and do no harm",
            )
        if not _same_rules(others, [rule for rule in found if not is_ours(rule, prefix=self.prefix)]):
            raise ReadBackError(
                "somebody else's lifecycle rules changed while ours were installed",
                hint="another tool writes the same configuration: compare it with `reconcile check` and run again",
            )

    def _diff(self, current: Sequence[Rule], wanted: Sequence[Rule]) -> LifecycleDiff:
        ours = {rule["ID"]: rule for rule in current if is_ours(rule, prefix=self.prefix)}
        names = {rule["ID"] for rule in wanted}
        return LifecycleDiff(
            missing=tuple(rule for rule in wanted if rule["ID"] not in ours),
            changed=tuple(
                (ours[rule["ID"]], rule) for rule in wanted if rule["ID"] in ours and not same_meaning(ours[rule["ID"]], rule)
            ),
            surplus=tuple(rule for name, rule in ours.items() if name not in names),
            foreign=tuple(rule for rule in current if not is_ours(rule, prefix=self.prefix)),
        )


def lifecycle_values(timing: Timing, prefix: str) -> dict[str, str | int]:
    """Return what the lifecycle documents' placeholders stand for."""
    return {
        "rule": rule_prefix(prefix),
        "prefix": prefix,
        "lifecycle_days": timing.lifecycle_days,
        "noncurrent_days": timing.noncurrent_days,
    }


def _same_rules(before: Sequence[Rule], after: Sequence[Rule]) -> bool:
    return len(before) == len(after) and all(rule in after for rule in before)
