"""`reconcile export` as a team meets it that installs by code: from the settings alone, checked by the tools those teams use."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint_all
from cli_support import invoke, one_line

from reconciler.cli.exporting import export

ACCOUNT = "arn:aws:iam::123456789012"
ROLES = {
    "PRESIGNER_ROLES": f"{ACCOUNT}:role/service/web",
    "COMPLETER_ROLES": f"{ACCOUNT}:role/service/web,{ACCOUNT}:role/worker",
    "RECONCILER_ROLES": f"{ACCOUNT}:role/ops",
}
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:events"
EVERYTHING = {
    **ROLES,
    "ORIGINS": "https://www.example.com https://example.com",
    "NOTIFY": QUEUE,
    "TAGGER_ROLES": f"{ACCOUNT}:role/scan",
}
SETTINGS: dict[str, dict[str, str]] = {
    "everything": EVERYTHING,
    "the least": {},
    "a topic": {**EVERYTHING, "NOTIFY": "arn:aws:sns:eu-west-1:123456789012:events"},
    "eventbridge": {**ROLES, "NOTIFY": "eventbridge"},
    "an odd prefix": {**EVERYTHING, "PREFIX": "up'loads!(1)/a.b_c/"},
    "no roles": {"ORIGINS": "http://localhost:3000"},
    "other times": {**EVERYTHING, "RETENTION": "2d", "LIFECYCLE_DAYS": "30", "NONCURRENT_DAYS": "90"},
}
FORMATS: dict[str, list[str]] = {
    "terraform": ["terraform"],
    "cloudformation": ["cloudformation"],
    "cronjob": ["cronjob", "--image", "registry.example.com/reconciler:0.1.0"],
    "systemd": ["systemd", "--program", "/bin/true"],
    "lambda-schedule": ["lambda-schedule"],
}
RUNNING = ("cronjob", "systemd", "lambda-schedule")
SECRET = "postgresql://app:hunter2@db.internal/app"


@pytest.fixture(autouse=True)
def _bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_BUCKET", "photos")


def given(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"RECONCILER_{name}", value)


def exported(*args: object) -> str:
    """Export, and insist that it exits with 0."""
    result = invoke("export", *args)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


# What the tools say


def found(template: str) -> list[str]:
    """What `cfn-lint` prints of a template: errors and warnings, and not what it is merely informed of."""
    return [str(match) for match in lint_all(template) if not match.rule.id.startswith("I")]


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("versioned", [[], ["--versioned"]], ids=["plain", "versioned"])
def test_cfn_lint_finds_nothing(settings: dict[str, str], versioned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an error nor a warning in the bucket's template."""
    given(monkeypatch, settings)
    assert found(exported("cloudformation", *versioned)) == []


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("look", [[], ["--look"]], ids=["apply", "look"])
def test_cfn_lint_finds_nothing_in_the_schedule(
    settings: dict[str, str], look: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an error nor a warning in the function's template."""
    given(monkeypatch, settings)
    assert found(exported("lambda-schedule", *look, "--full-at", "30 3 * * 1-5")) == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_systemd_takes_the_units(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say of them."""
    given(monkeypatch, settings)
    folder = tmp_path / "units"
    exported("systemd", "--program", "/bin/true", "--sweep-at", "*/20 1-5 * * *", "--full-at", "0 4 * * 0,6", "-o", folder)
    units = sorted(folder.iterdir())
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert (said.returncode, [line for line in said.stderr.splitlines() if str(folder) in line or "reconciler" in line]) == (
        0,
        [],
    )


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_cronjobs_are_yaml_and_json(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readers see the same."""
    given(monkeypatch, settings)
    text = exported(*FORMATS["cronjob"])
    assert yaml.safe_load(text) == json.loads(text)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_terraform_is_json(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its policies are, too."""
    given(monkeypatch, settings)
    resources = json.loads(exported("terraform", "--versioned"))["resource"]
    for policy in resources.get("aws_s3_bucket_policy", {}).values():
        assert json.loads(policy["policy"])["Statement"]


# What the settings say


@pytest.mark.parametrize("name", ["terraform", "cloudformation"])
@pytest.mark.parametrize(
    ("missing", "part", "setting"),
    [
        ({"COMPLETER_ROLES"}, "the bucket policy", "RECONCILER_COMPLETER_ROLES is not set"),
        (
            {"PRESIGNER_ROLES", "RECONCILER_ROLES"},
            "the bucket policy",
            "RECONCILER_PRESIGNER_ROLES, RECONCILER_RECONCILER_ROLES are not",
        ),
        ({"ORIGINS"}, "CORS", "RECONCILER_ORIGINS is not set"),
        ({"NOTIFY"}, "notifications", "RECONCILER_NOTIFY is not set"),
    ],
)
def test_what_is_left_out_is_said(name: str, missing: set[str], part: str, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, with the setting's name; the document is printed all the same."""
    given(monkeypatch, {key: value for key, value in EVERYTHING.items() if key not in missing})
    result = invoke("export", name)
    assert (result.exit_code, json.loads(result.stdout) != {}) == (0, True)
    assert all(line.startswith("left out: ") for line in result.stderr.splitlines())
    assert f"left out: {part}; {setting}" in result.stderr


@pytest.mark.parametrize("name", ["terraform", "cloudformation"])
def test_with_every_setting_nothing_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data on stdout, and no talk."""
    given(monkeypatch, EVERYTHING)
    assert invoke("export", name).stderr == ""


@pytest.mark.parametrize("args", FORMATS.values(), ids=FORMATS)
def test_no_secret_is_exported(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the table's URL nor the cloud's credentials, wherever they are set."""
    given(monkeypatch, {**EVERYTHING, "TABLE_URL": SECRET})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    assert "hunter2" not in exported(*args)


@pytest.mark.parametrize("name", RUNNING)
def test_the_settings_that_are_set_are_handed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the environment has them, so that they read back as the same settings; the others keep their defaults."""
    given(
        monkeypatch,
        {"RETENTION": "1d12h", "MAX_SIZE": "5MiB", "ACCELERATE": "true", "CONTENT_TYPES": "image/png image/gif", **ROLES},
    )
    text = exported(*FORMATS[name])
    for value in ("129600s", "5242880", "True", "image/gif,image/png", f"{ACCOUNT}:role/service/web,{ACCOUNT}:role/worker"):
        assert value in text
    assert "RECONCILER_SLOWEST_TRANSFER" not in text


def test_a_versioned_bucket_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then are versions ended, and is versioning said at all."""
    given(monkeypatch, EVERYTHING)
    plain, versioned = exported("terraform"), exported("terraform", "--versioned")
    for word in ("aws_s3_bucket_versioning", "noncurrent_version_expiration"):
        assert (word in plain, word in versioned) == (False, True)


def test_unsafe_times_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As install does."""
    given(monkeypatch, {"LIFECYCLE_DAYS": "2"})
    assert "RECONCILER_LIFECYCLE_DAYS" in one_line(invoke("export", "terraform"))


# To a file


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "systemd"])
def test_it_goes_to_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same text, and nothing on stdout."""
    given(monkeypatch, EVERYTHING)
    file = tmp_path / "made" / "here.json"
    assert exported(*FORMATS[name], "-o", file) == ""
    assert file.read_text() == exported(*FORMATS[name])


def test_units_go_to_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each to its own file; on stdout each under its name."""
    given(monkeypatch, EVERYTHING)
    assert exported(*FORMATS["systemd"], "-o", tmp_path / "units") == ""
    written = {path.name: path.read_text() for path in (tmp_path / "units").iterdir()}
    assert set(written) == {
        *(f"reconciler-{job}.{kind}" for job in ("sweep", "full") for kind in ("service", "timer")),
        "reconciler-watch.service",
    }
    shown = exported(*FORMATS["systemd"])
    assert all(f"# {name}\n{text}" in shown for name, text in written.items())


# Bad input


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["cronjob", "--image", "a b"], "--image"),
        (["cronjob", "--image", "x\ny: z"], "--image"),
        (["cronjob", "--image", ""], "--image"),
        (["cronjob", "--image", "i", "--secret", "../x"], "--secret"),
        (["systemd", "--program", "reconcile"], "no absolute path"),
        (["systemd", "--program", "/bin/x\n[Install]"], "line break"),
        (["systemd", "--program", "/bin/x", "--environment-file", "env"], "no absolute path"),
        (["lambda-schedule", "--sweep-at", "daily"], "no cron line"),
        (["cronjob", "--image", "i", "--full-at", "0 2 * * MON"], "no cron line"),
        (["lambda-schedule", "-o", "/proc/nowhere/x.json"], "cannot be written"),
        (["systemd", "--program", "/bin/x", "-o", "/proc/nowhere"], "cannot be written"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(args: list[str], said: str) -> None:
    """And nothing is printed."""
    assert said in one_line(invoke("export", *args))


@pytest.mark.parametrize("args", [["cronjob"], ["nonsense"], ["terraform", "x"], ["cronjob", "--image", "i", "--at", "x"]])
def test_wrong_usage_is_wrong_usage(args: list[str]) -> None:
    """Exit code 2."""
    assert invoke("export", *args).exit_code == 2


@pytest.mark.parametrize("args", FORMATS.values(), ids=FORMATS)
def test_without_a_bucket_it_says_so(args: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.delenv("RECONCILER_BUCKET")
    assert "RECONCILER_BUCKET is not set" in one_line(invoke("export", *args))


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_explains_itself(name: str) -> None:
    """In a sentence, and each option in one, without any setting."""
    command: Any = export.commands[name]
    assert command.get_short_help_str(200).endswith((".", ")."))
    assert [each.name for each in command.params if not each.help.endswith(".")] == []


def test_export_alone_lists_the_formats() -> None:
    """Each with its sentence."""
    text = invoke("export", "--help").stdout
    assert all(name in text for name in FORMATS)
