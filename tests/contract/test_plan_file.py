"""Plan files: what is written is read, and nothing else is."""

import json
import stat
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.builders import KEY, deletion, plan, report

from reconciler.adapters.plan_file import read_plan, write_plan
from reconciler.core.actions import Facts, Planned, Reason
from reconciler.core.decide import Untracked
from reconciler.core.model import Status, Tag
from reconciler.core.plan import Finder, Plan, PlanOptions, Seen, Stopped
from reconciler.errors import PlanFileError

TIMES = st.datetimes(timezones=st.just(UTC))
COUNTS = st.integers(0, 10**12)
FACTS = st.builds(
    Facts,
    status=st.none() | st.sampled_from(Status),
    present=st.booleans(),
    tag=st.sampled_from(Tag),
    seen_at=TIMES,
    etag=st.none() | st.text(),
    size=st.none() | COUNTS,
    last_modified=st.none() | TIMES,
)
ACTIONS = st.one_of(
    [st.builds(kind, key=st.text(min_size=1), reason=st.sampled_from(Reason), facts=FACTS) for kind in get_args(Planned)]
)
PLANS = st.builds(
    Plan,
    id=st.text(),
    finder=st.sampled_from(Finder),
    instance_id=st.text(),
    bucket=st.text(),
    prefix=st.text(),
    created_at=TIMES,
    options=st.builds(
        PlanOptions,
        since=st.none() | TIMES,
        untracked=st.sampled_from(Untracked),
        tags=st.booleans(),
        accept_restored=st.booleans(),
    ),
    stopped=st.none() | st.builds(Stopped, after=st.text(min_size=1), why=st.text(min_size=1)),
    seen=st.builds(Seen, listed=COUNTS, tracked=COUNTS, rows=COUNTS, due=COUNTS),
    kept=COUNTS,
    complete=st.booleans(),
    actions=st.lists(ACTIONS, max_size=5, unique_by=lambda action: action.key).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(found=PLANS)
def test_a_plan_reads_back_as_it_was_written(tmp_path: Path, found: Plan) -> None:
    """Every action of its own kind, every fact, every time to the microsecond."""
    file = tmp_path / "plan.json"
    write_plan(found, file)
    assert read_plan(file) == found


@pytest.mark.parametrize("kind", get_args(Planned), ids=lambda kind: kind.__name__)
def test_an_action_reads_back_as_its_own_kind(tmp_path: Path, kind: Callable[..., Planned]) -> None:
    """Kinds differ in nothing but their name, so it is the name that counts."""
    action = kind(key=KEY, reason=Reason.ABANDONED, facts=deletion().facts)
    write_plan(plan(action), tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json").actions == (action,)


# Who may read it


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_plan_is_readable_by_its_user_alone(tmp_path: Path) -> None:
    """Keys are secrets of a kind: whoever knows one may know its URL."""
    write_plan(plan(), tmp_path / "plan.json")
    assert mode(tmp_path / "plan.json") == 0o600


def test_an_overwritten_plan_is_readable_by_its_user_alone(tmp_path: Path) -> None:
    """Also where a file lay there that everybody could read."""
    file = tmp_path / "plan.json"
    file.write_text("old")
    file.chmod(0o644)
    write_plan(plan(), file)
    assert mode(file) == 0o600


# What is no plan


def refused(file: Path) -> str:
    with pytest.raises(PlanFileError) as caught:
        read_plan(file)
    assert "\n" not in caught.value.message
    assert str(file) in caught.value.message
    return caught.value.message


def changed(file: Path, change: Callable[[Any], object]) -> Path:
    """Write a plan of one deletion, with something about it changed."""
    write_plan(plan(deletion(), report()), file)
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b"[]", b"{}", b"null", b'"plan"', b"\xff\xfe", b'{"version": 1}'],
    ids=["empty", "text", "list", "nothing", "null", "string", "bytes", "version-alone"],
)
def test_what_is_no_plan_is_one_line(tmp_path: Path, content: bytes) -> None:
    """It names the file."""
    file = tmp_path / "plan.json"
    file.write_bytes(content)
    refused(file)


def test_a_truncated_plan_is_refused(tmp_path: Path) -> None:
    """Wherever it breaks off."""
    file = tmp_path / "plan.json"
    write_plan(plan(deletion()), file)
    content = file.read_bytes().rstrip()
    for length in range(0, len(content), 50):
        file.write_bytes(content[:length])
        refused(file)


def test_a_plan_of_another_version_is_refused(tmp_path: Path) -> None:
    """It says that it is the version."""
    assert "version" in refused(changed(tmp_path / "plan.json", lambda content: content.update(version=2)))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda content: content["actions"][0].update(kind="delete-bucket"), id="unknown-kind"),
        pytest.param(lambda content: content["actions"][0].pop("kind"), id="no-kind"),
        pytest.param(lambda content: content["actions"][0].update(kind="keep"), id="kind-that-is-not-planned"),
        pytest.param(lambda content: content["actions"][0].update(reason="because"), id="unknown-reason"),
        pytest.param(lambda content: content["actions"][0].pop("key"), id="no-key"),
        pytest.param(lambda content: content["actions"][0].pop("facts"), id="no-facts"),
        pytest.param(lambda content: content["actions"][0]["facts"].update(tag="maybe"), id="unknown-tag"),
        pytest.param(lambda content: content["actions"][0]["facts"].update(seen_at="2026-11-22T12:00:00"), id="naive-vote"),
        pytest.param(lambda content: content.update(finder="crystal-ball"), id="unknown-finder"),
        pytest.param(lambda content: content.update(created_at="yesterday"), id="no-time"),
        pytest.param(lambda content: content.update(created_at="2026-11-22T12:00:00"), id="naive-time"),
        pytest.param(lambda content: content.pop("instance_id"), id="no-instance"),
        pytest.param(lambda content: content.pop("seen"), id="no-counts"),
    ],
)
def test_a_changed_plan_is_refused(tmp_path: Path, change: Callable[[Any], object]) -> None:
    """What this version would not write, it does not read."""
    refused(changed(tmp_path / "plan.json", change))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """As any other file that cannot be read."""
    assert refused(tmp_path / "plan.json").endswith("No such file or directory")


def test_a_plan_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """And says where."""
    with pytest.raises(PlanFileError, match="cannot be written"):
        write_plan(plan(), tmp_path / "absent" / "plan.json")
