"""The conformance suite of the S3 ports on a bucket that keeps versions, or has kept them: one fact a test.

Subclass `VersionStoreSuite` beside `ObjectStoreSuite`, and say how to make your adapter over such a bucket.
"""

from collections.abc import Mapping

from reconciler.errors import NotVersionedError, ObjectNotFoundError
from reconciler.ports import Objects, Target
from reconciler.testing.keys import BODY, KEY, keys_of

OTHER = BODY + b"!"
TAGS = {"status": "completed", "cost center": "a+b=c/d:e"}


class VersionStoreSuite:
    """What every adapter of the S3 ports does where versions are kept."""

    def make_objects(self) -> Objects:
        """Return your adapter over a fresh, empty bucket that has never kept versions."""
        raise NotImplementedError

    def keep_versions(self, objects: Objects, *, enabled: bool) -> None:
        """Let the adapter's bucket keep versions from now on, or stop keeping them."""
        raise NotImplementedError

    def store(self, objects: Objects, key: str, body: bytes, *, tags: Mapping[str, str], content_type: str) -> None:
        """Store an object in the adapter's bucket as a client would, overwriting what was there."""
        raise NotImplementedError

    def _make(self) -> Objects:
        objects = self.make_objects()
        self.keep_versions(objects, enabled=True)
        return objects

    def _put(self, objects: Objects, body: bytes = BODY, key: str = KEY) -> str:
        """Store an object and return its version."""
        self.store(objects, key, body, tags=TAGS, content_type="image/jpeg")
        version = objects.head(key).version_id
        assert version is not None
        return version

    # What is kept

    def test_head_and_peek_name_the_version(self) -> None:
        """The same one, and another one after an overwrite."""
        objects = self._make()
        first = self._put(objects)
        assert objects.peek(KEY, length=1).version_id == first
        assert self._put(objects) != first

    def test_versions_are_told_newest_first(self) -> None:
        """Each with its own etag and size; the newest is the current one."""
        objects = self._make()
        old, new = self._put(objects), self._put(objects, OTHER)
        found = objects.versions(KEY)
        assert [(each.version_id, each.size, each.current) for each in found] == [
            (new, len(OTHER), True),
            (old, len(BODY), False),
        ]
        assert found[0].etag == objects.head(KEY).etag != found[1].etag

    def test_a_deleted_object_is_absent_and_its_version_remains(self) -> None:
        """To head, tags and listing it is gone; no version is the current one."""
        objects = self._make()
        version, etag = self._put(objects), objects.head(KEY).etag
        assert objects.delete([Target(KEY, etag)]) == {}
        for ask in (objects.head, objects.tags):
            try:
                ask(KEY)
            except ObjectNotFoundError:
                continue
            raise AssertionError("a delete marker was taken for an object")
        assert keys_of(objects) == []
        assert [(each.version_id, each.etag, each.current) for each in objects.versions(KEY)] == [(version, etag, False)]

    def test_other_keys_have_their_own_versions(self) -> None:
        """A key that begins alike is another one, however many versions it has."""
        objects = self._make()
        version = self._put(objects)
        for key in (f"{KEY}.bak", KEY[:-1]):
            self._put(objects, key=key)
        assert [each.version_id for each in objects.versions(KEY)] == [version]

    def test_what_never_was_has_no_versions(self) -> None:
        """An empty list, and no error."""
        assert list(self._make().versions(KEY)) == []

    # Tags

    def test_each_version_has_its_own_tags(self) -> None:
        """Tagging one leaves the others alone, whichever is the current one."""
        objects = self._make()
        old, new = self._put(objects), self._put(objects, OTHER)
        objects.put_tags(KEY, {"status": "completing"}, version_id=old)
        assert (objects.tags(KEY), objects.tags(KEY, version_id=new)) == (TAGS, TAGS)
        assert objects.tags(KEY, version_id=old) == {"status": "completing"}

    def test_a_deleted_version_can_be_tagged(self) -> None:
        """Under its delete marker."""
        objects = self._make()
        version = self._put(objects)
        objects.delete([Target(KEY)])
        objects.put_tags(KEY, {"status": "completing"}, version_id=version)
        assert objects.tags(KEY, version_id=version) == {"status": "completing"}

    # Copying back

    def test_a_deleted_version_is_copied_back(self) -> None:
        """With its bytes, its type and the tags it is given, as a version of its own; the old one stays."""
        objects = self._make()
        version, before = self._put(objects), objects.head(KEY)
        objects.delete([Target(KEY)])
        tags = TAGS | {"status": "completing"}
        objects.put_tags(KEY, tags, version_id=version)
        etag = objects.copy_back(KEY, version, tags=tags)
        after = objects.peek(KEY, length=len(BODY))
        assert (after.etag, after.content_type, after.head) == (etag, before.content_type, BODY)
        assert objects.tags(KEY) == tags
        assert after.version_id not in (None, version)
        assert [each.version_id for each in objects.versions(KEY)] == [after.version_id, version]

    def test_a_version_is_copied_over_another_one(self) -> None:
        """What lay on top remains as a version."""
        objects = self._make()
        old, new = self._put(objects), self._put(objects, OTHER)
        objects.copy_back(KEY, old, tags=TAGS)
        assert objects.peek(KEY, length=len(OTHER)).head == BODY
        assert [each.version_id for each in objects.versions(KEY)][1:] == [new, old]

    def test_a_version_that_is_not_there_is_not_found(self) -> None:
        """Neither its tags, nor for a copy; and nothing is put in its place."""
        objects, elsewhere = self._make(), self._make()
        unknown = self._put(elsewhere)
        for ask in (
            lambda: objects.tags(KEY, version_id=unknown),
            lambda: objects.put_tags(KEY, TAGS, version_id=unknown),
            lambda: objects.copy_back(KEY, unknown, tags=TAGS),
        ):
            try:
                ask()
            except ObjectNotFoundError:
                continue
            raise AssertionError("a version that is not there was found")
        assert keys_of(objects) == []

    # Without versions, and when they are kept no more

    def test_a_bucket_without_versions_says_so(self) -> None:
        """Whether or not there is an object: that is not the same as having none left."""
        objects = self.make_objects()
        self.store(objects, KEY, BODY, tags=TAGS, content_type="image/jpeg")
        for key in (KEY, f"{KEY}.bak"):
            try:
                objects.versions(key)
            except NotVersionedError:
                continue
            raise AssertionError("a bucket without versions told of one")

    def test_what_was_there_before_has_the_version_null(self) -> None:
        """It is a version like any other once versions are kept, and can be copied back."""
        objects = self.make_objects()
        self.store(objects, KEY, BODY, tags=TAGS, content_type="image/jpeg")
        self.keep_versions(objects, enabled=True)
        assert objects.head(KEY).version_id is None
        new = self._put(objects, OTHER)
        assert [(each.version_id, each.pin) for each in objects.versions(KEY)] == [(new, new), ("null", None)]
        objects.copy_back(KEY, "null", tags=TAGS)
        assert objects.peek(KEY, length=len(OTHER)).head == BODY

    def test_suspended_versions_keep_what_was_kept(self) -> None:
        """Deleting what came before the suspension leaves its version, as before."""
        objects = self._make()
        version = self._put(objects)
        self.keep_versions(objects, enabled=False)
        assert objects.delete([Target(KEY)]) == {}
        assert keys_of(objects) == []
        assert [each.version_id for each in objects.versions(KEY)] == [version]

    def test_suspended_versions_keep_nothing_new(self) -> None:
        """What comes after the suspension is gone when it is deleted, and when it is overwritten."""
        objects = self._make()
        self.keep_versions(objects, enabled=False)
        for body in (BODY, OTHER):
            self.store(objects, KEY, body, tags=TAGS, content_type="image/jpeg")
        assert [(each.version_id, each.size) for each in objects.versions(KEY)] == [("null", len(OTHER))]
        assert objects.delete([Target(KEY)]) == {}
        assert list(objects.versions(KEY)) == []
