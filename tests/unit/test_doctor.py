"""What credentials may do, judged by refusals; and the whole examination, with a store that reads out its answers."""

import pytest
from unit.scripted import (
    ABSENT,
    BAD,
    BROKE,
    DENIED,
    HERE,
    OK,
    UNTRIED,
    FormSigner,
    Script,
    bench,
)

from reconciler.core.roles import PERMISSIONS, May, RoleFinding, actions, judge
from reconciler.doctor import DAILY, Doctor
from reconciler.errors import StoreUnavailableError
from reconciler.ports import Answer
from reconciler.probes.permissions import permissions

# Permissions

ALL = [OK, BAD, OK, OK, OK, OK, OK]  # list, put, delete, an object of our own, get, tags, tagging
READS = [OK] * 7


def may(*answers: Answer) -> dict[str, str]:
    """What is found of the permissions about objects; those to read the configuration are all given."""
    at = bench(*answers, *READS, OK)
    found = permissions(at)
    return {name: found[name].value for name in ("list", "put", "tag-put", "delete", "get", "get-tags", "retag")}


YES, NO, OPEN = "allowed", "denied", "not tried"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (ALL, [YES] * 7),
        ([OK, OK, OK, OK, OK, OK, OK], [YES] * 7),
        ([OK, DENIED, BAD, OK, OK, ABSENT, ABSENT, ABSENT], [YES, YES, NO, YES, OPEN, OPEN, OPEN]),
        ([OK, DENIED, DENIED, OK, OK, ABSENT, ABSENT, ABSENT], [YES, NO, NO, YES, OPEN, OPEN, OPEN]),
        ([OK, BAD, DENIED, OK, DENIED, DENIED, DENIED], [YES, YES, YES, NO, NO, NO, NO]),
        ([DENIED, BAD, DENIED, DENIED, DENIED, DENIED, DENIED], [NO, YES, YES, NO, OPEN, OPEN, OPEN]),
        ([OK, BROKE, OK, OK, ABSENT, ABSENT, DENIED], [YES, OPEN, OPEN, YES, OPEN, OPEN, NO]),
    ],
    ids=["all", "no MD5 is looked at", "no tags", "no PUT", "no deletion", "nothing but PUT", "a store that fails"],
)
def test_permissions_follow_from_refusals(answers: list[Answer], found: list[str]) -> None:
    """An AccessDenied is a missing permission, where it cannot stand for an absent key; other refusals are none."""
    names = ("list", "put", "tag-put", "delete", "get", "get-tags", "retag")
    assert may(*answers) == dict(zip(names, found, strict=True))


def test_who_may_not_delete_puts_nothing() -> None:
    """The one PUT has a Content-MD5 that does not fit."""
    at = bench(OK, BAD, DENIED, OK, DENIED, DENIED, DENIED, *READS, OK)
    permissions(at)
    assert isinstance(at.store, Script)
    puts = [parameters for operation, parameters in at.store.asked if operation == "put_object"]
    assert [bool(put.get("ContentMD5")) for put in puts] == [True]
    assert at.keys == []


def test_a_role_lacks_what_was_denied() -> None:
    """What was not tried is named apart, and the presigner's tag is the one that comes with its PUT."""
    found = dict.fromkeys(PERMISSIONS, May.YES) | {"retag": May.NO, "get-tags": May.UNTRIED}
    needed = frozenset({"s3:PutObject", "s3:PutObjectTagging", "s3:GetObjectTagging", "s3:PutLifecycleConfiguration"})
    untried = ("s3:GetObjectTagging", "s3:PutLifecycleConfiguration")
    assert judge("presigner", needed, found) == RoleFinding(role="presigner", lacks=(), untried=untried)
    assert judge("completer", needed, found) == RoleFinding(role="completer", lacks=("s3:PutObjectTagging",), untried=untried)
    assert judge("reconciler", needed, found).untried == ("s3:GetObjectTagging", "s3:PutLifecycleConfiguration", "s3:PutObject")


def test_the_actions_of_a_document_are_those_of_all_its_statements() -> None:
    """One or several to a statement."""
    assert actions({"Statement": [{"Action": "s3:A"}, {"Action": ["s3:B", "s3:A"]}]}) == {"s3:A", "s3:B"}


# The whole


def doctor(*answers: Answer | Exception) -> Doctor:
    return Doctor(
        store=Script(answers),
        signer=FormSigner("photos"),
        here=HERE,
        roles={"presigner": frozenset({"s3:PutObject"}), "installer": frozenset({"s3:PutObject"})},
        policies={},
        new_id=lambda: "1",
    )


NOBODY = [DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, *[DENIED] * 7, DENIED]


def test_without_permissions_nothing_is_tried() -> None:
    """Each promise names the actions that were missing; nothing lies there to be taken away."""
    patient = doctor(*NOBODY, DENIED)
    found = patient.examine()
    assert {finding.result.verdict for finding in found.findings} == {UNTRIED}
    assert not found.healthy
    assert patient.tidy() == []


def test_a_role_that_is_not_asked_for_may_lack_everything() -> None:
    """Then the diagnosis is good, as long as no promise is broken."""
    assert doctor(*NOBODY, DENIED).examine(needed=["reader"]).healthy
    assert set(DAILY) == {"presigner", "completer", "reconciler"}


def test_a_store_that_does_not_answer_ends_the_examination() -> None:
    """What was put until then can still be taken away."""
    gone = Answer(status=204)
    patient = doctor(OK, BAD, OK, OK, StoreUnavailableError("no answer"))
    with pytest.raises(StoreUnavailableError):
        patient.examine()
    assert isinstance(patient.store, Script)
    patient.store.answers = [OK, gone, gone, OK, OK]
    assert patient.tidy() == []
    assert [operation for operation, _ in patient.store.asked[-5:]].count("delete_object") == 2
