"""What is said about a bucket beside its differences: of others' rules, and of what is only looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is. Drift counts as a difference; `not-known` is what this store does not implement, and so cannot promise."""

    DRIFT = "drift"
    NOTE = "note"
    NOT_KNOWN = "not-known"
    FINE = "fine"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know, about one subject: the identity of somebody's rule, or what was verified."""

    part: str
    severity: Severity
    subject: str
    text: str
