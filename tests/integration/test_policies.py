"""The policy documents as AWS and a reviewer read them: well formed, least, and every line explained in policies/README.md."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import cli_support
import pytest
from cli_support import Desk, one_line

from reconciler.adapters import documents
from reconciler.core.documents import DEFAULTS, FROM_SETTINGS, ROLES, fill, placeholders, to_be_given
from reconciler.core.model import Tag

desk = cli_support.desk

BUCKET_POLICY_BYTES = 20_480  # Amazon S3 user guide, bucket policies
MANAGED_POLICY_CHARACTERS = 6_144  # IAM user guide, quotas; whitespace does not count
NAMES = documents.names()
IAM = [name for name in NAMES if name.startswith("iam-")]
POLICIES = [*IAM, "bucket-policy"]
README = (documents.folder() / "README.md").read_text(encoding="utf-8")
ACCOUNT = "arn:aws:iam::123456789012"
SAMPLES: dict[str, Any] = {
    "bucket": "photos",
    "prefix": "uploads/",
    "rule": "reconciler:uploads/:",
    "lifecycle_days": 7,
    "noncurrent_days": 30,
    "url_life_ms": "900000",
    "origin": "https://www.example.com",
    "presigner": f"{ACCOUNT}:role/service/web",
    "completer": f"{ACCOUNT}:role/service/api",
    "reconciler": f"{ACCOUNT}:role/ops",
    **DEFAULTS,
}
# Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
OBJECT_ACTIONS = {
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersion",
    "s3:DeleteObjectVersionTagging",
    "s3:GetObject",
    "s3:GetObjectTagging",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionTagging",
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionAcl",
    "s3:PutObjectVersionTagging",
}
BUCKET_ACTIONS = {
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:PutLifecycleConfiguration",
}
TAGGING = {"s3:PutObjectTagging", "s3:PutObjectVersionTagging"}
# The same reference: which actions fill in which condition key. S3 refuses a policy whose key fits none of its actions.
KEYS: dict[str, set[str]] = {
    "aws:SecureTransport": {"s3:*"},
    "aws:PrincipalArn": OBJECT_ACTIONS,
    "s3:signatureversion": {"s3:*"},
    "s3:signatureAge": OBJECT_ACTIONS,
    "s3:authType": OBJECT_ACTIONS,
    "s3:if-none-match": {"s3:PutObject"},
    "s3:ObjectCreationOperation": {"s3:PutObject"},
    "s3:RequestObjectTag/status": {"s3:PutObject", *TAGGING},
    "s3:ExistingObjectTag/status": TAGGING,
    "s3:prefix": {"s3:ListBucket", "s3:ListBucketVersions"},
    "s3:x-amz-copy-source": {"s3:PutObject"},
    "s3:x-amz-acl": {"s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
}
OPERATORS = {
    "ArnNotEquals",
    "Bool",
    "Null",
    "NumericGreaterThan",
    "StringEquals",
    "StringEqualsIfExists",
    "StringLike",
    "StringLikeIfExists",
    "StringNotEquals",
}


def filled(name: str, **values: Any) -> Any:
    return fill(documents.load(name), {**SAMPLES, **values})


def statements(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = filled(name)["Statement"]
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def keys(statement: dict[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """Yield operator, condition key and values."""
    for operator, conditions in statement.get("Condition", {}).items():
        for key, values in conditions.items():
            yield operator, key, listed(values)


# Shape


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_has_the_shape_that_aws_asks_for(name: str) -> None:
    """A version, statements with a Sid each, unlike any other, of letters and digits, and nothing that is no element."""
    document = filled(name)
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    elements = {"Sid", "Effect", "Action", "Resource", "Condition"} | ({"Principal"} if name == "bucket-policy" else set())
    assert all(statement.keys() <= elements for statement in document["Statement"])


def test_the_bucket_policy_denies_and_the_identity_documents_allow() -> None:
    """A principal stands in the bucket policy alone, in each of its statements."""
    assert {(statement["Effect"], statement["Principal"]) for statement in statements("bucket-policy")} == {("Deny", "*")}
    assert {statement["Effect"] for name in IAM for statement in statements(name)} == {"Allow"}


@pytest.mark.parametrize("name", POLICIES)
def test_actions_resources_and_conditions_are_real_and_fit(name: str) -> None:
    """Each action exists and applies to the kind of resource; each key is filled in for each of the statement's actions."""
    for statement in statements(name):
        actions = set(listed(statement["Action"]))
        of_objects = statement["Resource"].startswith("arn:aws:s3:::photos/uploads/")
        assert of_objects or statement["Resource"] == "arn:aws:s3:::photos"
        assert actions <= (OBJECT_ACTIONS | {"s3:*"} if of_objects else BUCKET_ACTIONS), statement["Sid"]
        for operator, key, _ in keys(statement):
            assert operator in OPERATORS
            assert actions <= KEYS[key], (statement["Sid"], key)


def test_no_identity_document_has_a_wildcard_for_actions() -> None:
    """Each right is named."""
    assert not [action for name in IAM for each in statements(name) for action in listed(each["Action"]) if "*" in action]


@pytest.mark.parametrize("name", POLICIES)
def test_the_statuses_named_are_those_there_are(name: str) -> None:
    """A misspelt tag would allow or deny nothing."""
    named = {value for each in statements(name) for _, key, values in keys(each) if key.endswith("/status") for value in values}
    assert named <= {tag.value for tag in Tag}


def test_nobody_but_the_installer_can_change_the_bucket() -> None:
    """And nobody at all deletes versions, or the policy."""
    actions = {name: {action for each in statements(name) for action in listed(each["Action"])} for name in IAM}
    assert [name for name in IAM if "s3:PutLifecycleConfiguration" in actions[name]] == ["iam-installer"]
    assert [name for name in IAM if "s3:DeleteObject" in actions[name]] == ["iam-reconciler"]
    assert not [action for found in actions.values() for action in found if "Policy" in action or "DeleteObjectV" in action]


def test_documents_fit_into_what_aws_takes() -> None:
    """Even with the longest bucket, prefix and role names, three roles of each kind."""
    role = f"{ACCOUNT}:role/{'p' * 200}/{'r' * 64}"
    several = {name: [f"{role}{number}" for number in range(3)] for name in ROLES}
    longest: dict[str, Any] = {"bucket": "b" * 63, "prefix": "p" * 99 + "/"}
    assert len(json.dumps(filled("bucket-policy", **longest, **several))) <= BUCKET_POLICY_BYTES
    for name in IAM:
        assert len(re.sub(r"\s", "", json.dumps(filled(name, **longest)))) <= MANAGED_POLICY_CHARACTERS


def test_one_role_for_everything_is_named_once() -> None:
    """A backend that presigns, completes and sweeps."""
    one = dict.fromkeys(ROLES, f"{ACCOUNT}:role/all")
    named = [values for each in filled("bucket-policy", **one)["Statement"] for _, key, values in keys(each) if "Arn" in key]
    assert {tuple(values) for values in named} == {(f"{ACCOUNT}:role/all",)}


# What AWS would decide: no server here evaluates all of these conditions, so the documented rules are applied by hand
# (IAM user guide, "Condition operators": a missing key fails a condition, but holds one that is negated or ends in IfExists).


def holds(operator: str, key: str, values: list[str], context: dict[str, str]) -> bool:
    if operator == "Null":
        return str(key not in context).lower() in values
    plain = operator.removesuffix("IfExists")
    if key not in context:
        return plain != operator or "Not" in plain
    match plain:
        case "StringEquals" | "Bool":
            return context[key] in values
        case "StringLike":
            return any(fnmatchcase(context[key], value) for value in values)
        case "StringNotEquals" | "ArnNotEquals":
            return context[key] not in values
        case "NumericGreaterThan":
            return float(context[key]) > float(values[0])
    raise NotImplementedError(operator)


def applying(name: str, action: str, context: dict[str, str], *, key: str = "uploads/2026/11/22/a.jpg") -> set[str]:
    """Return the Sids of the statements that apply to a request."""
    return {
        statement["Sid"]
        for statement in statements(name)
        if action in listed(statement["Action"]) or statement["Action"] == "s3:*"
        if fnmatchcase(f"arn:aws:s3:::photos/{key}", statement["Resource"])
        if all(holds(operator, name, values, context) for operator, name, values in keys(statement))
    }


def without(context: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in context.items() if name not in names}


WHO, HOW, TAG, WAS = "aws:PrincipalArn", "s3:authType", "s3:RequestObjectTag/status", "s3:ExistingObjectTag/status"
SOURCE = "s3:x-amz-copy-source"
BY_HEADER = {HOW: "REST-HEADER", "s3:signatureversion": "AWS4-HMAC-SHA256", "s3:signatureAge": "0", "aws:SecureTransport": "true"}
CREATES, CONDITIONAL = {"s3:ObjectCreationOperation": "true"}, {"s3:if-none-match": "*"}
PRESIGNER, COMPLETER, RECONCILER = ({**BY_HEADER, WHO: SAMPLES[role]} for role in ("presigner", "completer", "reconciler"))
STRANGER = {**BY_HEADER, WHO: f"{ACCOUNT}:role/admin"}
TICKET = {**PRESIGNER, **CREATES, **CONDITIONAL, HOW: "REST-QUERY-STRING", "s3:signatureAge": "60000", TAG: "pending"}
FORM = {**without(TICKET, "s3:if-none-match"), HOW: "POST"}


PUT, RETAG, RETAG_VERSION, DELETE = "s3:PutObject", "s3:PutObjectTagging", "s3:PutObjectVersionTagging", "s3:DeleteObject"
PUT_ACL = ("s3:PutObjectAcl", "s3:PutObjectVersionAcl")
PUBLIC = ("public-read", "public-read-write", "authenticated-read")  # S3 user guide, canned ACLs
FURTHER = [tag.value for tag in Tag if tag not in (Tag.UNKNOWN, Tag.NONE, Tag.PENDING, Tag.OTHER)]
REQUESTS: dict[str, tuple[str, dict[str, str], set[str]]] = {
    "a ticket": (PUT, TICKET, set()),
    "the tag of a ticket": (RETAG, TICKET, set()),
    "a ticket sent again": (RETAG, {**TICKET, WAS: "pending"}, set()),
    "a ticket without its tag": (PUT, without(TICKET, TAG), {"BornPending"}),
    "a ticket tagged completed": (PUT, {**TICKET, TAG: "completed"}, {"BornPending"}),
    "a ticket that may overwrite": (PUT, without(TICKET, "s3:if-none-match"), {"NoOverwrite"}),
    "a ticket of sixteen minutes": (PUT, {**TICKET, "s3:signatureAge": "960000"}, {"ShortUrls"}),
    "a ticket over plain HTTP": (PUT, {**TICKET, "aws:SecureTransport": "false"}, {"TlsOnly"}),
    "a ticket signed with SigV2": (PUT, {**TICKET, "s3:signatureversion": "AWS", "s3:signatureAge": "0"}, {"SigV4Only"}),
    "a private ticket": (PUT, {**TICKET, "s3:x-amz-acl": "private"}, set()),
    "a form": (PUT, FORM, {"NoPost"}),
    "a form without its tag": (PUT, without(FORM, TAG), {"NoPost", "BornPending"}),
    "a form of sixteen minutes": (PUT, {**FORM, "s3:signatureAge": "960000"}, {"NoPost", "ShortUrls"}),
    "somebody else's ticket": (PUT, {**TICKET, WHO: f"{ACCOUNT}:role/admin"}, {"OnlyOurRolesUpload"}),
    "nobody's upload": (PUT, without({**TICKET}, WHO), {"OnlyOurRolesUpload"}),
    "the presigner's own upload": (PUT, {**PRESIGNER, **CREATES, **CONDITIONAL, TAG: "pending"}, {"PresignedOnly"}),
    "a multipart upload begun": (PUT, {**PRESIGNER, TAG: "pending", "s3:ObjectCreationOperation": "false"}, set()),
    "a presigned part": (PUT, {**without(TICKET, TAG, "s3:if-none-match"), "s3:ObjectCreationOperation": "false"}, set()),
    "a multipart upload finished": (PUT, {**COMPLETER, **CREATES, **CONDITIONAL}, set()),
    "one finished over another object": (PUT, {**COMPLETER, **CREATES}, {"NoOverwrite"}),
    "the marker": (PUT, {**RECONCILER, **CREATES, TAG: "system"}, set()),
    "a marker from a slow clock": (PUT, {**RECONCILER, **CREATES, TAG: "system", "s3:signatureAge": "960000"}, set()),
    "the marker's tag": (RETAG, {**RECONCILER, **CREATES, TAG: "system", WAS: "system"}, set()),
    "a version copied back": (
        PUT,
        {**RECONCILER, **CREATES, TAG: "completing", SOURCE: "photos/uploads/a.jpg?versionId=1"},
        set(),
    ),
    "a version's tag before the copy": (RETAG_VERSION, {**RECONCILER, TAG: "completing", WAS: "pending"}, set()),
    "completing": (RETAG, {**COMPLETER, TAG: "completing", WAS: "pending"}, set()),
    "settling": (RETAG, {**COMPLETER, TAG: "completed", WAS: "completing"}, set()),
    "marking": (RETAG, {**RECONCILER, TAG: "changed", WAS: "completed"}, set()),
    "a presigner that completes": (RETAG, {**PRESIGNER, TAG: "completed", WAS: "pending"}, {"OnlyOursTag"}),
    "a presigner that wipes the tag": (RETAG, {**PRESIGNER, WAS: "completed"}, {"OnlyOursTag"}),
    "a presigner that takes back": (RETAG, {**PRESIGNER, TAG: "pending", WAS: "completed"}, {"NoWayBack"}),
    "a completer that takes back": (RETAG, {**COMPLETER, TAG: "pending", WAS: "completing"}, {"NoWayBack"}),
    "a version's tag taken back": (RETAG_VERSION, {**COMPLETER, TAG: "pending", WAS: "completed"}, {"NoWayBack"}),
    "a presigner that completes a version": (RETAG_VERSION, {**PRESIGNER, TAG: "completed", WAS: "pending"}, {"OnlyOursTag"}),
    "a version's tags deleted": ("s3:DeleteObjectVersionTagging", RECONCILER, {"TagsStay"}),
    **{f"{was} taken back": (RETAG, {**RECONCILER, TAG: "pending", WAS: was}, {"NoWayBack"}) for was in FURTHER},
    **{f"a ticket made {acl}": (PUT, {**TICKET, "s3:x-amz-acl": acl}, {"NotPublic"}) for acl in PUBLIC},
    **{f"{put} public": (put, {**STRANGER, "s3:x-amz-acl": "public-read"}, {"NotPublic"}) for put in PUT_ACL},
    "a scanner's tag": (RETAG, {**STRANGER, TAG: "completed", WAS: "completed"}, {"OnlyOursTag"}),
    "tags deleted": ("s3:DeleteObjectTagging", RECONCILER, {"TagsStay"}),
    "a deletion": (DELETE, RECONCILER, set()),
    "a completer's deletion": (DELETE, COMPLETER, {"OnlyReconcilerDeletes"}),
    "an administrator's deletion": (DELETE, STRANGER, {"OnlyReconcilerDeletes"}),
    "a version deleted": ("s3:DeleteObjectVersion", RECONCILER, {"VersionsStay"}),
    "a photo shown": ("s3:GetObject", {**STRANGER, HOW: "REST-QUERY-STRING", "s3:signatureAge": "86400000"}, set()),
}


@pytest.mark.parametrize(("action", "context", "denied"), REQUESTS.values(), ids=REQUESTS)
def test_the_bucket_policy_denies_exactly_what_it_should(action: str, context: dict[str, str], denied: set[str]) -> None:
    """Each request of ours passes; each that breaks a promise meets the one statement that is there for it."""
    assert applying("bucket-policy", action, context) == denied
    assert applying("bucket-policy", action, context, key="theirs/a.jpg") == set()


def test_every_statement_of_the_bucket_policy_is_needed() -> None:
    """Each denies a request that no other one would."""
    alone = {sid for _, _, denied in REQUESTS.values() if len(denied) == 1 for sid in denied}
    assert alone == {each["Sid"] for each in statements("bucket-policy")}


STATUSES = ["none", "pending", *FURTHER]
FORWARD = {"completing", "completed"}
TAGS: dict[str, set[tuple[str, str]]] = {
    "iam-presigner": {(was, "pending") for was in ("none", "pending")},
    "iam-completer": {(was, tag) for was in ("none", "pending", "completing", "completed") for tag in FORWARD},
    "iam-reconciler": {(was, tag) for was in STATUSES for tag in ("completing", "completed", "changed", "quarantined")},
    "iam-reader": set(),
    "iam-installer": set(),
}


@pytest.mark.parametrize("name", IAM)
def test_a_role_may_change_tags_only_so(name: str) -> None:
    """From what, to what: nobody goes back to `pending`, and only the reconciler clears what it has marked."""
    pairs = [(was, tag) for was in STATUSES for tag in STATUSES]
    known = {(was, tag): {WAS: was, TAG: tag} for was, tag in pairs}
    found = {pair for pair, context in known.items() if applying(name, RETAG, _present(context))}
    assert found == TAGS[name]


COPIES: dict[str, tuple[dict[str, str], bool]] = {
    "a version": ({TAG: "completing", SOURCE: "photos/uploads/2026/a.jpg?versionId=1"}, True),
    "a version, with a slash": ({TAG: "completing", SOURCE: "/photos/uploads/2026/a.jpg?versionId=1"}, True),
    "one tagged pending": ({TAG: "pending", SOURCE: "photos/uploads/2026/a.jpg"}, False),
    "one without a tag": ({SOURCE: "photos/uploads/2026/a.jpg"}, False),
    "an upload": ({TAG: "completing"}, False),
    "another prefix's object": ({TAG: "completing", SOURCE: "photos/theirs/a.jpg"}, False),
    "another bucket's object": ({TAG: "completing", SOURCE: "photos2/uploads/a.jpg"}, False),
}


@pytest.mark.parametrize(("context", "allowed"), COPIES.values(), ids=COPIES)
def test_the_reconciler_puts_nothing_but_copies(context: dict[str, str], *, allowed: bool) -> None:
    """Of objects under the same prefix, never tagged pending: it cannot upload bytes of its own."""
    assert applying("iam-reconciler", PUT, context) == ({"Restore"} if allowed else set())


MARKER = "uploads/.reconciler/instance.json"
NEEDED = {
    "a PUT with a tag": ("iam-presigner", PUT, TICKET, "uploads/a.jpg"),
    "the tag of that PUT": ("iam-presigner", RETAG, TICKET, "uploads/a.jpg"),
    "completing a version": ("iam-completer", RETAG_VERSION, {TAG: "completing", WAS: "pending"}, "uploads/a.jpg"),
    "settling a version": ("iam-reconciler", RETAG_VERSION, {TAG: "completed", WAS: "completing"}, "uploads/a.jpg"),
    "a version's tag before it is copied": (
        "iam-reconciler",
        RETAG_VERSION,
        {TAG: "completing", WAS: "pending"},
        "uploads/a.jpg",
    ),
    "the tag of a copy": ("iam-reconciler", RETAG, {TAG: "completing"}, "uploads/a.jpg"),
    "a version read": ("iam-reconciler", "s3:GetObjectVersion", {}, "uploads/a.jpg"),
    "a version's tags read": ("iam-reconciler", "s3:GetObjectVersionTagging", {}, "uploads/a.jpg"),
    "the marker": ("iam-reconciler", PUT, {TAG: "system"}, MARKER),
    "the marker's tag": ("iam-reconciler", RETAG, {TAG: "system"}, MARKER),
}


@pytest.mark.parametrize(("name", "action", "context", "key"), NEEDED.values(), ids=NEEDED)
def test_a_role_may_do_what_only_aws_asks_for(name: str, action: str, context: dict[str, str], key: str) -> None:
    """AWS wants a right for the tag of a PUT, and another one for a version's tag; the test servers do not."""
    assert len(applying(name, action, context, key=key)) == 1
    assert applying(name, action, context, key="theirs/a.jpg") == set()


def _present(context: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in context.items() if value != "none"}


# Explained


@pytest.mark.parametrize("name", NAMES)
def test_every_document_is_listed(name: str) -> None:
    """With the words that `reconcile policy` lists it with."""
    assert f"| `{name}.json` | {documents.PURPOSES[name]} |" in README


def test_nothing_is_listed_that_does_not_exist() -> None:
    """Neither in the README, nor by the command."""
    assert sorted(re.findall(r"^\| `([\w-]+)\.json` \|", README, re.MULTILINE)) == sorted(documents.PURPOSES) == NAMES


@pytest.mark.parametrize("name", POLICIES)
def test_every_statement_and_its_actions_and_conditions_are_explained(name: str) -> None:
    """In one line of the README that names the Sid, each action and each condition key; in order."""
    rows = _explained("## Bucket policy" if name == "bucket-policy" else "## IAM", name)
    for statement in statements(name):
        row = rows[statement["Sid"]]
        for word in (*listed(statement["Action"]), *(key for _, key, _ in keys(statement))):
            assert f"`{word}" in row or word in IMPLIED, (statement["Sid"], word)


# Said once, above or below the table, and not in every line.
IMPLIED = {"aws:PrincipalArn", "s3:ObjectCreationOperation", "s3:authType", "s3:RequestObjectTag/status"}


@pytest.mark.parametrize("word", sorted(IMPLIED))
def test_what_is_not_repeated_is_said_at_least_once(word: str) -> None:
    """As code."""
    assert f"`{word}`" in README


def _explained(heading: str, document: str) -> dict[str, str]:
    section = README.split(heading, 1)[1].split("\n## ", 1)[0]
    rows, current = {}, "bucket-policy"
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) < 3:
            continue
        if heading == "## IAM":
            current = cells.pop(0).strip("`| ") or current
        if current == document:
            rows |= dict.fromkeys(re.findall(r"`(\w+)`", cells[0]), line)
    return rows


def test_every_placeholder_is_explained() -> None:
    """And none that there is not."""
    used = frozenset().union(*(placeholders(documents.load(name)) for name in NAMES))
    assert set(re.findall(r"^\| `\$\{(\w+)\}` \|", README, re.MULTILINE)) == used
    assert used == FROM_SETTINGS | set(DEFAULTS) | ROLES | {"origin"}


@pytest.mark.parametrize("rule", ["AbortIncompleteMultipartUpload", "ExpiredObjectDeleteMarker", "NoncurrentVersionExpiration"])
def test_every_part_of_a_lifecycle_rule_is_explained(rule: str) -> None:
    """By name."""
    assert rule in json.dumps(documents.load("lifecycle-versioned"))
    assert f"`{rule}" in README


def test_every_part_of_the_cors_rule_is_explained() -> None:
    """By name."""
    (rule,) = filled("cors")["CORSRules"]
    assert [part for part in rule if part != "ID" and f"`{part}" not in README] == []


# On the command line


@pytest.mark.parametrize("name", NAMES)
def test_the_command_prints_the_document_and_nothing_else(desk: Desk, name: str) -> None:
    """Valid JSON on stdout, every placeholder filled from the settings or with --set, and stderr silent."""
    desk.set(BUCKET="photos")
    result = desk.ok("policy", name, *(f"--set={each}={SAMPLES[each]}" for each in to_be_given(documents.load(name))))
    assert json.loads(result.stdout) == filled(name)
    assert result.stderr == ""


def test_the_life_of_a_url_comes_from_the_settings(desk: Desk) -> None:
    """In milliseconds, as a text."""
    desk.set(URL_LIFE="10m")
    given = [f"--set={role}={SAMPLES[role]}" for role in sorted(ROLES)]
    found = json.loads(desk.ok("policy", "bucket-policy", *given).stdout)
    assert [values for each in found["Statement"] for _, key, values in keys(each) if key == "s3:signatureAge"] == [["600000"]]


def test_a_wildcard_in_the_prefix_is_refused(desk: Desk) -> None:
    """In a policy it would speak of others' objects; in a lifecycle rule it is a star."""
    desk.set(PREFIX="up*/")
    assert "RECONCILER_PREFIX" in one_line(desk.run("policy", "iam-reader"))
    assert "up*/" in desk.ok("policy", "lifecycle").stdout
