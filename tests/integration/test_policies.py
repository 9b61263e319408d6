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
from reconciler.core.wanted import for_destination, sid_prefix

desk = cli_support.desk

BUCKET_POLICY_BYTES = 20_480  # Amazon S3 user guide, bucket policies
MANAGED_POLICY_CHARACTERS = 6_144  # IAM user guide, quotas; whitespace does not count
NAMES = documents.names()
IAM = [name for name in NAMES if name.startswith("iam-")]
POLICIES = [*IAM, "bucket-policy"]
RESOURCE_POLICIES = ["bucket-policy", "queue-policy"]
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
    "tagger": f"{ACCOUNT}:role/scanner",
    "notify": "arn:aws:sqs:eu-west-1:123456789012:events",
    "queue": "arn:aws:sqs:eu-west-1:123456789012:events",
    "account": "123456789012",
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
LOOKING = {
    "s3:GetBucketCORS",
    "s3:GetBucketNotification",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketVersioning",
    "s3:GetLifecycleConfiguration",
}
INSTALLING = {"s3:PutBucketCORS", "s3:PutBucketNotification", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"}
BUCKET_ACTIONS = {"s3:ListBucket", "s3:ListBucketVersions", *LOOKING, *INSTALLING}
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
    "ArnLike",
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
    """A principal stands in the bucket policy alone, in each of its statements; one identity statement denies."""
    assert {(statement["Effect"], statement["Principal"]) for statement in statements("bucket-policy")} == {("Deny", "*")}
    assert {each["Sid"] for name in IAM for each in statements(name) if each["Effect"] != "Allow"} == {"NeverMark"}


def test_the_queue_takes_messages_of_this_bucket_alone() -> None:
    """Only S3 itself may send, for the bucket, and for the account that owns it (S3 user guide, destination permissions)."""
    (statement,) = statements("queue-policy")
    assert (statement["Effect"], statement["Principal"]) == ("Allow", {"Service": "s3.amazonaws.com"})
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", SAMPLES["queue"])
    assert statement["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:photos"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }


@pytest.mark.parametrize("kind", ["QueueConfigurations", "TopicConfigurations"])
def test_notifications_ask_for_every_event_under_the_prefix(kind: str) -> None:
    """Created, removed, tagged, and what a lifecycle rule removed, which is no `ObjectRemoved`."""
    (found,) = filled("notifications")[kind]
    assert {event.split(":")[1] for event in found["Events"]} == {
        "ObjectCreated",
        "ObjectRemoved",
        "ObjectTagging",
        "LifecycleExpiration",
    }
    assert found["Filter"] == {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}}


def test_without_taggers_the_documents_name_nobody_in_their_place() -> None:
    """IAM takes no empty list, and no empty name; everything else stays as it was."""
    with_one, without = filled("bucket-policy"), filled("bucket-policy", tagger=())
    text = json.dumps(without)
    assert "scanner" not in text
    assert "[]" not in text
    assert '""' not in text
    assert json.dumps(with_one).replace(f', "{SAMPLES["tagger"]}"', "") == text


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
    named = {
        value
        for each in statements(name)
        for operator, key, values in keys(each)
        if key.endswith("/status") and operator != "Null"
        for value in values
    }
    assert named <= {tag.value for tag in Tag}


def test_nobody_but_the_installer_can_change_the_bucket() -> None:
    """And nobody at all deletes versions, or the policy."""
    actions = {name: {action for each in statements(name) for action in listed(each["Action"])} for name in IAM}
    assert [name for name in IAM if actions[name] & INSTALLING] == ["iam-installer"]
    assert actions["iam-installer"] == INSTALLING | LOOKING
    assert actions["iam-reader"] >= LOOKING
    assert [name for name in IAM if "s3:DeleteObject" in actions[name]] == ["iam-reconciler"]
    assert not [action for found in actions.values() for action in found if "DeleteBucket" in action or "DeleteObjectV" in action]


def test_documents_fit_into_what_aws_takes() -> None:
    """Even with the longest bucket, prefix and role names, three roles of each kind: and with the Sids that they are put with."""
    role = f"{ACCOUNT}:role/{'p' * 64}/{'r' * 62}"
    several = {name: [f"{role}{name[0]}{number}" for number in range(3)] for name in ROLES}
    longest: dict[str, Any] = {"bucket": "b" * 63, "prefix": "p" * 99 + "/"}
    policy = filled("bucket-policy", **longest, **several)
    sids = len(policy["Statement"]) * len(sid_prefix(longest["prefix"]))
    assert len(json.dumps(policy)) + sids <= BUCKET_POLICY_BYTES
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
TAGGER = {**BY_HEADER, WHO: SAMPLES["tagger"]}
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
    "a ticket tagged completed": (PUT, {**TICKET, TAG: "completed"}, {"BornPending", "NoOtherTag"}),
    "a completer's object, born completed": (PUT, {**COMPLETER, **CREATES, **CONDITIONAL, TAG: "completed"}, {"NoOtherTag"}),
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
    "completing what has no tag": (RETAG, {**COMPLETER, TAG: "completing"}, set()),
    "completing again": (RETAG, {**COMPLETER, TAG: "completing", WAS: "completing"}, set()),
    "settling again": (RETAG, {**COMPLETER, TAG: "completed", WAS: "completed"}, set()),
    "completing what is completed": (RETAG, {**COMPLETER, TAG: "completing", WAS: "completed"}, {"CompleteFromPending"}),
    "completing what is changed": (RETAG, {**COMPLETER, TAG: "completing", WAS: "changed"}, {"CompleteFromPending"}),
    "settling what is pending": (RETAG, {**COMPLETER, TAG: "completed", WAS: "pending"}, {"SettleFromCompleting"}),
    "settling what has no tag": (RETAG, {**COMPLETER, TAG: "completed"}, {"SettleFromCompleting"}),
    "a completer that marks": (RETAG, {**COMPLETER, TAG: "changed", WAS: "completed"}, {"OnlyReconcilerJudges"}),
    "a completer that wipes the tag": (RETAG, {**COMPLETER, WAS: "completed"}, {"OnlyReconcilerJudges"}),
    "a completer that begins": (RETAG, {**COMPLETER, TAG: "pending"}, {"OnlyPresignerBegins"}),
    **{f"the reconciler, to {tag}": (RETAG, {**RECONCILER, TAG: tag, WAS: "changed"}, set()) for tag in FURTHER},
    "a presigner that begins to complete": (RETAG, {**PRESIGNER, TAG: "completing", WAS: "pending"}, {"OnlyOursTag"}),
    "a presigner that completes": (
        RETAG,
        {**PRESIGNER, TAG: "completed", WAS: "pending"},
        {"OnlyOursTag", "SettleFromCompleting"},
    ),
    "a presigner that wipes the tag": (RETAG, {**PRESIGNER, WAS: "completed"}, {"OnlyOursTag", "OnlyReconcilerJudges"}),
    "a presigner that takes back": (RETAG, {**PRESIGNER, TAG: "pending", WAS: "completed"}, {"NoWayBack"}),
    "a completer that takes back": (
        RETAG,
        {**COMPLETER, TAG: "pending", WAS: "completing"},
        {"NoWayBack", "OnlyPresignerBegins"},
    ),
    "a version's tag taken back": (RETAG_VERSION, {**PRESIGNER, TAG: "pending", WAS: "completed"}, {"NoWayBack"}),
    "a presigner that completes a version": (
        RETAG_VERSION,
        {**PRESIGNER, TAG: "completing", WAS: "pending"},
        {"OnlyOursTag"},
    ),
    "a version's tags deleted": ("s3:DeleteObjectVersionTagging", RECONCILER, {"TagsStay"}),
    **{f"{was} taken back": (RETAG, {**RECONCILER, TAG: "pending", WAS: was}, {"NoWayBack"}) for was in FURTHER},
    **{f"a ticket made {acl}": (PUT, {**TICKET, "s3:x-amz-acl": acl}, {"NotPublic"}) for acl in PUBLIC},
    **{f"{put} public": (put, {**STRANGER, "s3:x-amz-acl": "public-read"}, {"NotPublic"}) for put in PUT_ACL},
    "a stranger's tag": (RETAG, {**STRANGER, TAG: "completed", WAS: "completed"}, {"OnlyOursTag"}),
    **{f"a scanner's tag beside {tag}": (RETAG, {**TAGGER, TAG: tag, WAS: tag}, set()) for tag in FURTHER},
    "a scanner's tag beside pending": (RETAG, {**TAGGER, TAG: "pending", WAS: "pending"}, {"OnlyPresignerBegins"}),
    "a scanner that is late": (
        RETAG,
        {**TAGGER, TAG: "pending", WAS: "completed"},
        {"NoWayBack", "OnlyPresignerBegins"},
    ),
    "a scanner late by one step": (RETAG, {**TAGGER, TAG: "completing", WAS: "completed"}, {"CompleteFromPending"}),
    "a scanner that completes": (RETAG, {**TAGGER, TAG: "completed", WAS: "pending"}, {"SettleFromCompleting"}),
    "tags deleted": ("s3:DeleteObjectTagging", RECONCILER, {"TagsStay"}),
    "a deletion": (DELETE, RECONCILER, set()),
    "a completer's deletion": (DELETE, COMPLETER, {"OnlyReconcilerDeletes"}),
    "an administrator's deletion": (DELETE, STRANGER, {"OnlyReconcilerDeletes"}),
    "a version deleted": ("s3:DeleteObjectVersion", RECONCILER, {"VersionsStay"}),
    "a photo shown": ("s3:GetObject", {**STRANGER, HOW: "REST-QUERY-STRING", "s3:signatureAge": "86400000"}, set()),
}


MARKERS = ("uploads/.reconciler/instance.json", "uploads/avatars/.reconciler/instance.json", "uploads/a/b/.reconciler/store.json")


@pytest.mark.parametrize("key", MARKERS)
def test_only_the_reconciler_marks(key: str) -> None:
    """Nobody else puts or tags a marker in a folder `.reconciler/` anywhere below the prefix, not even with a perfect ticket."""
    assert applying("bucket-policy", PUT, TICKET, key=key) == {"MarkerIsOurs"}
    assert "MarkerIsOurs" in applying("bucket-policy", RETAG, {**COMPLETER, TAG: "completing"}, key=key)
    assert "NeverMark" in applying("iam-presigner", PUT, TICKET, key=key)
    assert applying("bucket-policy", PUT, {**RECONCILER, **CREATES, TAG: "system"}, key=key) == set()


@pytest.mark.parametrize(("action", "context", "denied"), REQUESTS.values(), ids=REQUESTS)
def test_the_bucket_policy_denies_exactly_what_it_should(action: str, context: dict[str, str], denied: set[str]) -> None:
    """Each request of ours passes; each that breaks a promise meets the one statement that is there for it."""
    assert applying("bucket-policy", action, context) == denied
    assert applying("bucket-policy", action, context, key="theirs/a.jpg") == set()


def test_every_statement_of_the_bucket_policy_is_needed() -> None:
    """Each denies a request that no other one would."""
    alone = {sid for _, _, denied in REQUESTS.values() if len(denied) == 1 for sid in denied}
    assert alone | {"MarkerIsOurs"} == {each["Sid"] for each in statements("bucket-policy")}


STATUSES = ["none", "pending", *FURTHER]
TAGS: dict[str, set[tuple[str, str]]] = {
    "iam-presigner": {(was, "pending") for was in ("none", "pending")},
    "iam-completer": {
        *((was, "completing") for was in ("none", "pending", "completing")),
        *((was, "completed") for was in ("completing", "completed")),
    },
    "iam-reconciler": {(was, tag) for was in STATUSES for tag in ("completing", "completed", "changed", "quarantined")},
    "iam-tagger": {(was, tag) for was in STATUSES for tag in ("completing", "completed", "changed", "quarantined")},
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
    assert used == FROM_SETTINGS | set(DEFAULTS) | ROLES | {"origin", "notify", "queue", "account"}


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
    assert json.loads(result.stdout) == printed(name)
    assert result.stderr == ""


def printed(name: str) -> Any:
    """A document as it is put: of the notifications one destination, and Sids that say whose they are; nobody tags."""
    found = filled(name, tagger=())
    if name == "notifications":
        return for_destination(found, SAMPLES["notify"])
    if not name.startswith("bucket-policy"):
        return found
    return {**found, "Statement": [{**each, "Sid": sid_prefix("uploads/") + each["Sid"]} for each in found["Statement"]]}


def test_the_settings_fill_what_has_no_default(desk: Desk) -> None:
    """Roles, origins and the destination need no --set where they are set; one that is given goes before."""
    desk.set(BUCKET="photos", ORIGINS="https://a.example", NOTIFY="eventbridge", TAGGER_ROLES=SAMPLES["tagger"])
    desk.set(**{f"{role.upper()}_ROLES": SAMPLES[role] for role in ("presigner", "completer", "reconciler")})
    assert [each["Principal"] for each in json.loads(desk.ok("policy", "bucket-policy").stdout)["Statement"]]
    assert SAMPLES["tagger"] in desk.ok("policy", "bucket-policy").stdout
    assert json.loads(desk.ok("policy", "notifications").stdout) == {"EventBridgeConfiguration": {}}
    given = json.loads(desk.ok("policy", "cors", "--set=origin=https://b.example").stdout)
    assert given["CORSRules"][0]["AllowedOrigins"] == ["https://b.example"]


def test_the_queue_that_is_set_is_the_one_that_is_opened(desk: Desk) -> None:
    """Its own account is taken for the bucket's, unless another is given."""
    desk.set(BUCKET="photos", NOTIFY=SAMPLES["notify"])
    assert json.loads(desk.ok("policy", "queue-policy").stdout) == filled("queue-policy")
    other = json.loads(desk.ok("policy", "queue-policy", "--set=account=999999999999").stdout)
    assert other["Statement"][0]["Condition"]["StringEquals"] == {"aws:SourceAccount": "999999999999"}


def test_the_life_of_a_url_comes_from_the_settings(desk: Desk) -> None:
    """In milliseconds, as a text."""
    desk.set(URL_LIFE="10m")
    given = [f"--set={role}={SAMPLES[role]}" for role in sorted(ROLES - {"tagger"})]
    found = json.loads(desk.ok("policy", "bucket-policy", *given).stdout)
    assert [values for each in found["Statement"] for _, key, values in keys(each) if key == "s3:signatureAge"] == [["600000"]]


def test_a_wildcard_in_the_prefix_is_refused(desk: Desk) -> None:
    """In a policy it would speak of others' objects; in a lifecycle rule it is a star."""
    desk.set(PREFIX="up*/")
    assert "RECONCILER_PREFIX" in one_line(desk.run("policy", "iam-reader"))
    assert "up*/" in desk.ok("policy", "lifecycle").stdout
