"""Others' policy statements, CORS rules and notifications, read for what they open or stand in the way of."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product

from reconciler.core.lints import Place
from reconciler.core.meaning import key_filter, listed
from reconciler.core.parts import Item, PartName
from reconciler.core.remarks import Remark, Severity

_READING = ("s3:get", "s3:list")
_WRITING = {"PUT", "POST", "DELETE"}


def policy(foreign: Sequence[Item], place: Place) -> Iterator[Remark]:
    """Look at others' statements."""
    for statement in foreign:
        yield from open_to_everybody(statement, place)


def cors(foreign: Sequence[Item]) -> Iterator[Remark]:
    """Look at others' CORS rules."""
    for rule in foreign:
        yield from open_to_every_site(rule)


def notifications(wanted: Sequence[Item], foreign: Sequence[Item]) -> Iterator[Remark]:
    """Look at others' notifications beside those that we want."""
    for theirs in foreign:
        if any(overlap(item, theirs) for item in wanted):
            text = (
                f"its events overlap ours ({_destination(theirs)}): S3 refuses to have both; agree on one, and fan out behind it"
            )
            yield Remark(PartName.NOTIFICATIONS, Severity.NOTE, str(theirs.get("Id") or "one without Id"), text)


def open_to_everybody(statement: Item, place: Place) -> Iterator[Remark]:
    """Warn of an Allow for everybody that reaches objects under the prefix: drift where it lets them write."""
    if statement.get("Effect") != "Allow" or not _is_everybody(statement) or not _reaches(statement, place):
        return
    actions = [str(action).lower() for action in listed(statement.get("Action", "s3:*"))]
    reads = all(action.startswith(_READING) for action in actions)
    limited = "Condition" in statement
    may = "read" if reads else "write"
    text = f"lets everybody {may} under {place.prefix}" + (", on some condition" if limited else "")
    severity = Severity.NOTE if reads or limited else Severity.DRIFT
    yield Remark(PartName.POLICY, severity, str(statement.get("Sid") or "a statement without Sid"), text)


def open_to_every_site(rule: Item) -> Iterator[Remark]:
    """Warn of a CORS rule by which a script on any site may upload or delete with a ticket that it got hold of."""
    methods = _WRITING & set(rule.get("AllowedMethods", ()))
    if "*" in rule.get("AllowedOrigins", ()) and methods:
        text = f"lets scripts on any site send {', '.join(sorted(methods))}: name your sites in it"
        yield Remark(PartName.CORS, Severity.DRIFT, str(rule.get("ID") or "a rule without ID"), text)


def overlap(one: Item, other: Item) -> bool:
    """Say whether two notifications ask for the same event of the same key, which S3 refuses to hold side by side."""
    if "eventbridge" in (one["Kind"], other["Kind"]):
        return False  # EventBridge takes every event, beside whatever else does
    if not any(_same_event(*pair) for pair in product(one.get("Events", ()), other.get("Events", ()))):
        return False
    mine, theirs = key_filter(one), key_filter(other)
    return _nested(mine.get("prefix", ""), theirs.get("prefix", "")) and _nested(
        mine.get("suffix", "")[::-1], theirs.get("suffix", "")[::-1]
    )


def _same_event(one: str, other: str) -> bool:
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def _nested(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _is_everybody(statement: Item) -> bool:
    principal = statement.get("Principal", "*" if "NotPrincipal" in statement else None)
    return principal == "*" or (isinstance(principal, dict) and "*" in listed(principal.get("AWS", ())))


def _reaches(statement: Item, place: Place) -> bool:
    """Whether a resource, a pattern itself, can name a key under the prefix; what is left out by NotResource can as well."""
    if "NotResource" in statement:
        return not any(pattern.endswith(f":{place.bucket}/*") for pattern in map(str, listed(statement["NotResource"])))
    return any(_may_name(str(pattern), place) for pattern in listed(statement.get("Resource", ())))


def _may_name(pattern: str, place: Place) -> bool:
    bucket, slash, keys = pattern.split(":", 5)[-1].partition("/")
    if not slash:
        return "*" in bucket and fnmatchcase(f"{place.bucket}/{place.prefix}", bucket)
    literal = keys.replace("?", "*").partition("*")[0]
    reached = place.prefix.startswith(literal) if literal != keys else False
    return fnmatchcase(place.bucket, bucket) and (reached or literal.startswith(place.prefix))


def _destination(item: Item) -> str:
    return str(next((value for name, value in item.items() if name.endswith("Arn")), item["Kind"]))
