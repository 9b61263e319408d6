"""The conformance suite of the S3 ports: what ObjectReader and ObjectWriter promise, one fact a test.

Subclass `ObjectStoreSuite`, say how to make your adapter and how a client stores an object, and let pytest collect it. What a
store is known to get wrong belongs into a table of expected failures beside your tests, never out of the suite.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.core.model import Binding
from reconciler.errors import BucketNotFoundError, EmptyObjectError, ObjectNotFoundError, ReconcilerError
from reconciler.ports import Target
from reconciler.testing.keys import BODY, KEY, PREFIX, KeySuite, keys_of, listed


@contextmanager
def _raises(kind: type[ReconcilerError]) -> Iterator[None]:
    """Demand exactly this error: neither a parent nor a child of it."""
    try:
        yield
    except ReconcilerError as error:
        assert type(error) is kind, f"{kind.__name__} expected, {type(error).__name__} raised: {error}"  # noqa: PT017  no pytest
        return
    raise AssertionError(f"{kind.__name__} expected, nothing raised")


class ObjectStoreSuite(KeySuite):
    """What every adapter of the S3 ports must do."""

    # Looking at one object

    def test_head_tells_size_type_and_an_etag_without_quotes(self) -> None:
        """The facts are the object's own."""
        objects = self.make_objects()
        facts = objects.head(self._put(objects))
        assert (facts.key, facts.size, facts.content_type, facts.head) == (KEY, len(BODY), "image/jpeg", b"")
        assert facts.etag
        assert '"' not in facts.etag

    def test_other_bytes_have_another_etag(self) -> None:
        """An overwritten object is told from the one before it; the same bytes are not."""
        objects = self.make_objects()
        first = objects.head(self._put(objects)).etag
        assert objects.head(self._put(objects)).etag == first
        assert objects.head(self._put(objects, body=BODY + b"!")).etag != first

    def test_peek_returns_the_facts_and_the_first_bytes(self) -> None:
        """The size is the whole object's, the head no longer than asked for."""
        objects = self.make_objects()
        key = self._put(objects)
        facts = objects.peek(key, length=16)
        assert (facts.size, facts.etag, facts.head) == (len(BODY), objects.head(key).etag, BODY[:16])

    def test_peek_into_a_short_object_returns_all_of_it(self) -> None:
        """Asking for more bytes than there are is no error."""
        objects = self.make_objects()
        facts = objects.peek(self._put(objects, body=b"x"), length=512)
        assert (facts.size, facts.head) == (1, b"x")

    def test_an_empty_object_has_no_first_byte(self) -> None:
        """Peek raises EmptyObjectError, head does not."""
        objects = self.make_objects()
        key = self._put(objects, body=b"")
        assert objects.head(key).size == 0
        with _raises(EmptyObjectError):
            objects.peek(key, length=512)

    def test_an_absent_object_is_not_found(self) -> None:
        """Every verb on one absent key raises ObjectNotFoundError, and only that."""
        objects = self.make_objects()
        asked: tuple[Callable[[], object], ...] = (
            lambda: objects.head(KEY),
            lambda: objects.peek(KEY, length=16),
            lambda: objects.tags(KEY),
        )
        for ask in asked:
            with _raises(ObjectNotFoundError):
                ask()

    def test_an_absent_object_cannot_be_tagged(self) -> None:
        """Tagging never creates."""
        objects = self.make_objects()
        with _raises(ObjectNotFoundError):
            objects.put_tags(KEY, {"status": "completed"})
        assert keys_of(objects) == []

    # Tags

    def test_tags_are_those_the_client_sent(self) -> None:
        """What was stored with tags has them."""
        objects = self.make_objects()
        assert objects.tags(self._put(objects, status="pending", team="blue")) == {"status": "pending", "team": "blue"}

    def test_an_untagged_object_has_an_empty_tag_set(self) -> None:
        """No tag is not an error."""
        objects = self.make_objects()
        assert objects.tags(self._put(objects)) == {}

    def test_put_tags_replaces_the_whole_set(self) -> None:
        """What is not named again is gone."""
        objects = self.make_objects()
        key = self._put(objects, status="pending", team="blue")
        objects.put_tags(key, {"status": "completed", "cost center": "a+b=c/d:e"})
        assert objects.tags(key) == {"status": "completed", "cost center": "a+b=c/d:e"}

    def test_put_tags_may_clear_the_set(self) -> None:
        """An empty set removes every tag."""
        objects = self.make_objects()
        key = self._put(objects, status="pending")
        objects.put_tags(key, {})
        assert objects.tags(key) == {}

    def test_put_tags_leaves_the_bytes_alone(self) -> None:
        """Retagging changes neither size nor etag."""
        objects = self.make_objects()
        before = objects.head(self._put(objects, status="pending"))
        objects.put_tags(KEY, {"status": "completing"})
        after = objects.head(KEY)
        assert (after.size, after.etag, after.content_type) == (before.size, before.etag, before.content_type)

    def test_an_overwrite_takes_the_tags_with_it(self) -> None:
        """A second put leaves nothing of the first one's tags."""
        objects = self.make_objects()
        self._put(objects, status="completed", team="blue")
        assert objects.tags(self._put(objects, status="pending")) == {"status": "pending"}

    # Deleting

    def test_a_deleted_object_is_gone(self) -> None:
        """No error is returned, and the key is absent afterwards."""
        objects = self.make_objects()
        other = self._put(objects, f"{KEY}.bak")
        assert objects.delete([Target(self._put(objects))]) == {}
        assert keys_of(objects) == [other]
        with _raises(ObjectNotFoundError):
            objects.head(KEY)

    def test_an_absent_object_counts_as_deleted(self) -> None:
        """Deleting is idempotent, also for more keys than one request takes."""
        objects = self.make_objects()
        targets = [Target(f"{PREFIX}{number:04}") for number in range(1001)]
        assert objects.delete([Target(self._put(objects)), *targets]) == {}
        assert objects.delete([Target(KEY)]) == {}

    def test_deleting_nothing_is_no_request(self) -> None:
        """An empty list of targets is no error."""
        assert self.make_objects().delete([]) == {}

    def test_a_delete_with_the_current_etag_deletes(self) -> None:
        """The condition holds, so the object goes."""
        objects = self.make_objects()
        etag = objects.head(self._put(objects)).etag
        assert objects.delete([Target(KEY, etag)]) == {}
        assert keys_of(objects) == []

    def test_a_delete_with_another_etag_fails_for_that_key_alone(self) -> None:
        """The error names the key that stays; the others go."""
        objects = self.make_objects()
        stale = objects.head(self._put(objects, body=b"before")).etag
        self._put(objects, body=b"after")
        gone = self._put(objects, f"{PREFIX}gone")
        errors = objects.delete([Target(KEY, stale), Target(gone)])
        assert set(errors) == {KEY}
        assert errors[KEY]
        assert keys_of(objects) == [KEY]

    # The marker

    def test_a_bucket_without_marker_is_bound_to_nothing(self) -> None:
        """No marker is None, not an error."""
        assert self.make_objects().marker(f"{PREFIX}.reconciler/instance.json")[0] is None

    def test_a_marker_reads_back_with_the_time_of_the_store(self) -> None:
        """What was written is read, and S3's clock with it."""
        objects, key = self.make_objects(), f"{PREFIX}.reconciler/instance.json"
        objects.put_marker(key, Binding("one", objects.bucket, PREFIX), overwrite=False)
        binding, moment = objects.marker(key)
        assert binding == Binding("one", objects.bucket, PREFIX)
        assert moment is not None
        assert moment.utcoffset() is not None

    def test_a_marker_is_tagged_system(self) -> None:
        """The lifecycle rule must never see it."""
        objects, key = self.make_objects(), f"{PREFIX}.reconciler/instance.json"
        objects.put_marker(key, Binding("one", objects.bucket, PREFIX), overwrite=False)
        assert objects.tags(key) == {"status": "system"}

    def test_a_marker_is_put_once(self) -> None:
        """Without `overwrite` the first one stays, and nothing is raised; with it the second one takes its place."""
        objects, key = self.make_objects(), f"{PREFIX}.reconciler/instance.json"
        one, two = (Binding(name, objects.bucket, PREFIX) for name in ("one", "two"))
        objects.put_marker(key, one, overwrite=False)
        objects.put_marker(key, two, overwrite=False)
        assert objects.marker(key)[0] == one
        objects.put_marker(key, two, overwrite=True)
        assert objects.marker(key)[0] == two

    # The bucket

    def test_a_missing_bucket_is_not_an_absent_object(self) -> None:
        """Whatever is read of it, the bucket is what is missing; only HEAD cannot say, its answer has no body."""
        objects = self.make_objects(exists=False)
        asked: tuple[Callable[[], object], ...] = (
            lambda: listed(objects),
            lambda: objects.peek(KEY, length=16),
            lambda: objects.tags(KEY),
            lambda: objects.marker(KEY),
        )
        for ask in asked:
            with _raises(BucketNotFoundError):
                ask()

    def test_a_missing_bucket_is_not_tagged(self) -> None:
        """Tagging in it says that the bucket is missing."""
        with _raises(BucketNotFoundError):
            self.make_objects(exists=False).put_tags(KEY, {"status": "completed"})

    def test_a_missing_bucket_is_not_created(self) -> None:
        """Writing the marker says that the bucket is missing."""
        objects = self.make_objects(exists=False)
        with _raises(BucketNotFoundError):
            objects.put_marker(KEY, Binding("one", objects.bucket, PREFIX), overwrite=False)

    def test_nothing_is_deleted_from_a_missing_bucket(self) -> None:
        """No key is confirmed as gone: the verb raises BucketNotFoundError, or names every key."""
        objects = self.make_objects(exists=False)
        try:
            errors = objects.delete([Target(KEY)])
        except BucketNotFoundError:
            return
        assert set(errors) == {KEY}
