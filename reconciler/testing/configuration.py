"""The conformance suite of BucketConfiguration: what every store of a bucket's configuration has to do.

Subclass it, say how to make a store for a fresh bucket, and pytest does the rest.
"""

from typing import Any

from reconciler.core.parts import SHAPES, Configuration, Item, Part, PartName, same_configuration
from reconciler.ports import BucketConfiguration

BUCKET = "photos"
TOPIC = "arn:aws:sns:us-east-1:123456789012:events"


def sample(name: PartName, number: int, *, bucket: str = BUCKET, topic: str = TOPIC) -> Item:
    """Return an item that somebody might have put there; each number another one, for another prefix."""
    folder, called = f"theirs{number}/", f"theirs{number}"
    match name:
        case PartName.LIFECYCLE:
            tags = [{"Key": "team", "Value": "blue"}, {"Key": "draft", "Value": "a b+c"}]
            return {
                "ID": called,
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": folder, "Tags": tags[:number]}} if number else {"Prefix": folder},
                "Expiration": {"Days": 30 + number},
            }
        case PartName.CORS:
            return {"ID": called, "AllowedOrigins": [f"https://{called}.example"], "AllowedMethods": ["GET"], "MaxAgeSeconds": 60}
        case PartName.NOTIFICATIONS:
            rules = [{"Name": "prefix", "Value": folder}]
            events = ["s3:ObjectCreated:*"]
            return {"Kind": "topic", "Id": called, "TopicArn": topic, "Events": events, "Filter": {"Key": {"FilterRules": rules}}}
        case PartName.POLICY:
            return {
                "Sid": called,
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:DeleteObject",
                "Resource": f"arn:aws:s3:::{bucket}/{folder}*",
            }


class BucketConfigurationSuite:
    """Subclass it and define `make_store`."""

    bucket = BUCKET
    topic = TOPIC

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run what is said of a part for every part; pytest calls this."""
        if "name" in metafunc.fixturenames:
            metafunc.parametrize("name", list(PartName))

    def make_store(self) -> BucketConfiguration:
        """Return a store of a fresh bucket's configuration, and say in `bucket` and `topic` what it may name."""
        raise NotImplementedError

    def sample(self, name: PartName, number: int) -> Item:
        """Return an item for the store's own bucket."""
        return sample(name, number, bucket=self.bucket, topic=self.topic)

    def test_a_part_that_nobody_put_is_empty(self, name: PartName) -> None:
        """A fresh bucket has no item of any part."""
        assert self.make_store().read(name).items == ()

    def test_what_is_put_reads_back(self, name: PartName) -> None:
        """Each item means what it meant, and none is more or less."""
        store = self.make_store()
        items = tuple(self.sample(name, number) for number in range(3))
        store.write(name, Configuration(items))
        part = Part(name=name, mark="theirs", variants=(items,))
        found = store.read(name)
        assert not part.compare(found, items).drifted
        assert len(found.items) == len(items)

    def test_what_was_read_can_be_put_again(self, name: PartName) -> None:
        """And reads back to the letter: so others' items survive being carried along."""
        store = self.make_store()
        store.write(name, Configuration(tuple(self.sample(name, number) for number in range(3))))
        before = store.read(name)
        store.write(name, Configuration((*before.items, self.sample(name, 3)), before.rest))
        after = store.read(name)
        part = Part(name=name, mark="theirs3", variants=((self.sample(name, 3),),))
        assert part.same_foreign(before, after)

    def test_reading_twice_reads_the_same(self, name: PartName) -> None:
        """In whatever order."""
        store = self.make_store()
        store.write(name, Configuration(tuple(self.sample(name, number) for number in range(3))))
        assert same_configuration(store.read(name), store.read(name))

    def test_a_part_is_replaced_as_a_whole(self, name: PartName) -> None:
        """What is not put again is gone."""
        store = self.make_store()
        store.write(name, Configuration((self.sample(name, 0), self.sample(name, 1))))
        store.write(name, Configuration((self.sample(name, 1),)))
        assert [item[SHAPES[name].identity] for item in store.read(name).items] == ["theirs1"]

    def test_a_part_without_items_is_removed(self, name: PartName) -> None:
        """And then is as if nobody had ever put it."""
        store = self.make_store()
        store.write(name, Configuration((self.sample(name, 0),)))
        store.write(name, Configuration())
        assert store.read(name).items == ()

    def test_a_policy_keeps_its_version_and_its_id(self) -> None:
        """They are the document's, and not ours to change."""
        store = self.make_store()
        rest: Any = {"Version": "2012-10-17", "Id": "theirs"}
        store.write(PartName.POLICY, Configuration((self.sample(PartName.POLICY, 0),), rest))
        assert store.read(PartName.POLICY).rest == rest

    def test_eventbridge_is_one_item(self) -> None:
        """Turned on beside notifications, it is there, and carried along like any other."""
        store = self.make_store()
        switch = {"Kind": "eventbridge", "Id": "eventbridge"}
        store.write(PartName.NOTIFICATIONS, Configuration((self.sample(PartName.NOTIFICATIONS, 0), switch)))
        assert switch in store.read(PartName.NOTIFICATIONS).items

    def test_versions_are_not_kept_unasked(self) -> None:
        """A fresh bucket says nothing."""
        assert self.make_store().versioning() == ""

    def test_public_access_is_switches(self) -> None:
        """By S3's names, or none where nothing was set."""
        names = {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"}
        assert set(self.make_store().access_block()) in (names, set())

    def test_ownership_is_in_s3s_words(self) -> None:
        """Or nothing where nothing was set."""
        assert self.make_store().ownership() in ("", "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
