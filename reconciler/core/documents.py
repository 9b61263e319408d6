"""Policy documents: JSON with named placeholders, filled and compared as data, never as text.

A placeholder is filled from the settings, from a default, or with what the operator says. Whatever goes in is looked at first:
a wrong ARN in a Deny statement shuts the right role out, a `*` in a prefix opens somebody else's.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from reconciler.core.meaning import of_rule
from reconciler.errors import SettingsError

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

FROM_SETTINGS = frozenset({"bucket", "prefix", "rule", "lifecycle_days", "noncurrent_days", "url_life_ms", "shared"})
DEFAULTS: Mapping[str, str] = {"partition": "aws"}
ROLES = frozenset({"presigner", "completer", "reconciler", "tagger"})
SHARED = "shared"
OPTIONAL = frozenset({"tagger", SHARED})  # may stand for nobody, in a list; a statement about nobody is left out
SEVERAL = ROLES | {"origin"}
_ROLE = (
    r"arn:aws[a-z-]*:iam::(?:\d{12}|[A-Za-z]\w*|):(?:role|user)/[\w+=,.@/-]+",  # Ceph names a tenant, or nobody, as account
    "no ARN of a role or user",
    "write it as IAM does, without wildcards: arn:aws:iam::123456789012:role/NAME (not the assumed-role ARN of a session)",
)
_FORMS: Mapping[str, tuple[str, str, str]] = {
    **dict.fromkeys(ROLES, _ROLE),
    "origin": (
        r"https?://(?:\*\.)?(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d{1,5})?",
        "no origin",
        "write it as browsers send it, in lower case and without a path: https://www.example.com",
    ),
    "partition": (r"aws(?:-[a-z]+)*", "no partition", "there are aws, aws-cn and aws-us-gov"),
    "account": (r"\d{12}", "no account", "an account has twelve digits"),
    "notify": (
        r"eventbridge|arn:aws[a-z-]*:(?:sqs|sns):[a-z0-9-]*:[\w-]*:[\w-]+",
        "no destination",
        "write the ARN of an SQS queue or SNS topic (not FIFO), or eventbridge",
    ),
    "queue": (
        r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:\d{12}:[\w-]+",
        "no ARN of a queue",
        "write it as SQS does: arn:aws:sqs:eu-west-1:123456789012:NAME (FIFO queues take no events of S3)",
    ),
    "bucket": (r"[A-Za-z0-9][A-Za-z0-9._-]+[A-Za-z0-9]", "no bucket's name", "correct RECONCILER_BUCKET"),
    "prefix": (
        r"[^*?$]+",
        "a pattern where a policy is concerned: * is a wildcard there",
        "choose a RECONCILER_PREFIX without *",
    ),
}

_EXAMPLES: Mapping[str, str] = {
    "origin": "https://www.example.com",
    "notify": "arn:aws:sqs:eu-west-1:123456789012:NAME",
    "queue": "arn:aws:sqs:eu-west-1:123456789012:NAME",
    "account": "123456789012",
}

Rule = Mapping[str, Any]
Value = str | int | Sequence[str]


def placeholders(document: Any) -> frozenset[str]:
    """Return the names of all placeholders in a document."""
    if isinstance(document, dict):
        return frozenset().union(*map(placeholders, document.values()))
    if isinstance(document, list):
        return frozenset().union(*map(placeholders, document))
    return frozenset(_PLACEHOLDER.findall(document)) if isinstance(document, str) else frozenset()


def to_be_given(document: Any) -> list[str]:
    """Return the names of the placeholders that must be given, here or in a setting that has no default; sorted."""
    return sorted(placeholders(document) - FROM_SETTINGS - set(DEFAULTS) - OPTIONAL)


def choose(name: str, document: Any, *, known: Mapping[str, Value], given: Mapping[str, Sequence[str]]) -> dict[str, Value]:
    """Return the values to fill a document with: defaults, what the settings know, and before these what the operator gives.

    Raises SettingsError for a value that is missing, not wanted here, given twice where one is wanted, or malformed.
    """
    wanted = placeholders(document)
    _check_names(name, wanted, given)
    missing = [each for each in to_be_given(document) if each not in given and not is_given(known.get(each, ()))]
    if missing:
        raise SettingsError(
            f"the policy document {name!r} needs a value for {', '.join(missing)}",
            hint=" ".join(f"--set {each}={_example(each)}" for each in missing),
        )
    values = with_shared({**DEFAULTS, **known, **given})
    # A pattern means something in the policy language alone: elsewhere a prefix may hold whatever S3 allows.
    checked = wanted if "Statement" in document else wanted & set(given)
    for each in sorted(checked & set(values)):
        check_form(each, values[each])
    return values


def _check_names(name: str, wanted: Collection[str], given: Mapping[str, Sequence[str]]) -> None:
    for each, values in given.items():
        if each not in wanted:
            takes = ", ".join(sorted(set(wanted) - FROM_SETTINGS)) or "nothing: the settings fill it"
            raise SettingsError(f"the policy document {name!r} has no placeholder {each!r}", hint=f"--set takes {takes}")
        if each in FROM_SETTINGS:
            raise SettingsError(
                f"{each!r} comes from the settings", hint="RECONCILER_BUCKET, RECONCILER_PREFIX and the timing fill it"
            )
        if len(values) > 1 and each not in SEVERAL:
            raise SettingsError(f"{each!r} takes one value, not {len(values)}", hint=f"give --set {each}=... once")


def check_form(name: str, values: Value) -> None:
    """Raise SettingsError unless each value is what a placeholder of this name may stand for."""
    pattern, what, hint = _FORMS.get(name, ("(?s:.*)", "", ""))
    for value in [values] if isinstance(values, str | int) else values:
        if not re.fullmatch(pattern, str(value)):
            raise SettingsError(f"{name} is {str(value)!r}: {what}", hint=hint)


def _example(name: str) -> str:
    return _EXAMPLES.get(name, "arn:aws:iam::123456789012:role/NAME")


def is_given(value: Value) -> bool:
    """Say whether there is a value at all."""
    return isinstance(value, int) or bool(value)


def fill(document: Any, values: Mapping[str, Value]) -> Any:
    """Return the document with every `${name}` replaced.

    A string that is nothing but one placeholder takes the value's own type; in a list, several values become several items,
    each once. A name without a value raises SettingsError.
    """
    if isinstance(document, dict):
        return {key: fill(value, values) for key, value in document.items()}
    if isinstance(document, list):
        return _fill_list(document, values)
    if not isinstance(document, str):
        return document
    whole = _PLACEHOLDER.fullmatch(document)
    if whole:
        return _value(whole[1], values)
    return _PLACEHOLDER.sub(lambda match: str(_value(match[1], values)), document)


def _fill_list(document: list[Any], values: Mapping[str, Value]) -> list[Any]:
    filled: list[Any] = []
    for item in document:
        whole = _PLACEHOLDER.fullmatch(item) if isinstance(item, str) else None
        if whole and whole[1] in OPTIONAL and not is_given(values.get(whole[1], ())):
            continue  # IAM takes no empty list, nor an empty name
        if whole:
            filled += [each for each in _values(whole[1], values) if each not in filled]
        elif not _is_about_nobody(made := fill(item, values)):
            filled.append(made)
    return filled


def _is_about_nobody(item: Any) -> bool:
    return isinstance(item, dict) and item.get("Principal") == {"AWS": []}


def _value(name: str, values: Mapping[str, Value]) -> str | int:
    found = _values(name, values)
    if len(found) > 1:
        raise SettingsError(f"the policy document takes one value for {name!r}, not {len(found)}")
    return found[0]


def _values(name: str, values: Mapping[str, Value]) -> list[str | int]:
    found = values.get(name, ())
    several: list[str | int] = [found] if isinstance(found, str | int) else list(dict.fromkeys(found))
    if not is_given(found):
        raise SettingsError(f"the policy document needs a value for {name!r}", hint=f"give it with --set {name}=...")
    return several


def with_shared(values: Mapping[str, Value]) -> dict[str, Value]:
    """Return the values with those of the reconciler's ARNs that play another role as well, as `shared`."""
    reconciler, *others = (_as_names(values.get(role, ())) for role in ("reconciler", "presigner", "completer"))
    backend = {name for names in others for name in names}
    return {**values, SHARED: tuple(name for name in reconciler if name in backend)}


def _as_names(value: Value) -> Sequence[str]:
    return [str(value)] if isinstance(value, str | int) else value


def told_by_arns(names: Sequence[str]) -> dict[str, str]:
    """Return what ARNs tell beside what they name: the partition; of a queue, itself and its account, likely the bucket's."""
    arns = [name for name in names if name.startswith("arn:")]
    queue = next((arn for arn in arns if arn.split(":")[2] == "sqs"), None)
    found = {"queue": queue, "account": queue.split(":")[4]} if queue else {}
    return {**found, "partition": arns[0].split(":")[1]} if arns else found


def rule_prefix(prefix: str) -> str:
    """Return what the IDs of our rules for this prefix begin with."""
    return f"reconciler:{prefix}:"


def pending_rule_id(prefix: str) -> str:
    """Return the ID of the rule that expires pending objects, as S3 names it in x-amz-expiration."""
    return f"{rule_prefix(prefix)}pending"


def same_meaning(one: Rule, other: Rule) -> bool:
    """Say whether two lifecycle rules mean the same, however a store writes their filter."""
    return bool(of_rule(one) == of_rule(other))
