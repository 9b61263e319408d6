"""Installing the safety net: ours beside others' rules, switched off first, and believed only when read back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support import PREFIX

from reconciler.adapters import documents
from reconciler.core.documents import Rule
from reconciler.core.timing import Timing
from reconciler.errors import AccessDeniedError, ReadBackError, SettingsError
from reconciler.installer import Installer
from reconciler.testing import MemoryLifecycle

FOREIGN: list[Rule] = [
    {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
    {"ID": "", "Status": "Disabled", "Prefix": "old/", "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
    {"ID": "reconciler:elsewhere/:pending", "Status": "Enabled", "Filter": {"Prefix": "elsewhere/"}, "Expiration": {"Days": 9}},
]
PENDING, MULTIPART = f"reconciler:{PREFIX}:pending", f"reconciler:{PREFIX}:multipart"


class Store(MemoryLifecycle):
    """Writes down every put."""

    def __init__(self, rules: Sequence[Rule] = (), *, versioned: bool = False) -> None:
        super().__init__(rules, versioned=versioned)
        self.puts: list[list[Rule]] = []

    def put_rules(self, rules: Sequence[Rule]) -> None:
        self.puts.append([dict(rule) for rule in rules])
        super().put_rules(rules)


class TagDropping(Store):
    """Forgets the tag of a filter, which would make our rule expire everything."""

    def put_rules(self, rules: Sequence[Rule]) -> None:
        super().put_rules(rules)
        self._rules = [{**rule, "Filter": {"Prefix": PREFIX}} if rule["ID"] == PENDING else rule for rule in rules]


class Meddled(Store):
    """Somebody else writes the same configuration at the same time."""

    def put_rules(self, rules: Sequence[Rule]) -> None:
        super().put_rules(rules)
        self._rules = [rule for rule in self._rules if rule["ID"] != "logs"]


class Rewording(Store):
    """Writes filters in another form, as Ceph does."""

    def put_rules(self, rules: Sequence[Rule]) -> None:
        super().put_rules(rules)
        tag = {"Key": "status", "Value": "pending"}
        self._rules = [{**r, "Filter": {"Prefix": PREFIX, "Tag": tag}} if r["ID"] == PENDING else r for r in rules]


def installer(store: MemoryLifecycle, timing: Timing | None = None) -> Installer:
    return Installer(
        store=store,
        document=documents.load("lifecycle"),
        versioned_document=documents.load("lifecycle-versioned"),
        timing=timing or Timing(),
        prefix=PREFIX,
    )


def ours(rules: Sequence[Rule]) -> dict[str, Any]:
    return {rule["ID"]: rule for rule in rules if rule["ID"].startswith(f"reconciler:{PREFIX}:")}


def statuses(rules: Sequence[Rule]) -> dict[str, str]:
    return {name: rule["Status"] for name, rule in ours(rules).items()}


def test_installing_puts_both_rules_in_place() -> None:
    """One rule expires what is tagged pending, one aborts incomplete multipart uploads; both are on."""
    store = Store()
    installer(store).install()
    assert statuses(store.rules()) == {PENDING: "Enabled", MULTIPART: "Enabled"}
    pending = ours(store.rules())[PENDING]
    assert pending["Filter"] == {"And": {"Prefix": PREFIX, "Tags": [{"Key": "status", "Value": "pending"}]}}
    assert pending["Expiration"] == {"Days": 7}


def test_ours_are_put_switched_off_first() -> None:
    """The first put has our rules disabled, the second enables them, and there is no third."""
    store = Store(FOREIGN)
    installer(store).install()
    assert [set(statuses(rules).values()) for rules in store.puts] == [{"Disabled"}, {"Enabled"}]


def test_others_rules_are_carried_along_as_they_are() -> None:
    """Every put carries the foreign rules, in their order and word for word; another prefix's are foreign."""
    store = Store(FOREIGN)
    installer(store).install()
    assert [rules[:3] for rules in store.puts] == [FOREIGN, FOREIGN]
    assert store.rules()[:3] == FOREIGN


def test_installing_twice_puts_nothing_more() -> None:
    """The second time nothing differs, and nothing is put."""
    store = Store(FOREIGN)
    first = installer(store).install()
    again = installer(store).install()
    assert (first.drifted, len(first.missing), again.drifted) == (True, 2, False)
    assert len(store.puts) == 2


def test_comparing_writes_nothing() -> None:
    """Compare reads only, and names what is missing and what is others'."""
    store = Store(FOREIGN)
    diff = installer(store).compare()
    assert ([rule["ID"] for rule in diff.missing], diff.changed, diff.surplus) == ([PENDING, MULTIPART], (), ())
    assert (list(diff.foreign), store.puts) == (FOREIGN, [])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda rules: [rule for rule in rules if rule["ID"] != PENDING], "missing"),
        (lambda rules: [{**rule, "Status": "Disabled"} if rule["ID"] == PENDING else rule for rule in rules], "changed"),
        (lambda rules: [{**rule, "Expiration": {"Days": 1}} if rule["ID"] == PENDING else rule for rule in rules], "changed"),
        (lambda rules: [{**rule, "Filter": {"Prefix": PREFIX}} if rule["ID"] == PENDING else rule for rule in rules], "changed"),
        (lambda rules: [*rules, {"ID": f"reconciler:{PREFIX}:old", "Status": "Enabled"}], "surplus"),
    ],
    ids=["rule removed", "switched off", "other days", "tag gone", "rule nobody wants"],
)
def test_each_kind_of_drift_is_named_and_mended(change: Any, kind: str) -> None:
    """Whatever differs is found under its kind; installing again puts it right."""
    store = Store(FOREIGN)
    installer(store).install()
    wanted = store.rules()
    store._rules = change(wanted)
    diff = installer(store).compare()
    assert [name for name in ("missing", "changed", "surplus") if getattr(diff, name)] == [kind]
    installer(store).install()
    assert store.rules() == wanted


def test_changed_settings_are_drift() -> None:
    """Another number of days makes the installed rule one that differs."""
    store = Store()
    installer(store).install()
    later = installer(store, replace(Timing(), lifecycle_days=14))
    assert len(later.compare().changed) == 2
    later.install()
    assert ours(store.rules())[PENDING]["Expiration"] == {"Days": 14}


def test_a_versioned_bucket_gets_the_versioned_document() -> None:
    """Where versions are kept, noncurrent ones and lone delete markers are expired too."""
    store = Store(versioned=True)
    installer(store).install()
    rule = ours(store.rules())[MULTIPART]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}


def test_a_store_that_drops_the_tag_is_refused_before_ours_is_on() -> None:
    """A filter that reads back without its tag is a ReadBackError, and our rules were never enabled."""
    store = TagDropping(FOREIGN)
    with pytest.raises(ReadBackError):
        installer(store).install()
    assert [set(statuses(rules).values()) for rules in store.puts] == [{"Disabled"}]
    assert set(statuses(store.rules()).values()) == {"Disabled"}


def test_a_store_that_only_rewords_a_filter_is_fine() -> None:
    """A filter without `And` that means the same is no drift."""
    store = Rewording()
    installer(store).install()
    assert installer(store).compare().drifted is False


def test_a_foreign_rule_that_changes_meanwhile_is_noticed() -> None:
    """If somebody else's rule is gone after the put, that is a ReadBackError and ours stay off."""
    store = Meddled(FOREIGN)
    with pytest.raises(ReadBackError, match="somebody else"):
        installer(store).install()
    assert set(statuses(store.rules()).values()) == {"Disabled"}


@pytest.mark.parametrize(
    "unsafe",
    [
        {"retention": timedelta(hours=1)},
        {"lifecycle_days": 5},
        {"slowest_transfer": timedelta(hours=24)},
        {"sweep_interval": timedelta(days=3)},
    ],
    ids=lambda unsafe: next(iter(unsafe)),
)
def test_unsafe_timing_is_refused(unsafe: dict[str, Any]) -> None:
    """Where the inequalities do not hold nothing is put, and the setting to change is named."""
    store = Store(FOREIGN)
    with pytest.raises(SettingsError, match="RECONCILER_"):
        installer(store, replace(Timing(), **unsafe)).install()
    assert store.puts == []


def test_a_denied_read_is_no_empty_configuration() -> None:
    """If the rules cannot be read nothing is put: others' rules would be lost."""
    store = Store(FOREIGN)

    def denied() -> list[Rule]:
        raise AccessDeniedError

    store.rules = denied  # type: ignore[method-assign]
    with pytest.raises(AccessDeniedError):
        installer(store).install()
    assert store.puts == []
