"""Composing one policy of two dialects, from what a store was seen to make of each."""

from typing import Any

import pytest

from reconciler.core.dialects import AWS, PORTABLE, Composed, Effect, Findings, Seen, compose, findings_from, purpose
from reconciler.errors import StoreError


def policy(*sids: str) -> Any:
    return {"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Deny"} for sid in sids]}


def findings(aws: dict[str, Effect], portable: dict[str, Effect] | None = None) -> Findings:
    named = {AWS: aws, PORTABLE: portable or {}}
    return Findings({dialect: {name: Seen(effect) for name, effect in seen.items()} for dialect, seen in named.items()})


def sids(composed: Composed) -> list[str]:
    return [statement["Sid"] for statement in composed.statements]


OURS = policy("TlsOnly", "BornPending", "NoPost")
THEIRS = policy("BornPending", "BornPending2", "Extra")
WORKS, NEVER, REFUSED, SHUT = Effect.WORKS, Effect.NEVER, Effect.NOT_TAKEN, Effect.SHUTS_OUT


@pytest.mark.parametrize(
    ("found", "taken", "left_out"),
    [
        (None, ["TlsOnly", "BornPending", "NoPost"], {}),
        (
            Findings(),
            [],
            {
                "TlsOnly": "aws: not tried",
                "BornPending": "aws: not tried; portable: not tried",
                "NoPost": "aws: not tried",
                "Extra": "portable: not tried",
            },
        ),
        (
            findings({"TlsOnly": WORKS, "BornPending": WORKS, "NoPost": WORKS}, {"BornPending": WORKS, "Extra": WORKS}),
            ["TlsOnly", "BornPending", "NoPost", "Extra"],
            {},
        ),
        (
            findings({"TlsOnly": SHUT, "BornPending": NEVER, "NoPost": REFUSED}, {"BornPending": WORKS, "Extra": NEVER}),
            ["BornPending", "BornPending2"],
            {"TlsOnly": "aws: shuts out", "NoPost": "aws: not taken", "Extra": "portable: never applies"},
        ),
        (
            findings({"TlsOnly": WORKS, "BornPending": NEVER, "NoPost": WORKS}, {"BornPending": SHUT, "Extra": SHUT}),
            ["TlsOnly", "NoPost"],
            {"BornPending": "aws: never applies; portable: shuts out", "Extra": "portable: shuts out"},
        ),
    ],
    ids=["AWS itself", "nothing tried", "everything works", "the other wording works", "neither works"],
)
def test_the_first_wording_that_works_is_taken(found: Findings | None, taken: list[str], left_out: dict[str, str]) -> None:
    """AWS's before the portable one, every statement of a purpose; what none serves is named, with the reason."""
    composed = compose(OURS, THEIRS, found)
    assert (sids(composed), composed.left_out) == (taken, left_out)


@pytest.mark.parametrize(
    ("sid", "meant"),
    [
        ("BornPending", "BornPending"),
        ("BornPending2", "BornPending"),
        ("Reconciler0a1b2c3dBornPending2", "BornPending"),
        ("ReconcilerMarks", "ReconcilerMarks"),
        ("SigV4Only", "SigV4Only"),
        ("", ""),
    ],
)
def test_a_purpose_is_what_a_sid_begins_with(sid: str, meant: str) -> None:
    """Without the deployment's mark and the number."""
    assert purpose(sid) == meant


def test_why_it_was_left_out_says_how_that_was_seen() -> None:
    """In the words of the finding."""
    found = Findings({AWS: {"TlsOnly": Seen(NEVER, "lets through reading")}})
    assert compose(policy("TlsOnly"), policy(), found).left_out == {"TlsOnly": "aws: never applies (lets through reading)"}


def test_what_cannot_be_tried_again_stays_as_it_was() -> None:
    """The older finding counts where the newer one is none."""
    older = findings({"A": WORKS, "B": NEVER, "C": WORKS})
    newer = findings({"A": Effect.UNTRIED, "B": WORKS, "D": Effect.UNTRIED})
    assert newer.over(older) == findings({"A": WORKS, "B": WORKS, "D": Effect.UNTRIED})


def test_findings_survive_json() -> None:
    """As they were."""
    found = Findings({AWS: {"A": Seen(WORKS), "B": Seen(SHUT, "refuses reading")}, PORTABLE: {}})
    assert findings_from(found.as_dict()) == found


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "works",
        {"aws": []},
        {"aws": {"A": "works"}},
        {"aws": {"A": {"effect": "well"}}},
        {"aws": {"A": {"effect": "works"}}},
    ],
    ids=["no JSON", "list", "text", "list of a dialect", "bare effect", "unknown effect", "no how"],
)
def test_what_is_no_finding_is_refused(content: Any) -> None:
    """In one line, with what to do."""
    with pytest.raises(StoreError) as caught:
        findings_from(content)
    assert caught.value.hint
