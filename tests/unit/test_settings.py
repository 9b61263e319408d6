"""Settings from the environment: every wrong one gets one line that says which, what, and what would be right."""

import traceback
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.guards import Limits
from reconciler.core.timing import Timing
from reconciler.errors import SettingsError
from reconciler.setting_types import parse_duration
from reconciler.settings import Settings, load_settings

BUCKET = "photos"


@pytest.fixture(autouse=True)
def _bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_BUCKET", BUCKET)


def test_only_the_bucket_must_be_set() -> None:
    """Everything else has a default, and the defaults are the safe timing."""
    settings = load_settings()
    assert (settings.bucket, settings.prefix, settings.timing()) == (BUCKET, "uploads/", Timing())


def test_a_missing_bucket_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the variable."""
    monkeypatch.delenv("RECONCILER_BUCKET")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == "RECONCILER_BUCKET is not set"


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        pytest.param("BUCKET", "ab", "at least 3 characters", id="bucket-too-short"),
        pytest.param("BUCKET", "b" * 64, "at most 63 characters", id="bucket-too-long"),
        pytest.param("PREFIX", "uploads", "ending with a slash", id="prefix-without-slash"),
        pytest.param("PREFIX", "/uploads/", "such as uploads/", id="prefix-with-leading-slash"),
        pytest.param("PREFIX", "/", "such as uploads/", id="prefix-slash"),
        pytest.param("PREFIX", "a//b/", "such as uploads/", id="prefix-empty-part"),
        pytest.param("PREFIX", "../a/", "such as uploads/", id="prefix-dots"),
        pytest.param("PREFIX", "a b/", "such as uploads/", id="prefix-blank"),
        pytest.param("PREFIX", "${x}/", "such as uploads/", id="prefix-placeholder"),
        pytest.param("URL_LIFE", "2h", "at most 1h", id="url-life-too-long"),
        pytest.param("URL_LIFE", "0", "at least 1m", id="url-life-zero"),
        pytest.param("URL_LIFE", "900", "such as 15m", id="url-life-without-unit"),
        pytest.param("RETENTION", "soon", "such as 15m", id="retention-words"),
        pytest.param("RETENTION", "-1d", "such as 15m", id="retention-negative"),
        pytest.param("RETENTION", "9" * 30 + "d", "too long", id="retention-overflow"),
        pytest.param("SWEEP_INTERVAL", "30s", "at least 1m", id="sweep-interval-too-short"),
        pytest.param("LIFECYCLE_DAYS", "-1", "greater than or equal to 1", id="lifecycle-days-negative"),
        pytest.param("LIFECYCLE_DAYS", "1.5", "integer", id="lifecycle-days-fraction"),
        pytest.param("NONCURRENT_DAYS", "0", "greater than or equal to 1", id="noncurrent-days-zero"),
        pytest.param("MAX_SIZE", "6GiB", "1 byte to 5GiB", id="max-size-too-large"),
        pytest.param("MAX_SIZE", "0", "1 byte to 5GiB", id="max-size-zero"),
        pytest.param("MAX_SIZE", "lots", "such as 20MiB", id="max-size-words"),
        pytest.param("CONTENT_TYPES", '["image"]', "such as image/jpeg,image/png", id="content-types-no-type"),
        pytest.param("CONTENT_TYPES", "[]", "such as image/jpeg,image/png", id="content-types-none"),
        pytest.param("CONTENT_TYPES", "image", "such as image/jpeg,image/png", id="content-types-no-list"),
        pytest.param("WORKERS", "0", "greater than or equal to 1", id="workers-none"),
        pytest.param("WORKERS", "65", "less than or equal to 64", id="workers-too-many"),
        pytest.param("ACCELERATE", "perhaps", "boolean", id="accelerate-no-boolean"),
    ],
)
def test_a_bad_setting_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, right: str) -> None:
    """It names the variable, shows the value, and says what would be right."""
    monkeypatch.setenv(f"RECONCILER_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = caught.value.message
    assert "\n" not in message
    assert message.startswith(f"RECONCILER_{name} is ")
    assert value.strip('[]"') in message
    assert right in message
    assert message.count("RECONCILER_") == 1


def test_every_bad_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only the first one."""
    monkeypatch.setenv("RECONCILER_PREFIX", "uploads")
    monkeypatch.setenv("RECONCILER_WORKERS", "0")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [part.split()[0] for part in caught.value.message.split("; ")] == ["RECONCILER_PREFIX", "RECONCILER_WORKERS"]


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """As compose files write it."""
    monkeypatch.setenv("RECONCILER_PREFIX", "")
    assert load_settings().prefix == "uploads/"


def test_types_and_sizes_are_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Media types in lower case, sizes in bytes."""
    monkeypatch.setenv("RECONCILER_CONTENT_TYPES", '["IMAGE/PNG ", "image/png"]')
    monkeypatch.setenv("RECONCILER_MAX_SIZE", "1MiB")
    allowed = load_settings().allowed()
    assert (allowed.content_types, allowed.max_size) == (frozenset({"image/png"}), 1024**2)


def test_durations_become_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting reaches the grace period of its name."""
    wanted = Timing(
        url_life=timedelta(minutes=1),
        slowest_transfer=timedelta(minutes=2),
        skew=timedelta(minutes=3),
        retention=timedelta(minutes=4),
        release_grace=timedelta(0),
        sweep_interval=timedelta(minutes=6),
        lifecycle_days=8,
        noncurrent_days=9,
        plan_life=timedelta(minutes=7),
    )
    spans = {"URL_LIFE": "1m", "SLOWEST_TRANSFER": "2m", "SKEW": "3m", "RETENTION": "4m", "RELEASE_GRACE": "0"}
    days = {"SWEEP_INTERVAL": "6m", "LIFECYCLE_DAYS": "8", "NONCURRENT_DAYS": "9", "PLAN_LIFE": "7m"}
    for name, value in (spans | days).items():
        monkeypatch.setenv(f"RECONCILER_{name}", value)
    assert load_settings().timing() == wanted


def test_credentials_are_no_settings_of_ours() -> None:
    """They are botocore's own business."""
    named = [name for name in Settings.model_fields if "secret" in name or "password" in name or "access_key" in name]
    assert named == ["webhook_secret"]  # which is nobody's but reconciler's


# The secret


SECRET = "correct-horse.battery_staple~9"


def test_the_secret_is_read_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who asks for its value gets it."""
    monkeypatch.setenv("RECONCILER_WEBHOOK_SECRET", SECRET)
    settings = load_settings()
    assert settings.webhook_secret is not None
    assert settings.webhook_secret.get_secret_value() == SECRET
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    "value",
    ["short-one", "sixteen characters", "a+b/c=d&e?f#g%20h", "correct-horse-battery-stäple", "correct-horse-battery\nstaple"],
)
def test_a_bad_secret_is_told_without_showing_it(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """In one line, which says how to make a good one; nor does the trace hold it."""
    monkeypatch.setenv("RECONCILER_WEBHOOK_SECRET", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message.startswith("RECONCILER_WEBHOOK_SECRET must be at least 16 letters, digits and -._~")
    assert value not in "".join(traceback.format_exception(caught.value))


def test_no_trace_shows_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database's password may stand in any of them."""
    monkeypatch.setenv("RECONCILER_WORKERS", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value.__cause__))


def test_limits_carry_the_operators_word() -> None:
    """And are the usual ones otherwise."""
    assert load_settings().limits(7) == Limits(max_delete=7)
    assert load_settings().limits() == Limits()


# Durations


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("90s", timedelta(seconds=90)),
        (" 1H ", timedelta(hours=1)),
        ("0", timedelta()),
        (timedelta(seconds=1), timedelta(seconds=1)),
    ],
    ids=str,
)
def test_a_duration_is_parsed(text: str, span: timedelta) -> None:
    """Numbers with units, one after the other."""
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "1.5h", "-1h", "1h-", "1y", "PT1H", "1h30", None, 15, True], ids=str)
def test_anything_else_is_no_duration(text: object) -> None:
    """What has no unit could mean anything."""
    with pytest.raises(ValueError, match="such as 15m"):
        parse_duration(text)


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(sorted(UNITS))), min_size=1, max_size=5))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    """In any order, also repeated."""
    text = "".join(f"{count}{unit}" for count, unit in parts)
    assert parse_duration(text) == timedelta(seconds=sum(count * UNITS[unit] for count, unit in parts))


@given(st.text() | st.from_regex(r"\d+[smhdw]", fullmatch=True))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    """Nothing else is ever raised."""
    with suppress(ValueError):
        assert parse_duration(text) >= timedelta()
