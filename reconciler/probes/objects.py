"""What a store makes of objects: deleting them, listing them, naming them, tagging them anew."""

from collections.abc import Mapping
from typing import Any

from reconciler.core.model import Tag
from reconciler.core.promises import KEPT, Result, broken, untried
from reconciler.probes.bench import LISTS, PUTS, Bench, NotTriedError, Probe, must

NOT_FOUND = 404
TICK = 1.1  # seconds: HTTP dates have whole ones
ORDERED = ("a-b", "a/x", "a0")
NAMES = {"`a//b`": ("a//b", "a/b"), "`.` and `..`": ("a/../b", "a/./b"), "`a` beside `a/b`": ("a", "a/b")}


def delete_many(bench: Bench) -> Result:
    """Delete two objects and an absent key in one request."""
    keys = [bench.put("bulk-1"), bench.put("bulk-2"), f"{bench.folder}bulk-absent"]
    answer = _delete(bench, [{"Key": key} for key in keys])
    if isinstance(answer, str):
        return broken(answer)
    left = [key for key in keys if bench.there(key)]
    return broken(f"leaves {len(left)} of {len(keys)}") if left else KEPT


def delete_many_etag(bench: Bench) -> Result:
    """Delete an object in bulk by another one's etag."""
    key = bench.put("bulk-etag")
    answer = _delete(bench, [{"Key": key, "ETag": _other_etag(bench)}])
    if isinstance(answer, str) and bench.there(key):
        return KEPT if "Precondition" in answer else untried(answer)
    return KEPT if bench.there(key) else broken("ignores the etag")


def delete_one_etag(bench: Bench) -> Result:
    """Delete one object by another one's etag."""
    key = bench.put("one-etag")
    answer = bench.store.ask("delete_object", Key=key, IfMatch=f'"{_other_etag(bench)}"')
    if not bench.there(key):
        return broken("ignores the etag")
    return broken("says it deleted it") if answer.ok else KEPT


def _other_etag(bench: Bench) -> str:
    """Return the etag of an object with other bytes."""
    key = bench.put("other-bytes", body=b"other bytes")
    return str(must(bench.store.ask("head_object", Key=key), "a HEAD").content["ETag"]).strip('"')


def _delete(bench: Bench, objects: list[dict[str, Any]]) -> str | None:
    """Delete in bulk; return what was said to be wrong."""
    if not bench.bears_bulk():
        raise NotTriedError("RECONCILER_BULK_DELETE is false, or removals are pushed to somebody: Ceph 16 would die of it")
    answer = bench.store.ask("delete_objects", Delete={"Objects": objects, "Quiet": True})
    if answer.denied:
        raise NotTriedError("s3:DeleteObject is not permitted in bulk; Ceph asks for it on the bucket as well")
    if not answer.ok:
        return f"answers {answer}"
    errors = [f"answers {error.get('Code')}" for error in answer.content.get("Errors", [])]
    return errors[0] if errors else None


def order(bench: Bench) -> Result:
    """List three keys that only bytes sort so."""
    folder = f"{bench.folder}order/"
    for name in ORDERED:
        bench.put(f"order/{name}")
    found = [key.removeprefix(folder) for key in bench.listed(folder)]
    return KEPT if found == list(ORDERED) else broken(f"lists {', '.join(found)}")


def names(bench: Bench) -> Result:
    """Put objects whose keys a file system would not take, or take for one another."""
    wrong: list[str] = []
    for number, (words, pair) in enumerate(NAMES.items()):
        folder = f"{bench.folder}names-{number}/"
        answers = [bench.store.ask("put_object", Key=bench.key(f"names-{number}/{name}"), Body=b"x") for name in pair]
        refused = [answer for answer in answers if not answer.ok]
        if refused:
            wrong.append(f"refuses {words} ({refused[0]})")
        elif (found := [key.removeprefix(folder) for key in bench.listed(folder)]) != sorted(pair):
            wrong.append(f"lists {words} as {', '.join(found) or 'nothing'}")
    return broken("; ".join(wrong)) if wrong else KEPT


def absent(bench: Bench) -> Result:
    """Look at a key where nothing ever was."""
    key = f"{bench.folder}absent"
    answers = {verb: bench.store.ask(verb, Key=key) for verb in ("head_object", "get_object", "get_object_tagging")}
    if any(answer.denied for answer in answers.values()):
        return untried("denied: s3:ListBucket, s3:GetObject or s3:GetObjectTagging is missing")
    wrong = [f"answers {answer} to {verb}" for verb, answer in answers.items() if answer.status != NOT_FOUND]
    return broken(", ".join(wrong)) if wrong else KEPT


def retag_time(bench: Bench) -> Result:
    """Tag an object anew, more than a second after it was put."""
    key = bench.put("retagged")
    before = _modified(bench, key)
    bench.here.sleep(TICK)
    must(bench.retag(key, Tag.COMPLETING), "tagging")
    return KEPT if _modified(bench, key) == before else broken("sets it")


def _modified(bench: Bench, key: str) -> object:
    return must(bench.store.ask("head_object", Key=key), "a HEAD").content["LastModified"]


PROBES: Mapping[str, Probe] = {
    "delete-many": Probe(needs=PUTS, run=delete_many),
    "delete-many-etag": Probe(needs=PUTS, run=delete_many_etag),
    "delete-one-etag": Probe(needs=PUTS, run=delete_one_etag),
    "order": Probe(needs=LISTS, run=order),
    "names": Probe(needs=LISTS, run=names),
    "absent": Probe(needs=frozenset({"list", "get", "get-tags"}), run=absent),
    "retag-time": Probe(needs=PUTS | {"retag"}, run=retag_time),
}
