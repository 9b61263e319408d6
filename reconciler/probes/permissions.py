"""What these credentials may do, tried in the probes' own folder, so that a refusal is never taken for a broken promise.

Nothing is left behind by credentials that may not delete: where a PUT is tried, its Content-MD5 is wrong. A store refuses it
for that reason only where it would otherwise have taken it. The bucket's configuration is read, never put.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from reconciler.core.model import Tag
from reconciler.core.roles import PERMISSIONS, May
from reconciler.ports import Answer
from reconciler.probes.bench import BODY, Bench, tag_set, tagged

WRONG_MD5 = "AAAAAAAAAAAAAAAAAAAAAA=="  # of 16 zero bytes
NOT_FOUND = 404
READS: Mapping[str, str] = {
    "lifecycle": "get_bucket_lifecycle_configuration",
    "versioning": "get_bucket_versioning",
    "policy": "get_bucket_policy",
    "cors": "get_bucket_cors",
    "notifications": "get_bucket_notification_configuration",
    "public-access": "get_public_access_block",
    "ownership": "get_bucket_ownership_controls",
}


def permissions(bench: Bench) -> dict[str, May]:
    """Try out every permission, and return what was found of each."""
    listing = bench.store.ask("list_objects_v2", Prefix=bench.folder, MaxKeys=1)
    found = {"list": _may(listing), **_puts(bench)}
    found["delete"] = _may(_settled(bench, "may-absent", lambda key: bench.store.ask("delete_object", Key=key)))
    # An object of our own only where it can be put and taken away again; to read, anybody's will do, but never to tag.
    at_hand = May.YES is found["put"] is found["tag-put"] is found["delete"]
    key = bench.put("may") if at_hand else f"{bench.folder}may-absent"
    there = key if at_hand else _any_key(bench)
    # Of an object's first byte, for it may be large.
    answers = {
        "get": bench.store.ask("get_object", Key=there or key, Range="bytes=0-0"),
        "get-tags": bench.store.ask("get_object_tagging", Key=there or key),
        "retag": bench.retag(key, Tag.COMPLETING),
    }
    found |= {name: _may_key(answer, listed=found["list"]) for name, answer in answers.items()}
    found |= {name: _may(bench.store.ask(operation)) for name, operation in READS.items()}
    found["retag-version"] = _may_retag_version(bench, key, at_hand=at_hand)
    return {name: found[name] for name in PERMISSIONS}


def _puts(bench: Bench) -> dict[str, May]:
    """Try a PUT with its tag, and where that is denied one without."""
    with_tag = _put(bench, tagged(Tag.PENDING))
    if not with_tag.denied:
        may = _may(with_tag)
        return {"put": may, "tag-put": may}
    plain = _put(bench, "")
    if plain.denied:  # nothing is known of a tag where nothing may be put
        return {"put": May.NO, "tag-put": May.NO}
    return {"put": _may(plain), "tag-put": May.NO}


def _put(bench: Bench, tagging: str) -> Answer:
    tags: dict[str, Any] = {"Tagging": tagging} if tagging else {}
    put = partial(bench.store.ask, "put_object", Body=BODY, ContentMD5=WRONG_MD5, **tags)
    return _settled(bench, "may-put", lambda key: put(Key=key))


def _settled(bench: Bench, name: str, request: Callable[[str], Answer]) -> Answer:
    """Send a request about a key, and forget the key where nothing can have come of it."""
    answer = request(bench.key(name))
    if 400 <= answer.status < 500:  # noqa: PLR2004  refused; after a 5xx anything may have happened
        bench.keys.remove(bench.key(name))
    return answer


def _may_retag_version(bench: Bench, key: str, *, at_hand: bool) -> May:
    """Tag the very version, on a bucket that keeps versions; on another one nobody needs to."""
    kept = bench.store.ask("get_bucket_versioning")
    if kept.ok and "Status" not in kept.content:
        return May.YES
    version = bench.store.ask("head_object", Key=key).content.get("VersionId") if kept.ok and at_hand else None
    if version is None:
        return May.UNTRIED
    return _may(bench.store.ask("put_object_tagging", Key=key, VersionId=version, Tagging=tag_set(Tag.COMPLETING)))


def _may(answer: Answer) -> May:
    if answer.denied:
        return May.NO
    return May.UNTRIED if answer.status >= 500 else May.YES  # noqa: PLR2004  a store that does not know the request says 501


def _may_key(answer: Answer, *, listed: May) -> May:
    """Judge a request about a key. Of an absent one nothing is known: it is hidden from those who may not list.

    Some stores say 404 before they look at permissions (Ceph does), others 403 for what is not there.
    """
    if answer.status == NOT_FOUND or (answer.denied and listed is not May.YES):
        return May.UNTRIED
    return _may(answer)


def _any_key(bench: Bench) -> str | None:
    """Return a key under the prefix at which something lies."""
    answer = bench.store.ask("list_objects_v2", Prefix=bench.here.prefix, MaxKeys=1)
    return next((item["Key"] for item in answer.content.get("Contents", [])), None)
