"""Completeness: every reason in words, every action shown and carried out."""

from collections import Counter
from typing import get_args

import pytest
from unit.builders import KEY, facts, plan

from reconciler.applier import ORDER
from reconciler.cli import render
from reconciler.cli.render import MARKS
from reconciler.cli.words import WHY
from reconciler.core.actions import Deletion, Facts, Planned, Reason, Report, Writing
from reconciler.core.decide import TABLE

PLANNED = get_args(Planned)


def test_every_reason_has_words() -> None:
    """And no word is left over."""
    assert set(WHY) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_the_words_are_a_sentence(reason: Reason) -> None:
    """They end with a full stop, for people."""
    assert WHY[reason].endswith(".")


def test_every_planned_action_has_a_mark() -> None:
    """And no mark is left over."""
    assert set(MARKS) == {kind(key=KEY, reason=Reason.ABANDONED, facts=facts()).kind for kind in PLANNED}


@pytest.mark.parametrize("kind", PLANNED, ids=lambda kind: kind.__name__)
def test_every_planned_action_is_rendered(kind: type[Planned], capsys: pytest.CaptureFixture[str]) -> None:
    """In a table that names its key and reason."""
    render.plan(plan(kind(key=KEY, reason=Reason.ABANDONED, facts=facts())), "table")
    shown = capsys.readouterr().out
    assert KEY in shown
    assert "abandoned" in shown


def test_every_writing_action_is_carried_out_once() -> None:
    """The applier's order holds each kind exactly once."""
    assert Counter(ORDER) == Counter(get_args(Writing))


def test_deletions_come_after_harmless_work() -> None:
    """Only forgetting comes later."""
    deletions = [place for place, kind in enumerate(ORDER) if kind in get_args(Deletion)]
    assert [kind.__name__ for kind in ORDER[max(deletions) + 1 :]] == ["Forget"]
    assert deletions == list(range(min(deletions), max(deletions) + 1))


def test_kinds_are_named_once() -> None:
    """A plan file tells actions apart by their kind."""
    kinds = [kind(key=KEY, reason=Reason.ABANDONED, facts=facts()).kind for kind in PLANNED]
    assert len(set(kinds)) == len(kinds) == len(get_args(Writing)) + 1
    assert Report in PLANNED


def test_every_planned_kind_can_be_decided() -> None:
    """No action exists that nothing leads to."""
    decided = {rung.action for rung in TABLE}
    assert {kind.__name__ for kind in PLANNED if kind not in decided} == set()


def test_facts_of_nothing_name_no_object() -> None:
    """Absent is absent, whatever the tag."""
    found = Facts.of(None, None, tag=facts().tag, now=facts().seen_at)
    assert (found.status, found.present, found.etag, found.size, found.last_modified) == (None, False, None, None, None)
