"""Installing each part: ours beside others', believed only when read back, and never on top of what was not seen."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support import PREFIX

from reconciler import installer as installer_module
from reconciler.adapters import documents
from reconciler.core.parts import Configuration, Item, PartName
from reconciler.core.remarks import Severity
from reconciler.core.timing import Timing
from reconciler.core.wanted import Wanted, sid_prefix
from reconciler.errors import AccessDeniedError, MovedError, NotSupportedError, ReadBackError, SettingsError
from reconciler.installer import Installer, Look
from reconciler.settings import Settings
from reconciler.testing import MemoryBucket
from reconciler.testing.configuration import sample

PENDING, MULTIPART = f"reconciler:{PREFIX}:pending", f"reconciler:{PREFIX}:multipart"
SETTINGS = {
    "bucket": "photos",
    "presigner_roles": ("arn:aws:iam::123456789012:role/web",),
    "completer_roles": ("arn:aws:iam::123456789012:role/web",),
    "reconciler_roles": ("arn:aws:iam::123456789012:role/ops",),
    "origins": ("https://www.example.com",),
    "notify": "arn:aws:sqs:eu-west-1:123456789012:events",
}
FOREIGN: dict[PartName, list[Item]] = {name: [sample(name, number) for number in range(3)] for name in PartName}
FOREIGN[PartName.LIFECYCLE] += [
    {"ID": "", "Status": "Disabled", "Prefix": "old/", "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]},
    {"ID": "reconciler:elsewhere/:pending", "Status": "Enabled", "Filter": {"Prefix": "elsewhere/"}, "Expiration": {"Days": 9}},
]
FOREIGN[PartName.NOTIFICATIONS].append({"Kind": "eventbridge", "Id": "eventbridge"})
FOREIGN[PartName.POLICY].append({**sample(PartName.POLICY, 4), "Sid": f"{sid_prefix('elsewhere/')}TlsOnly"})


class Store(MemoryBucket):
    """Writes down every put."""

    def __init__(self, parts: Mapping[PartName, Sequence[Item]] | None = None, *, versioning: str = "") -> None:
        super().__init__(parts, versioning=versioning)
        self.puts: list[tuple[PartName, Configuration]] = []

    def write(self, name: PartName, configuration: Configuration) -> None:
        self.puts.append((name, copy.deepcopy(configuration)))
        super().write(name, self.keep(name, configuration))

    def keep(self, name: PartName, configuration: Configuration) -> Configuration:
        """What the store makes of what it is given."""
        return configuration

    def items(self, name: PartName) -> list[Item]:
        return list(self.read(name).items)


class TagDropping(Store):
    """Forgets the tag of a filter, which would make our rule expire everything."""

    def keep(self, name: PartName, configuration: Configuration) -> Configuration:
        kept = ({**rule, "Filter": {"Prefix": PREFIX}} if rule["ID"] == PENDING else rule for rule in configuration.items)
        return Configuration(tuple(kept), configuration.rest)


class Meddled(Store):
    """Somebody else writes the same configuration right after us."""

    def keep(self, name: PartName, configuration: Configuration) -> Configuration:
        return Configuration(configuration.items[1:], configuration.rest)


class Rewording(Store):
    """Writes filters in another form, as Ceph does."""

    def keep(self, name: PartName, configuration: Configuration) -> Configuration:
        tag = {"Key": "status", "Value": "pending"}
        other = {"Prefix": PREFIX, "Tag": tag}
        return Configuration(tuple({**r, "Filter": other} if r["ID"] == PENDING else r for r in configuration.items))


class Slow(Store):
    """Gives back what was there before, for two readings after each put: eventually consistent."""

    def __init__(self, parts: Mapping[PartName, Sequence[Item]] | None = None) -> None:
        super().__init__(parts)
        self._stale: list[Configuration] = []

    def read(self, name: PartName) -> Configuration:
        return self._stale.pop() if self._stale else super().read(name)

    def write(self, name: PartName, configuration: Configuration) -> None:
        self._stale = []
        before = self.read(name)
        super().write(name, configuration)
        self._stale = [before, before]


class Choosy(Store):
    """Knows no such events."""

    refused: tuple[str, ...] = ()

    def keep(self, name: PartName, configuration: Configuration) -> Configuration:
        if any(event in item.get("Events", ()) for item in configuration.items for event in self.refused):
            raise NotSupportedError
        return configuration


def installer(store: MemoryBucket, timing: Timing | None = None, **settings: Any) -> Installer:
    given = Settings(**{**SETTINGS, **settings})
    timing = timing or Timing()
    days = {"lifecycle_days": timing.lifecycle_days, "noncurrent_days": timing.noncurrent_days}
    return Installer(
        bucket=store,
        name="photos",
        wanted=Wanted(
            documents={name: documents.load(name) for name in documents.names()},
            values={**given.document_values(), **days},
            prefix=PREFIX,
        ),
        timing=timing,
        sleep=lambda _: None,
    )


def look(store: MemoryBucket, name: PartName = PartName.LIFECYCLE, **settings: Any) -> Look:
    (seen,) = installer(store, **settings).look([name])
    return seen


def install(store: MemoryBucket, name: PartName = PartName.LIFECYCLE, **settings: Any) -> Sequence[Item]:
    return installer(store, **settings).install(look(store, name, **settings))


def statuses(rules: Sequence[Item]) -> dict[str, str]:
    return {rule["ID"]: rule["Status"] for rule in rules if rule["ID"].startswith(f"reconciler:{PREFIX}:")}


ours = pytest.mark.parametrize("name", PartName)


# Every part


@ours
def test_a_part_is_put_in_place(name: PartName) -> None:
    """What was missing is there, and nothing differs any more."""
    store = Store(FOREIGN)
    assert look(store, name).drifted
    install(store, name)
    assert not look(store, name).drifted


@ours
def test_others_items_are_carried_along_as_they_are(name: PartName) -> None:
    """Every put carries them, in their order and to the letter; another prefix's are others', too."""
    store = Store(FOREIGN)
    install(store, name)
    count = len(FOREIGN[name])
    assert all(list(put.items[:count]) == FOREIGN[name] for _, put in store.puts)
    assert store.items(name)[:count] == FOREIGN[name]


@ours
def test_installing_twice_puts_nothing_more(name: PartName) -> None:
    """The second time nothing differs."""
    store = Store(FOREIGN)
    install(store, name)
    puts = len(store.puts)
    install(store, name)
    assert len(store.puts) == puts


@ours
def test_a_part_puts_nothing_but_itself(name: PartName) -> None:
    """The other parts are not touched."""
    store = Store(FOREIGN)
    install(store, name)
    assert {put for put, _ in store.puts} == {name}


@ours
def test_two_deployments_live_in_one_bucket(name: PartName) -> None:
    """Each leaves the other's items alone, and finds its own as they should be."""
    store = Store()
    install(store, name)
    other = Settings(**{**SETTINGS, "prefix": "other/", "notify": "arn:aws:sqs:eu-west-1:123456789012:other"})
    second = replace(
        installer(store), wanted=replace(installer(store).wanted, values=other.document_values(), prefix=other.prefix)
    )
    for seen in second.look([name]):
        second.install(seen)
    assert not look(store, name).drifted
    assert not second.look([name])[0].drifted


@ours
def test_looking_writes_nothing(name: PartName) -> None:
    """It names what is missing and what is others'."""
    store = Store(FOREIGN)
    found = look(store, name).difference
    assert found is not None
    assert (bool(found.missing), found.changed, found.surplus) == (True, (), ())
    assert (list(found.foreign), store.puts) == (FOREIGN[name], [])


@ours
def test_what_moved_since_it_was_looked_at_is_not_put_over(name: PartName) -> None:
    """Somebody's change between the difference that was shown and our put is a MovedError, and survives."""
    store = Store(FOREIGN)
    seen = look(store, name)
    theirs = Configuration((*FOREIGN[name], sample(name, 3)))
    MemoryBucket.write(store, name, theirs)
    with pytest.raises(MovedError, match="somebody else"):
        installer(store).install(seen)
    assert (store.puts, store.items(name)) == ([], list(theirs.items))


@ours
def test_what_somebody_else_puts_after_us_is_noticed(name: PartName) -> None:
    """If an item of theirs is not what it was after the put, that is a ReadBackError."""
    with pytest.raises(ReadBackError, match="somebody else"):
        install(Meddled(FOREIGN), name)


@ours
def test_a_store_that_is_slow_to_tell_is_asked_again(name: PartName) -> None:
    """A bucket's configuration is eventually consistent."""
    store = Slow(FOREIGN)
    install(store, name)
    assert store.read(name).items[: len(FOREIGN[name])] == tuple(FOREIGN[name])


@ours
def test_a_denied_read_is_no_empty_configuration(name: PartName) -> None:
    """If a part cannot be read nothing is put: others' items would be lost."""
    store = Store(FOREIGN)

    def denied(_: PartName) -> Configuration:
        raise AccessDeniedError

    store.read = denied  # type: ignore[method-assign]
    with pytest.raises(AccessDeniedError):
        install(store, name)
    assert store.puts == []


@ours
def test_a_part_that_the_store_does_not_know_is_said_so(name: PartName) -> None:
    """It is no difference, and others are looked at all the same."""
    store = Store(FOREIGN)
    read = store.read

    def unknown(asked: PartName) -> Configuration:
        if asked is name:
            raise NotSupportedError("no such thing")
        return read(asked)

    store.read = unknown  # type: ignore[method-assign]
    checked = installer(store).check()
    (seen,) = (each for each in checked.looks if each.name is name)
    assert (seen.not_known, seen.drifted) == ("no such thing", False)
    assert [r.part for r in checked.remarks if r.severity is Severity.NOT_KNOWN and r.part in list(PartName)] == [name]


@pytest.mark.parametrize(
    ("name", "without", "settings"),
    [
        (PartName.POLICY, "presigner_roles", ["RECONCILER_PRESIGNER_ROLES"]),
        (PartName.POLICY, "completer_roles", ["RECONCILER_COMPLETER_ROLES"]),
        (PartName.POLICY, "reconciler_roles", ["RECONCILER_RECONCILER_ROLES"]),
        (PartName.CORS, "origins", ["RECONCILER_ORIGINS"]),
        (PartName.NOTIFICATIONS, "notify", ["RECONCILER_NOTIFY"]),
    ],
)
def test_a_part_without_its_settings_is_left_out(name: PartName, without: str, settings: list[str]) -> None:
    """By the name of what is missing; it is no difference, and cannot be installed."""
    store = Store(FOREIGN)
    nothing: Any = None if without == "notify" else ()
    seen = look(store, name, **{without: nothing})
    assert (seen.unset, seen.drifted) == (settings, False)
    with pytest.raises(SettingsError, match=settings[0]):
        installer(store).install(seen)
    assert store.puts == []


def test_taggers_are_named_in_the_policy_and_need_not_be() -> None:
    """Naming one later is a difference of exactly those statements that name taggers."""
    store = Store()
    install(store, PartName.POLICY)
    later = look(store, PartName.POLICY, tagger_roles=("arn:aws:iam::123456789012:role/scanner",)).difference
    assert later is not None
    assert {new["Sid"].removeprefix(sid_prefix(PREFIX)) for _, new in later.changed} == {"OnlyOursTag", "OnlyReconcilerJudges"}
    assert (later.missing, later.surplus) == ((), ())


def test_a_policy_keeps_its_id_and_its_version() -> None:
    """They are carried along."""
    store = Store()
    rest = {"Version": "2008-10-17", "Id": "theirs"}
    store.write(PartName.POLICY, Configuration((sample(PartName.POLICY, 0),), rest))
    install(store, PartName.POLICY)
    assert store.read(PartName.POLICY).rest == rest


# Lifecycle


def test_both_lifecycle_rules_are_on() -> None:
    """One rule expires what is tagged pending, one aborts incomplete multipart uploads."""
    store = Store()
    install(store)
    assert statuses(store.items(PartName.LIFECYCLE)) == {PENDING: "Enabled", MULTIPART: "Enabled"}
    (pending,) = (rule for rule in store.items(PartName.LIFECYCLE) if rule["ID"] == PENDING)
    assert pending["Filter"] == {"And": {"Prefix": PREFIX, "Tags": [{"Key": "status", "Value": "pending"}]}}
    assert pending["Expiration"] == {"Days": 7}


def test_lifecycle_rules_are_put_switched_off_first() -> None:
    """The first put has our rules disabled, the second enables them, and there is no third."""
    store = Store(FOREIGN)
    install(store)
    assert [set(statuses(put.items).values()) for _, put in store.puts] == [{"Disabled"}, {"Enabled"}]


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
    install(store)
    wanted = store.items(PartName.LIFECYCLE)
    MemoryBucket.write(store, PartName.LIFECYCLE, Configuration(tuple(change(wanted))))
    found = look(store).difference
    assert [name for name in ("missing", "changed", "surplus") if getattr(found, name)] == [kind]
    install(store)
    assert store.items(PartName.LIFECYCLE) == wanted


def test_changed_settings_are_drift() -> None:
    """Another number of days makes the installed rules ones that differ."""
    store = Store()
    install(store)
    later = replace(Timing(), lifecycle_days=14)
    found = look(store, timing=later).difference
    assert found is not None
    assert len(found.changed) == 2
    install(store, timing=later)
    (pending,) = (rule for rule in store.items(PartName.LIFECYCLE) if rule["ID"] == PENDING)
    assert pending["Expiration"] == {"Days": 14}


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended"])
def test_a_versioned_bucket_gets_the_versioned_document(versioning: str) -> None:
    """Where versions are kept, or were, noncurrent ones and lone delete markers are expired too."""
    store = Store(versioning=versioning)
    install(store)
    (rule,) = (rule for rule in store.items(PartName.LIFECYCLE) if rule["ID"] == MULTIPART)
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["Expiration"] == {"ExpiredObjectDeleteMarker": True}


def test_a_store_that_knows_no_versions_keeps_none() -> None:
    """It gets the ordinary document."""
    store = Store()

    def unknown() -> str:
        raise NotSupportedError

    store.versioning = unknown  # type: ignore[method-assign]
    install(store)
    assert not [rule for rule in store.items(PartName.LIFECYCLE) if "NoncurrentVersionExpiration" in rule]


def test_a_store_that_drops_the_tag_is_refused_before_ours_is_on() -> None:
    """A filter that reads back without its tag is a ReadBackError, and our rules were never enabled."""
    store = TagDropping(FOREIGN)
    with pytest.raises(ReadBackError, match=PENDING):
        install(store)
    assert [set(statuses(put.items).values()) for _, put in store.puts] == [{"Disabled"}]
    assert set(statuses(store.items(PartName.LIFECYCLE)).values()) == {"Disabled"}


def test_a_store_that_only_rewords_a_filter_is_fine() -> None:
    """A filter without `And` that means the same is no drift."""
    store = Rewording()
    install(store)
    assert not look(store).drifted


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
    """Where the inequalities do not hold, the setting to change is named."""
    with pytest.raises(SettingsError, match="RECONCILER_"):
        installer(Store(FOREIGN), replace(Timing(), **unsafe)).check_timing()


# Notifications

CREATED, REMOVED, TAGGED, EXPIRED = (
    f"s3:{kind}:*" for kind in ("ObjectCreated", "ObjectRemoved", "ObjectTagging", "LifecycleExpiration")
)


@pytest.mark.parametrize(
    ("refused", "name", "left"),
    [
        ((), "events", [CREATED, REMOVED, TAGGED, EXPIRED]),
        ((TAGGED,), "without-ObjectTagging-ObjectRemoved", [CREATED, EXPIRED]),
        ((EXPIRED,), "without-LifecycleExpiration-ObjectRemoved", [CREATED, TAGGED]),
        ((TAGGED, EXPIRED), "without-ObjectTagging-LifecycleExpiration-ObjectRemoved", [CREATED]),
    ],
    ids=["none", "tagging", "expiration", "both"],
)
def test_events_that_a_store_refuses_are_left_out(refused: tuple[str, ...], name: str, left: list[str]) -> None:
    """The Id says so, a check calls it a note and no drift, and installing again puts nothing more.

    A store that refuses any is not asked to push removals either, while deletions are sent in bulk: Ceph dies of that.
    """
    store = Choosy(FOREIGN)
    store.refused = refused
    standing = install(store, PartName.NOTIFICATIONS)
    assert [(item["Id"], item["Events"]) for item in standing] == [(f"reconciler:{PREFIX}:{name}", left)]
    puts = len(store.puts)
    install(store, PartName.NOTIFICATIONS)
    assert len(store.puts) == puts
    checked = installer(store).check([PartName.NOTIFICATIONS], verify=False)
    assert [(r.severity, all(event in r.text for event in refused)) for r in checked.remarks] == [(Severity.NOTE, True)] * bool(
        refused
    )
    assert not checked.drifted


def test_an_event_that_we_cannot_do_without_is_an_error() -> None:
    """A store that refuses ObjectCreated knows no notifications."""
    store = Choosy(FOREIGN)
    store.refused = (CREATED,)
    with pytest.raises(NotSupportedError):
        install(store, PartName.NOTIFICATIONS)
    assert store.items(PartName.NOTIFICATIONS) == FOREIGN[PartName.NOTIFICATIONS]


def test_an_event_that_somebody_took_out_is_drift() -> None:
    """Only the Id that we gave ourselves says that a store refused it."""
    store = Store()
    (item,) = install(store, PartName.NOTIFICATIONS)
    MemoryBucket.write(store, PartName.NOTIFICATIONS, Configuration(({**item, "Events": [CREATED]},)))
    found = look(store, PartName.NOTIFICATIONS).difference
    assert found is not None
    assert len(found.changed) == 1


def test_another_destination_takes_the_place_of_the_old_one() -> None:
    """A queue that becomes a topic is one difference, and one item afterwards."""
    store = Store(FOREIGN)
    install(store, PartName.NOTIFICATIONS)
    topic = "arn:aws:sns:eu-west-1:123456789012:events"
    install(store, PartName.NOTIFICATIONS, notify=topic)
    (item,) = (each for each in store.items(PartName.NOTIFICATIONS) if each not in FOREIGN[PartName.NOTIFICATIONS])
    assert (item["Kind"], item["TopicArn"]) == ("topic", topic)


def test_eventbridge_is_turned_on_and_never_off() -> None:
    """It is one switch for the whole bucket: whoever else wants it may rely on it."""
    store = Store()
    install(store, PartName.NOTIFICATIONS, notify="eventbridge")
    switch = {"Kind": "eventbridge", "Id": "eventbridge"}
    assert store.items(PartName.NOTIFICATIONS) == [switch]
    install(store, PartName.NOTIFICATIONS)
    assert switch in store.items(PartName.NOTIFICATIONS)


# Checking


def test_a_check_of_what_was_installed_finds_nothing() -> None:
    """Each part is as it should be, and the bucket as AWS makes it."""
    store = Store()
    for name in PartName:
        install(store, name)
    checked = installer(store).check()
    assert not checked.drifted
    assert {remark.severity for remark in checked.remarks} == {Severity.FINE}


def test_others_items_are_looked_at_where_ours_are_left_out() -> None:
    """Without roles there is no policy of ours, and somebody's may still open the bucket."""
    everybody = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*"}
    checked = installer(Store({PartName.POLICY: [everybody]}), presigner_roles=()).check([PartName.POLICY], verify=False)
    assert checked.drifted
    assert [remark.subject for remark in checked.remarks] == ["Open"]


@pytest.mark.parametrize("verb", ["access_block", "ownership", "versioning"])
def test_what_a_store_does_not_implement_is_never_fine(verb: str) -> None:
    """It is told as not known."""
    store = Store()

    def unknown() -> Any:
        raise NotSupportedError

    setattr(store, verb, unknown)
    checked = installer(store).check([PartName.CORS])
    assert [r.severity for r in checked.remarks if r.part == "verified"].count(Severity.NOT_KNOWN) == 1


def test_a_bucket_that_is_open_or_shared_is_drift() -> None:
    """Though install would not change it."""
    store = Store()
    store.blocked, store.owner = {}, "ObjectWriter"
    drift = [r.subject for r in installer(store).check([PartName.CORS]).remarks if r.severity is Severity.DRIFT]
    assert drift == ["block-public-access", "object-ownership"]


def test_waiting_for_the_store_ends() -> None:
    """After some readings what is wrong stays wrong."""
    slept: list[float] = []
    patient = replace(installer(TagDropping()), sleep=slept.append)
    (seen,) = patient.look([PartName.LIFECYCLE])
    with pytest.raises(ReadBackError):
        patient.install(seen)
    assert slept == list(installer_module.PAUSES)
