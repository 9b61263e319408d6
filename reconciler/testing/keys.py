"""The part of the S3 ports' suite about keys: how they are listed, and that they are names of any characters."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from reconciler.core.model import ObjectEntry
from reconciler.ports import Objects, Target

PREFIX = "uploads/"
KEY = f"{PREFIX}2026/11/22/one.jpg"
BODY = b"\xff\xd8\xff" + bytes(range(256))
# In the order of their UTF-8 bytes. Sorted as UTF-16, the last two would change places.
NASTY_KEYS = tuple(
    PREFIX + name
    for name in (
        " leading and trailing ",
        "a b",
        "a%2Fb%20c",
        "a&b<c>\"d'",
        "a+b",
        "semi;colon=1?query#fragment",
        "~tilde",
        "é",
        "\u65e5\u672c",
        "\ufffd",
        "\U0001f600",
    )
)
WORKERS = 8


def listed(objects: Objects, prefix: str = PREFIX, *, start_after: str = "") -> list[ObjectEntry]:
    """Return every entry of a listing."""
    return [entry for page in objects.pages(prefix, start_after=start_after) for entry in page]


def keys_of(objects: Objects, prefix: str = PREFIX, *, start_after: str = "") -> list[str]:
    """Return every key of a listing."""
    return [entry.key for entry in listed(objects, prefix, start_after=start_after)]


class KeySuite:
    """What every adapter of the S3 ports does with keys.

    Attributes:
        page_size: how many objects your adapter lists in one page.
    """

    page_size: ClassVar[int] = 1000  # MaxKeys of ListObjectsV2, API reference

    def make_objects(self, *, exists: bool = True) -> Objects:
        """Return your adapter over a fresh, empty bucket; or, unless it `exists`, over a bucket that is not there."""
        raise NotImplementedError

    def store(self, objects: Objects, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        """Store an object in the adapter's bucket as a client would, overwriting what was there."""
        raise NotImplementedError

    def _put(self, objects: Objects, key: str = KEY, body: bytes = BODY, **tags: str) -> str:
        self.store(objects, key, body, tags=tags, content_type="image/jpeg")
        return key

    # Listing

    def test_an_empty_prefix_lists_nothing(self) -> None:
        """Where nothing lies, no entry is listed."""
        assert listed(self.make_objects()) == []

    def test_a_listing_is_in_the_order_of_utf8_bytes(self) -> None:
        """Keys come in the byte order of their UTF-8, decoded."""
        objects = self.make_objects()
        for key in reversed(NASTY_KEYS):
            self._put(objects, key)
        assert keys_of(objects) == list(NASTY_KEYS)

    def test_a_slash_sorts_like_any_other_byte(self) -> None:
        """`a-b` comes before `a/x`, which comes before `a0`: there are no folders."""
        objects = self.make_objects()
        keys = [f"{PREFIX}{name}" for name in ("a-b", "a/x", "a0")]
        for key in reversed(keys):
            self._put(objects, key)
        assert keys_of(objects) == keys

    def test_a_listing_holds_the_prefix_alone(self) -> None:
        """A neighbour that merely begins alike is not listed."""
        objects = self.make_objects()
        for key in ("uploads", "uploads2/a", "other/uploads/a", KEY):
            self._put(objects, key)
        assert keys_of(objects) == [KEY]

    def test_a_listing_goes_on_after_its_first_page(self) -> None:
        """More objects than fit in a page are all listed, in order, in several pages."""
        objects = self.make_objects()
        keys = [f"{PREFIX}{number:04}" for number in range(self.page_size + 1)]
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda key: self._put(objects, key, b"x"), keys))
        pages = [[entry.key for entry in page] for page in objects.pages(PREFIX)]
        assert [key for page in pages for key in page] == keys
        assert len(pages) > 1

    def test_a_listing_begins_behind_start_after(self) -> None:
        """`start_after` itself is not listed, and need not exist."""
        objects = self.make_objects()
        for name in ("a", "b", "c"):
            self._put(objects, PREFIX + name)
        assert keys_of(objects, start_after=f"{PREFIX}a") == [f"{PREFIX}b", f"{PREFIX}c"]
        assert keys_of(objects, start_after=f"{PREFIX}bb") == [f"{PREFIX}c"]
        assert keys_of(objects, start_after=f"{PREFIX}c") == []

    def test_an_entry_is_what_head_shows(self) -> None:
        """Listing and HEAD agree on size and etag, and on the time as far as HTTP dates go."""
        objects = self.make_objects()
        key = self._put(objects)
        (entry,) = listed(objects)
        head = objects.head(key).entry
        assert (entry.key, entry.size, entry.etag) == (head.key, head.size, head.etag)
        assert entry.last_modified is not None
        assert head.last_modified is not None
        assert abs((entry.last_modified - head.last_modified).total_seconds()) < 1
        assert entry.last_modified.utcoffset() == head.last_modified.utcoffset()

    # Nasty keys

    def test_nasty_keys_survive_everything(self) -> None:
        """Spaces, plus, percent, quotes, accents and emoji are tagged, looked at and deleted as themselves."""
        objects = self.make_objects()
        for number, key in enumerate(NASTY_KEYS):
            self._put(objects, key, b"x" * (number + 1), status="pending")
            objects.put_tags(key, {"status": "completing", "number": str(number)})
        assert [objects.tags(key)["number"] for key in NASTY_KEYS] == [str(number) for number in range(len(NASTY_KEYS))]
        assert [objects.head(key).size for key in NASTY_KEYS] == [number + 1 for number in range(len(NASTY_KEYS))]
        assert objects.delete([Target(key) for key in NASTY_KEYS]) == {}
        assert keys_of(objects) == []

    def test_keys_are_names_not_paths(self) -> None:
        """`a//b` and `a/b` are two objects."""
        objects = self.make_objects()
        keys = [f"{PREFIX}a//b", f"{PREFIX}a/b"]
        for key in keys:
            self._put(objects, key)
        assert keys_of(objects) == keys

    def test_dots_in_keys_mean_nothing(self) -> None:
        """`a/./b` and `a/../b` are stored as they are."""
        objects = self.make_objects()
        keys = [f"{PREFIX}a/../b", f"{PREFIX}a/./b"]
        for key in keys:
            self._put(objects, key)
        assert keys_of(objects) == keys

    def test_a_key_may_lie_under_another(self) -> None:
        """`a` and `a/b` are two objects."""
        objects = self.make_objects()
        keys = [f"{PREFIX}a", f"{PREFIX}a/b"]
        for key in keys:
            self._put(objects, key)
        assert keys_of(objects) == keys
