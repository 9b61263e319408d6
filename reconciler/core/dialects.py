"""Two dialects of one bucket policy, and which statements of each a store is known to heed.

AWS's dialect says most. A store that knows less takes some of its statements and never applies them, or denies everybody
everything: so each purpose has, where there can be one, a second wording that other stores understand. What a store makes of
a statement is tried out (probes/policy.py), kept as Findings, and put together here.

A purpose is what a Sid begins with: `BornPending` and `BornPending2` serve one, and are taken or left out together.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.errors import StoreError

Statement = Mapping[str, Any]

AWS, PORTABLE = "aws", "portable"
_SID = re.compile(r"(?:Reconciler[0-9a-f]{8})?([A-Za-z]+?)[0-9]*")


class Effect(StrEnum):
    """What a store makes of the statements that serve one purpose."""

    WORKS = "works"
    NEVER = "never applies"
    NOT_TAKEN = "not taken"
    SHUTS_OUT = "shuts out"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Seen:
    """An effect, and in words what showed it."""

    effect: Effect
    how: str = ""

    def __str__(self) -> str:
        return f"{self.effect} ({self.how})" if self.how else self.effect.value


@dataclass(frozen=True, slots=True)
class Findings:
    """What one store makes of each purpose, by dialect."""

    seen: Mapping[str, Mapping[str, Seen]] = field(default_factory=dict)

    def of(self, dialect: str, purpose: str) -> Seen:
        """Return what was seen of one purpose in one dialect."""
        return self.seen.get(dialect, {}).get(purpose, Seen(Effect.UNTRIED))

    def over(self, older: "Findings") -> "Findings":
        """Return these, with the older ones where something could not be tried this time."""
        return Findings(
            {
                dialect: {
                    purpose: seen if seen.effect is not Effect.UNTRIED else older.of(dialect, purpose)
                    for purpose, seen in purposes.items()
                }
                for dialect, purposes in self.seen.items()
            }
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            dialect: {purpose: {"effect": seen.effect.value, "how": seen.how} for purpose, seen in purposes.items()}
            for dialect, purposes in self.seen.items()
        }


def findings_from(content: Any) -> Findings:
    """Return the findings that `as_dict` wrote; StoreError where it is something else."""
    try:
        return Findings(
            {
                str(dialect): {str(purpose): Seen(Effect(seen["effect"]), str(seen["how"])) for purpose, seen in purposes.items()}
                for dialect, purposes in content.items()
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            "what the bucket says of its store's dialect is not ours, or broken", hint="try it anew: `reconcile doctor --policy`"
        ) from error


@dataclass(frozen=True, slots=True)
class Composed:
    """The statements that work on a store, and for each purpose that none serves why not."""

    statements: tuple[Statement, ...]
    left_out: Mapping[str, str]


def purpose(sid: str) -> str:
    """Return what a statement is for: its Sid without the deployment's mark before it and the number behind it."""
    found = _SID.fullmatch(sid)
    return found[1] if found else sid


def by_purpose(document: Mapping[str, Any]) -> dict[str, tuple[Statement, ...]]:
    """Return a document's statements by purpose, in its own order."""
    found: dict[str, tuple[Statement, ...]] = {}
    for statement in document["Statement"]:
        name = purpose(str(statement.get("Sid", "")))
        found[name] = (*found.get(name, ()), statement)
    return found


def compose(aws: Mapping[str, Any], portable: Mapping[str, Any], findings: Findings | None) -> Composed:
    """Return, for each purpose, the first wording that works on this store. None stands for AWS itself: it takes its own whole.

    Both documents are filled. What was never tried is left out, like what does not work.
    """
    if findings is None:
        return Composed(tuple(aws["Statement"]), {})
    wordings = {AWS: by_purpose(aws), PORTABLE: by_purpose(portable)}
    statements: list[Statement] = []
    left_out: dict[str, str] = {}
    for name in dict.fromkeys([*wordings[AWS], *wordings[PORTABLE]]):
        worded = [dialect for dialect in wordings if name in wordings[dialect]]
        works = [dialect for dialect in worded if findings.of(dialect, name).effect is Effect.WORKS]
        if works:
            statements += wordings[works[0]][name]
        else:
            left_out[name] = "; ".join(f"{dialect}: {findings.of(dialect, name)}" for dialect in worded)
    return Composed(tuple(statements), left_out)
