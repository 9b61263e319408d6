"""Tags as S3 shows them, and objects as a listing would."""

import pytest
from unit.builders import listed, looked_at

from reconciler.core.model import Tag, tag_of, with_status


@pytest.mark.parametrize(
    ("tags", "tag"),
    [
        *(({"status": tag.value}, tag) for tag in Tag if tag not in (Tag.UNKNOWN, Tag.NONE, Tag.OTHER)),
        ({}, Tag.NONE),
        ({"team": "blue"}, Tag.NONE),
        ({"Status": "pending"}, Tag.NONE),
        ({"status": ""}, Tag.OTHER),
        ({"status": "Pending"}, Tag.OTHER),
        ({"status": "unknown"}, Tag.OTHER),
        ({"status": "none"}, Tag.OTHER),
        ({"status": "other"}, Tag.OTHER),
    ],
    ids=str,
)
def test_a_tag_set_says_one_thing(tags: dict[str, str], tag: Tag) -> None:
    """A value that is not ours is OTHER, never UNKNOWN or NONE: those are not written by anybody."""
    assert tag_of(tags) is tag


def test_foreign_tags_are_kept() -> None:
    """Only ours is set, and the set that was given stays as it was."""
    given = {"team": "blue", "status": "pending"}
    assert with_status(given, Tag.COMPLETED) == {"team": "blue", "status": "completed"}
    assert given == {"team": "blue", "status": "pending"}


def test_facts_read_as_an_entry() -> None:
    """The same object as a listing would show it."""
    assert looked_at().entry == listed()
