"""What an item of the bucket's configuration means, however a store has written it down.

Stores reword what they are given: a list of one becomes a text, an account becomes an ARN, names are sorted or capitalised.
Each function returns a value that is equal for two items which mean the same, and for no others.
"""

import re
from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Any]

_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")


def of_rule(rule: Item) -> Any:
    """Return what a lifecycle rule means: its filter in any form, everything else as it is."""
    rest = {key: value for key, value in rule.items() if key not in ("Filter", "Prefix")}
    return {**rest, "Filter": conditions(rule)}


def conditions(rule: Item) -> dict[str, Any]:
    """Return a lifecycle rule's conditions side by side: a prefix, tags as sorted pairs, and whatever else it states."""
    stated = dict(rule.get("Filter") or {})
    stated |= dict(stated.pop("And", None) or {})
    tags = [*stated.pop("Tags", []), *([stated.pop("Tag")] if "Tag" in stated else [])]
    prefix = stated.pop("Prefix", None) or rule.get("Prefix") or ""
    return {**stated, "Prefix": prefix, "Tags": sorted((tag["Key"], tag["Value"]) for tag in tags)}


def of_cors(rule: Item) -> Any:
    """Return what a CORS rule means: sets of origins, methods and headers; header names have no case."""
    return {
        "ID": rule.get("ID"),
        "AllowedOrigins": frozenset(rule.get("AllowedOrigins", ())),
        "AllowedMethods": frozenset(rule.get("AllowedMethods", ())),
        "AllowedHeaders": frozenset(name.lower() for name in rule.get("AllowedHeaders", ())),
        "ExposeHeaders": frozenset(name.lower() for name in rule.get("ExposeHeaders", ())),
        "MaxAgeSeconds": rule.get("MaxAgeSeconds"),
    }


def of_notification(item: Item) -> Any:
    """Return what a notification means: a set of events, and filter rules whose names have no case."""
    rest = {key: value for key, value in item.items() if key not in ("Events", "Filter")}
    return {**rest, "Events": frozenset(item.get("Events", ())), "Filter": frozenset(key_filter(item).items())}


def key_filter(item: Item) -> dict[str, str]:
    """Return a notification's prefix and suffix, where it has them."""
    rules = ((item.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    return {str(rule["Name"]).lower(): str(rule.get("Value", "")) for rule in rules}


def of_statement(statement: Item) -> Any:
    """Return what a statement of a policy means, as IAM reads it.

    One value is a list of one; the order of values means nothing; actions and condition keys have no case; an account is its
    root's ARN; a principal of `*` is every AWS principal.
    """
    found: dict[str, Any] = {}
    for element, value in statement.items():
        if element.endswith("Principal"):
            found[element] = _principals(value)
        elif element.endswith("Action"):
            found[element] = frozenset(str(action).lower() for action in listed(value))
        elif element.endswith("Resource"):
            found[element] = frozenset(map(str, listed(value)))
        elif element == "Condition":
            found[element] = _condition(value)
        else:
            found[element] = value
    return {name: value for name, value in found.items() if value != {}}


def _principals(value: Any) -> Any:
    kinds = {"AWS": "*"} if value == "*" else value
    return {kind: frozenset(_ROOT.sub(r"\1", str(each)) for each in listed(names)) for kind, names in kinds.items()}


def _condition(value: Item) -> dict[str, dict[str, frozenset[str]]]:
    return {
        operator: {key.lower(): frozenset(map(_text, listed(values))) for key, values in keys.items()}
        for operator, keys in value.items()
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(value: Any) -> list[Any]:
    """Return a value that may be alone or in a list as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]
