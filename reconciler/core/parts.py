"""The bucket's configuration as parts of one shape: lists of items, of which some are ours and the others are not to be touched.

An item is known by its identity (a rule's ID, a statement's Sid); ours begin with a mark that names the prefix. S3 replaces each
part as a whole, so ours are always put together with the others', which are carried along as they were read.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.core import meaning

Item = Mapping[str, Any]


class PartName(StrEnum):
    """The parts that are installed, in the order in which they are: the one that refuses requests comes last."""

    LIFECYCLE = "lifecycle"
    CORS = "cors"
    NOTIFICATIONS = "notifications"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a part's items are known and compared, and whether their order means something."""

    identity: str
    meaning: Callable[[Item], Any]
    ordered: bool


SHAPES: Mapping[PartName, Shape] = {
    PartName.LIFECYCLE: Shape("ID", meaning.of_rule, ordered=False),
    PartName.CORS: Shape("ID", meaning.of_cors, ordered=True),  # the first rule that fits a request answers it
    PartName.NOTIFICATIONS: Shape("Id", meaning.of_notification, ordered=False),
    PartName.POLICY: Shape("Sid", meaning.of_statement, ordered=True),
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """One part as a store holds it: its items, and what else has to be carried along, such as a policy's version."""

    items: tuple[Item, ...] = ()
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a part differs from what is wanted. Items under our mark that nobody wants are `surplus`."""

    missing: tuple[Item, ...]
    changed: tuple[tuple[Item, Item], ...]
    surplus: tuple[Item, ...]
    foreign: tuple[Item, ...]

    @property
    def drifted(self) -> bool:
        """Whether anything of ours is not as it should be."""
        return bool(self.missing or self.changed or self.surplus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part as it should be.

    Attributes:
        name: which part.
        mark: what the identities of our items begin with.
        variants: the items that should stand, the best choice first; the others are for stores that refuse it.
    """

    name: PartName
    mark: str
    variants: tuple[tuple[Item, ...], ...]

    @property
    def shape(self) -> Shape:
        """How its items are compared."""
        return SHAPES[self.name]

    def identity(self, item: Item) -> str:
        """Return what an item is known by; empty where it has no name."""
        return str(item.get(self.shape.identity) or "")

    def is_ours(self, item: Item) -> bool:
        """Say whether an item is ours: it bears our mark, or is one that has no room for a mark, and that we want."""
        name = self.identity(item)
        return name.startswith(self.mark) or name in {self.identity(each) for each in self.variants[0]}

    def foreign(self, found: Configuration) -> tuple[Item, ...]:
        """Return the items that are not ours, as they are."""
        return tuple(item for item in found.items if not self.is_ours(item))

    def standing(self, found: Configuration) -> tuple[Item, ...]:
        """Return the variant that was installed there; the best one where none was."""
        names = {self.identity(item) for item in found.items}
        for variant in self.variants:
            if names >= {self.identity(item) for item in variant}:
                return variant
        return self.variants[0]

    def compare(self, found: Configuration, wanted: Sequence[Item]) -> Difference:
        """Compare what a store holds with what is wanted, by meaning."""
        ours: dict[str, Item] = {}
        surplus = []
        names = {self.identity(item) for item in wanted}
        for item in filter(self.is_ours, found.items):
            if self.identity(item) in names and self.identity(item) not in ours:
                ours[self.identity(item)] = item
            else:
                surplus.append(item)
        pairs = [(ours[self.identity(item)], item) for item in wanted if self.identity(item) in ours]
        return Difference(
            missing=tuple(item for item in wanted if self.identity(item) not in ours),
            changed=tuple((old, new) for old, new in pairs if self.shape.meaning(old) != self.shape.meaning(new)),
            surplus=tuple(surplus),
            foreign=self.foreign(found),
        )

    def merge(self, found: Configuration, wanted: Sequence[Item]) -> Configuration:
        """Return the others' items as they were, followed by ours as they are wanted."""
        return Configuration((*self.foreign(found), *wanted), found.rest)

    def same_foreign(self, before: Configuration, after: Configuration) -> bool:
        """Say whether everything that is not ours is, to the letter, what it was."""
        carried = all(after.rest.get(name) == value for name, value in before.rest.items())
        one, other = ([_letters(item) for item in self.foreign(found)] for found in (before, after))
        return carried and (one == other if self.shape.ordered else Counter(one) == Counter(other))


def same_configuration(one: Configuration, other: Configuration) -> bool:
    """Say whether two readings of a part are the same, in whatever order the store gave its items."""
    alike = Counter(map(_letters, one.items)) == Counter(map(_letters, other.items))
    return alike and one.rest == other.rest


def _letters(item: Item) -> str:
    return json.dumps(item, sort_keys=True, default=str)  # a rule may hold a date
