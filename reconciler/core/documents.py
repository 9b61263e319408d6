"""Policy documents: JSON with named placeholders, filled and compared as data, never as text.

Also the lifecycle rules, which are one such document: how ours are told from others', and when two rules mean the same
although a store wrote them down differently.
"""

import re
from collections.abc import Mapping
from typing import Any

from reconciler.errors import SettingsError

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")

Rule = Mapping[str, Any]


def fill(document: Any, values: Mapping[str, str | int]) -> Any:
    """Return the document with every `${name}` replaced.

    A string that is nothing but one placeholder takes the value's own type; a name without a value raises SettingsError.
    """
    if isinstance(document, dict):
        return {key: fill(value, values) for key, value in document.items()}
    if isinstance(document, list):
        return [fill(item, values) for item in document]
    if not isinstance(document, str):
        return document
    whole = _PLACEHOLDER.fullmatch(document)
    if whole:
        return _value(whole[1], values)
    return _PLACEHOLDER.sub(lambda match: str(_value(match[1], values)), document)


def _value(name: str, values: Mapping[str, str | int]) -> str | int:
    if name not in values:
        raise SettingsError(f"the policy document needs a value for {name!r}", hint=f"give it with --set {name}=...")
    return values[name]


def rule_prefix(prefix: str) -> str:
    """Return what the IDs of our rules for this prefix begin with."""
    return f"reconciler:{prefix}:"


def pending_rule_id(prefix: str) -> str:
    """Return the ID of the rule that expires pending objects, as S3 names it in x-amz-expiration."""
    return f"{rule_prefix(prefix)}pending"


def is_ours(rule: Rule, *, prefix: str) -> bool:
    """Say whether a rule is one of ours for this prefix."""
    return str(rule.get("ID", "")).startswith(rule_prefix(prefix))


def merge_rules(current: list[Rule], wanted: list[Rule], *, prefix: str) -> list[Rule]:
    """Return the others' rules as they were, followed by ours as they are wanted."""
    return [rule for rule in current if not is_ours(rule, prefix=prefix)] + list(wanted)


def disabled(rules: list[Rule]) -> list[Rule]:
    """Return the rules switched off, for a first put that can be read back before it can do harm."""
    return [{**rule, "Status": "Disabled"} for rule in rules]


def same_meaning(one: Rule, other: Rule) -> bool:
    """Say whether two rules mean the same, however a store writes their filter."""
    return _canonical(one) == _canonical(other)


def _canonical(rule: Rule) -> dict[str, Any]:
    rest = {key: value for key, value in rule.items() if key not in ("Filter", "Prefix")}
    return {**rest, "Filter": _conditions(rule)}


def _conditions(rule: Rule) -> dict[str, Any]:
    stated = dict(rule.get("Filter") or {})
    stated |= dict(stated.pop("And", None) or {})
    tags = [*stated.pop("Tags", []), *([stated.pop("Tag")] if "Tag" in stated else [])]
    prefix = stated.pop("Prefix", None) or rule.get("Prefix") or ""
    return {**stated, "Prefix": prefix, "Tags": sorted((tag["Key"], tag["Value"]) for tag in tags)}
