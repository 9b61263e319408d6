"""What is exported, as values: names as they are documented, nothing dropped, nothing that breaks out of its document."""

import json
from typing import Any

import pytest

from reconciler.adapters import documents
from reconciler.core.documents import DEFAULTS, fill, rule_prefix
from reconciler.core.exports.bucket import BucketExport, Identity, conditions, reworded
from reconciler.core.exports.cloudformation import cloudformation
from reconciler.core.exports.kubernetes import kubernetes
from reconciler.core.exports.running import Running, check_cron, queue_url, weekdays
from reconciler.core.exports.schedule import aws_cron, lambda_schedule
from reconciler.core.exports.systemd import calendar, systemd
from reconciler.core.exports.terraform import literal, terraform
from reconciler.core.wanted import for_destination
from reconciler.errors import SettingsError

ROLE = "arn:aws:iam::123456789012:role/service/web"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:events"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:events"
VALUES: dict[str, Any] = {
    **DEFAULTS,
    "bucket": "photos",
    "prefix": "uploads/",
    "rule": rule_prefix("uploads/"),
    "lifecycle_days": 7,
    "noncurrent_days": 30,
    "url_life_ms": "900000",
    "origin": ["https://www.example.com", "https://example.com"],
    **dict.fromkeys(("presigner", "completer", "reconciler", "tagger"), ROLE),
}


def filled(name: str) -> Any:
    return fill(documents.load(name), VALUES)


def wanted(**given: Any) -> BucketExport:
    """Everything there is, of a bucket that keeps versions."""
    values = {
        "lifecycle": filled("lifecycle-versioned")["Rules"],
        "policy": filled("bucket-policy"),
        "cors": filled("cors")["CORSRules"],
        "notifications": notifications_to(QUEUE),
        "versioned": True,
        "identities": (Identity(name="completer", purpose="completes", document=filled("iam-completer"), arns=(ROLE,)),),
    }
    return BucketExport(bucket="photos", prefix="uploads/", **{**values, **given})


def notifications_to(target: str) -> Any:
    values = {"notify": target, "prefix": "uploads/", "rule": rule_prefix("uploads/")}
    return fill(for_destination(documents.load("notifications"), target), values)


def running(**given: Any) -> Running:
    values = {"environment": {"RECONCILER_BUCKET": "photos"}, "sweep_at": "0 2 * * *", "full_at": "0 4 * * 0"}
    return Running(**{**values, **given})


# Terraform: the arguments that the provider's documentation names, by resource and block

ARGUMENTS: dict[str, set[str]] = {
    "aws_s3_bucket_lifecycle_configuration": {"bucket", "rule", "transition_default_minimum_object_size", "depends_on"},
    "aws_s3_bucket_policy": {"bucket", "policy", "depends_on"},
    "aws_s3_bucket_cors_configuration": {"bucket", "cors_rule"},
    "aws_s3_bucket_notification": {"bucket", "eventbridge", "lambda_function", "queue", "topic"},
    "aws_s3_bucket_public_access_block": {
        "bucket",
        "block_public_acls",
        "block_public_policy",
        "ignore_public_acls",
        "restrict_public_buckets",
    },
    "aws_s3_bucket_ownership_controls": {"bucket", "rule"},
    "aws_s3_bucket_versioning": {"bucket", "versioning_configuration", "mfa"},
    "aws_iam_policy": {"//", "name", "description", "policy", "path", "tags"},
}
BLOCKS: dict[str, set[str]] = {
    "aws_s3_bucket_lifecycle_configuration/rule": {
        "abort_incomplete_multipart_upload",
        "expiration",
        "filter",
        "id",
        "noncurrent_version_expiration",
        "noncurrent_version_transition",
        "status",
        "transition",
    },
    "aws_s3_bucket_lifecycle_configuration/rule/abort_incomplete_multipart_upload": {"days_after_initiation"},
    "aws_s3_bucket_lifecycle_configuration/rule/expiration": {"date", "days", "expired_object_delete_marker"},
    "aws_s3_bucket_lifecycle_configuration/rule/noncurrent_version_expiration": {"newer_noncurrent_versions", "noncurrent_days"},
    "aws_s3_bucket_lifecycle_configuration/rule/filter": {
        "and",
        "object_size_greater_than",
        "object_size_less_than",
        "prefix",
        "tag",
    },
    "aws_s3_bucket_lifecycle_configuration/rule/filter/tag": {"key", "value"},
    "aws_s3_bucket_lifecycle_configuration/rule/filter/and": {
        "object_size_greater_than",
        "object_size_less_than",
        "prefix",
        "tags",
    },
    "aws_s3_bucket_cors_configuration/cors_rule": {
        "allowed_headers",
        "allowed_methods",
        "allowed_origins",
        "expose_headers",
        "id",
        "max_age_seconds",
    },
    "aws_s3_bucket_notification/queue": {"events", "filter_prefix", "filter_suffix", "id", "queue_arn"},
    "aws_s3_bucket_notification/topic": {"events", "filter_prefix", "filter_suffix", "id", "topic_arn"},
    "aws_s3_bucket_ownership_controls/rule": {"object_ownership"},
    "aws_s3_bucket_versioning/versioning_configuration": {"status", "mfa_delete"},
}
MAPS = {"aws_s3_bucket_lifecycle_configuration/rule/filter/and/tags"}  # of the user's own names


def misnamed(document: dict[str, Any]) -> list[str]:
    """Return where a document has a name that the provider does not document."""
    found: list[str] = []

    def walk(place: str, value: Any, known: set[str]) -> None:
        for each in value if isinstance(value, list) else [value]:
            for name, inner in each.items() if isinstance(each, dict) else ():
                found.extend([f"{place}/{name}"] if name not in known else [])
                if isinstance(inner, dict | list) and f"{place}/{name}" not in MAPS and name != "depends_on":
                    walk(f"{place}/{name}", inner, BLOCKS.get(f"{place}/{name}", set()))

    for kind, resources in document["resource"].items():
        for body in resources.values():
            walk(kind, body, ARGUMENTS[kind])
    return found


RULES: dict[str, Any] = {
    "size": {"ID": "a", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 5}, "Expiration": {"Days": 1}},
    "tag alone": {"ID": "a", "Status": "Enabled", "Filter": {"Tag": {"Key": "a", "Value": "${b}"}}, "Expiration": {"Days": 1}},
    "everything": {"ID": "a", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Date": "2030-01-01"}},
    "newest kept": {
        "ID": "a",
        "Status": "Enabled",
        "Filter": {"Prefix": "p/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
}
VARIANTS: dict[str, BucketExport] = {
    "everything": wanted(),
    "the least": wanted(policy=None, cors=None, notifications=None, versioned=False, identities=()),
    "a topic": wanted(notifications=notifications_to(TOPIC)),
    "eventbridge": wanted(notifications=notifications_to("eventbridge")),
    "unversioned": wanted(versioned=False, lifecycle=filled("lifecycle")["Rules"]),
    **{f"a rule by {name}": wanted(lifecycle=[rule]) for name, rule in RULES.items()},
}


@pytest.mark.parametrize("export", VARIANTS.values(), ids=VARIANTS)
def test_terraform_names_only_what_is_documented(export: BucketExport) -> None:
    """Every argument, block by block; and the document is JSON that reads back."""
    document = terraform(export)
    assert misnamed(document) == []
    assert json.loads(json.dumps(document)) == document


def test_terraform_warns_that_it_owns_the_whole_configuration() -> None:
    """In a comment, as Terraform's JSON syntax has them."""
    assert "must be merged" in terraform(wanted())["//"]


def test_terraform_leaves_out_what_is_not_wanted() -> None:
    """Versioning, policy, CORS, notifications, roles."""
    assert set(terraform(VARIANTS["the least"])["resource"]) == {
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_lifecycle_configuration",
    }


def test_terraform_says_the_pending_rule_as_it_is() -> None:
    """Prefix and tag under `and`, so that neither alone expires anything."""
    rule, *_ = terraform(wanted())["resource"]["aws_s3_bucket_lifecycle_configuration"]["reconciler"]["rule"]
    assert rule == {
        "id": "reconciler:uploads/:pending",
        "status": "Enabled",
        "filter": {"and": {"prefix": "uploads/", "tags": {"status": "pending"}}},
        "expiration": {"days": 7},
    }


def test_terraform_reads_no_template_into_the_policy() -> None:
    """A policy variable stays one; the text reads back as the document."""
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "A", "Resource": "arn:aws:s3:::photos/${aws:username}/%{a}"}]}
    text = terraform(wanted(policy=policy))["resource"]["aws_s3_bucket_policy"]["reconciler"]["policy"]
    assert "$${aws:username}" in text
    assert json.loads(text.replace("$${", "${").replace("%%{", "%{")) == policy


@pytest.mark.parametrize(("value", "written"), [("a$b", "a$b"), ("${a}", "$${a}"), (["%{a}"], ["%%{a}"]), (7, 7), (True, True)])
def test_a_template_is_taken_as_it_is(value: Any, written: Any) -> None:
    """Only what would begin one is doubled."""
    assert literal(value) == written


# CloudFormation (cfn-lint reads it in the integration tests)


def test_cloudformation_keeps_the_bucket() -> None:
    """When the stack is deleted, and when a property can only be changed by making another bucket."""
    bucket = cloudformation(wanted())["Resources"]["Bucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_cloudformation_says_each_event_alone() -> None:
    """A configuration of theirs names one event."""
    found = cloudformation(wanted())["Resources"]["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert [each["Event"] for each in found] == list(notifications_to(QUEUE)["QueueConfigurations"][0]["Events"])
    assert {json.dumps(each["Filter"]) for each in found} == {
        json.dumps({"S3Key": {"Rules": [{"Name": "prefix", "Value": "uploads/"}]}})
    }


def test_cloudformation_attaches_to_roles_and_users_by_name() -> None:
    """The last part of their ARN, path or not."""
    identity = Identity(name="x", purpose="p", document={}, arns=(ROLE, "arn:aws:iam::123456789012:user/ops"))
    properties = cloudformation(wanted(identities=(identity,)))["Resources"]["XPolicy"]["Properties"]
    assert (properties["Roles"], properties["Users"]) == (["web"], ["ops"])


@pytest.mark.parametrize("build", [terraform, cloudformation])
@pytest.mark.parametrize(
    "rule",
    [
        {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": []},
        {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "", "Owner": "x"}},
        {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Weeks": 1}},
    ],
    ids=["action", "filter", "expiration"],
)
def test_what_has_no_word_is_refused(build: Any, rule: Any) -> None:
    """And never dropped: a rule without one of its conditions would be another rule."""
    with pytest.raises(SettingsError, match="no word"):
        build(wanted(lifecycle=[rule]))


def test_conditions_are_told_flat() -> None:
    """Whether they stand under `And` or alone."""
    tag = {"Key": "a", "Value": "b"}
    assert conditions({"Filter": {"And": {"Prefix": "p", "Tags": [tag]}}}) == {"Prefix": "p", "Tags": [tag]}
    assert conditions({"Filter": {"Tag": tag}}) == {"Tags": [tag]}
    assert conditions({}) == {}


def test_rewording_keeps_the_order() -> None:
    """Of what is given."""
    assert list(reworded({"b": 1, "a": 2}, {"a": "x", "b": "y"}, what="it")) == ["y", "x"]


# When


@pytest.mark.parametrize(
    ("line", "at_systemd", "at_aws"),
    [
        ("0 2 * * *", "*-*-* 02:00:00 UTC", "cron(0 2 * * ? *)"),
        ("5 */6 * * 1-5", "Mon,Tue,Wed,Thu,Fri *-*-* 00/6:05:00 UTC", "cron(5 */6 ? * 2,3,4,5,6 *)"),
        ("0 4 * * 0", "Sun *-*-* 04:00:00 UTC", "cron(0 4 ? * 1 *)"),
        ("0 4 * * 5-7", "Sun,Fri,Sat *-*-* 04:00:00 UTC", "cron(0 4 ? * 1,6,7 *)"),
        ("*/15 2-4 1,15 */2 *", "*-01/2-01,15 02..04:00/15:00 UTC", "cron(*/15 2-4 1,15 */2 ? *)"),
    ],
)
def test_a_cron_line_is_said_in_each_dialect(line: str, at_systemd: str, at_aws: str) -> None:
    """In one days have names, in another they are counted from one."""
    assert (calendar(line), aws_cron(line)) == (at_systemd, at_aws)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "daily",
        "@daily",
        "0 2 * *",
        "0 2 * * * *",
        "60 2 * * *",
        "0 24 * * *",
        "0 2 0 * *",
        "0 2 * 13 *",
        "0 2 * * 8",
        "0 2 * * MON",
        "0  2 * * *",
        "0 2 1 * 1",
        "5-1 2 * * *",
        "*/0 2 * * *",
        "0 2 * * *\n",
        "0 2 * * *; rm",
        "\u0660 2 * * *",
    ],
)
def test_what_is_no_cron_line_is_refused(line: str) -> None:
    """With an example."""
    with pytest.raises(SettingsError) as caught:
        check_cron(line)
    assert caught.value.hint


def test_days_of_the_week_are_counted_once() -> None:
    """Seven is Sunday as well."""
    assert (weekdays("0,7"), weekdays("*/3"), weekdays("1-5/2")) == ([0], [0, 3, 6], [1, 3, 5])


@pytest.mark.parametrize(
    ("arn", "url"),
    [
        (QUEUE, "https://sqs.eu-west-1.amazonaws.com/123456789012/events"),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:q", "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q"),
        (TOPIC, None),
        ("eventbridge", None),
        (None, None),
    ],
)
def test_a_queue_has_an_address(arn: str | None, url: str | None) -> None:
    """And nothing else has."""
    assert queue_url(arn) == url


# Kubernetes


def pods(document: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for item in document["items"]:
        spec = item["spec"]
        found.append((spec["jobTemplate"]["spec"] if item["kind"] == "CronJob" else spec)["template"]["spec"])
    return found


WATCHED = running(queue_url="https://sqs.eu-west-1.amazonaws.com/1/q")


def test_cronjobs_do_not_pile_up_and_are_not_tried_again() -> None:
    """Forbid, a starting deadline, and no retry of a run that failed."""
    jobs = [item["spec"] for item in kubernetes(WATCHED, image="i", secret="s")["items"] if item["kind"] == "CronJob"]
    assert [job["concurrencyPolicy"] for job in jobs] == ["Forbid", "Forbid"]
    assert all(job["startingDeadlineSeconds"] and job["jobTemplate"]["spec"]["backoffLimit"] == 0 for job in jobs)


def test_no_pod_may_do_what_it_need_not() -> None:
    """Not root, nothing to write to, no rights to gain."""
    for pod in pods(kubernetes(WATCHED, image="i", secret="s")):
        (container,) = pod["containers"]
        rights = container["securityContext"]
        assert (pod["securityContext"]["runAsNonRoot"], rights["readOnlyRootFilesystem"]) == (True, True)
        assert (rights["allowPrivilegeEscalation"], rights["capabilities"]) == (False, {"drop": ["ALL"]})


def test_the_table_comes_from_a_secret_and_the_journal_goes_to_the_log() -> None:
    """In each pod."""
    for pod in pods(kubernetes(WATCHED, image="i", secret="s")):
        env = {each["name"]: each for each in pod["containers"][0]["env"]}
        assert env["RECONCILER_TABLE_URL"]["valueFrom"] == {"secretKeyRef": {"name": "s", "key": "RECONCILER_TABLE_URL"}}
        assert env["RECONCILER_JOURNAL"]["value"] == "-"


def test_a_dollar_is_no_variable_to_kubernetes() -> None:
    """`$(NAME)` would be one."""
    found = kubernetes(running(environment={"A": "$(HOME)"}), image="i", secret="s")
    assert {"name": "A", "value": "$$(HOME)"} in pods(found)[0]["containers"][0]["env"]


@pytest.mark.parametrize(
    ("look", "command"), [(False, ["apply", "--yes", "--fail-on-report"]), (True, ["plan", "--fail-on-report"])]
)
def test_the_full_run_may_only_look(command: list[str], *, look: bool) -> None:
    """Then it plans and writes nothing."""
    assert pods(kubernetes(running(look=look), image="i", secret="s"))[1]["containers"][0]["args"] == ["--quiet", *command]


def test_watch_runs_where_a_queue_is_known() -> None:
    """As a Deployment whose health is asked for; as a service; and nowhere else."""
    kinds = [item["kind"] for item in kubernetes(WATCHED, image="i", secret="s")["items"]]
    assert kinds == ["CronJob", "CronJob", "Deployment"]
    assert "reconciler-watch.service" in systemd(WATCHED, program="/r", environment_file="/e")
    assert "reconciler-watch.service" not in systemd(running(), program="/r", environment_file="/e")


# systemd


def unit(name: str = "reconciler-sweep.service", **given: Any) -> list[str]:
    program = given.pop("program", "/srv/app/reconcile")
    return systemd(running(**given), program=program, environment_file="/etc/reconciler/environment")[name].splitlines()


def test_a_missed_run_is_made_up_for() -> None:
    """And many machines do not begin at once."""
    lines = unit("reconciler-full.timer")
    assert {"Persistent=true", "RandomizedDelaySec=10m", "OnCalendar=Sun *-*-* 04:00:00 UTC"} <= set(lines)


def test_the_service_ends_and_has_few_rights() -> None:
    """A oneshot of a user that exists while it runs."""
    assert {"Type=oneshot", "DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"} <= set(unit())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("up'loads/", "up'loads/"),
        ("100%h", "100%%h"),
        ('a"b\\c', 'a\\"b\\\\c'),
        ("$HOME", "$HOME"),
        ("a b", "a b"),
        ("é", "é"),
    ],
)
def test_a_setting_stays_itself_in_a_unit(value: str, written: str) -> None:
    """No specifier, no end of the quotes, no second word; a dollar sign means nothing in Environment=."""
    assert f'Environment="RECONCILER_PREFIX={written}"' in unit(environment={"RECONCILER_PREFIX": value})


def test_a_program_stays_itself_in_a_unit() -> None:
    """There a dollar sign would be a variable."""
    assert any(line.startswith('ExecStart="/srv/$$a %%h\\"/reconcile" ') for line in unit(program='/srv/$a %h"/reconcile'))


@pytest.mark.parametrize("value", ["a\nExecStartPre=/bin/true", "a\r", "a\x00", "a\u2028b"])
def test_a_line_break_is_refused_in_a_unit(value: str) -> None:
    """In a setting and in a path."""
    with pytest.raises(SettingsError, match="line break"):
        unit(environment={"RECONCILER_PREFIX": value})
    with pytest.raises(SettingsError, match="line break"):
        unit(program=value)


# Lambda


def test_the_table_is_shown_to_nobody() -> None:
    """CloudFormation takes it as a parameter that it does not echo."""
    template = lambda_schedule(running())
    assert template["Parameters"]["TableUrl"]["NoEcho"] is True
    variables = template["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["RECONCILER_TABLE_URL"] == {"Ref": "TableUrl"}


def test_one_function_runs_at_a_time_and_is_not_tried_again() -> None:
    """By the schedule, that is."""
    resources = lambda_schedule(running())["Resources"]
    assert resources["Function"]["Properties"]["ReservedConcurrentExecutions"] == 1
    for name, run in (("SweepSchedule", "sweep"), ("FullSchedule", "apply")):
        target = resources[name]["Properties"]["Target"]
        assert (json.loads(target["Input"]), target["RetryPolicy"]) == ({"run": run}, {"MaximumRetryAttempts": 0})
