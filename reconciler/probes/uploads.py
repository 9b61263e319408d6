"""What a presigned PUT may do, and nothing else: tried by sending it as signed, otherwise than signed, too late and twice."""

from collections.abc import Mapping
from urllib.parse import quote

from reconciler.core.model import Tag
from reconciler.core.promises import KEPT, Result, broken, untried
from reconciler.ports import Answer
from reconciler.probes.bench import BODY, PUTS, Bench, Probe, must
from reconciler.probes.clocks import behind

PRECONDITION_FAILED = 412
LATE = 2.1  # seconds: S3's clock has whole seconds
PATIENCE = 5.0  # how far S3's clock may be behind before waiting for a URL to expire takes too long


def tag(bench: Bench) -> Result:
    """Send a PUT as signed, and read its tag."""
    request = bench.ticket("tag")
    must(bench.send(request), "a signed PUT")
    found = bench.tag(bench.key("tag"))
    return KEPT if found == Tag.PENDING.value else broken(f"stores it with the tag {found}" if found else "drops the tag")


def signature(bench: Bench) -> Result:
    """Send a signed PUT with another signature, and to another key."""
    request, other = bench.ticket("signature"), bench.key("another")
    bent = request.url[:-1] + ("0" if request.url[-1] != "0" else "1")
    elsewhere = request.url.replace(quote(bench.key("signature"), safe="/~"), quote(other, safe="/~"))
    must_refuse = {"a false signature": bench.send(request, url=bent), "another key": bench.send(request, url=elsewhere)}
    return _refused(must_refuse, "takes")


def expiry(bench: Bench) -> Result:
    """Send a PUT whose URL has lived its one second."""
    late = behind(bench)
    if late > PATIENCE:
        return untried(f"the clock of the store is {late:.0f} s behind")
    request = bench.ticket("expiry", seconds=1)
    bench.here.sleep(LATE + max(0.0, late))
    return _refused({"an expired URL": bench.send(request)}, "takes")


def signed(bench: Bench) -> Result:
    """Send a PUT with another tag, type or size than signed."""
    changes: Mapping[str, Answer] = {
        "tag": bench.send(bench.ticket("signed-tag"), x_amz_tagging="status=completed"),
        "type": bench.send(bench.ticket("signed-type"), content_type="text/html"),
        "size": bench.send(bench.ticket("signed-size"), body=BODY + b"!"),
    }
    return _refused(changes, "takes another")


def unsigned(bench: Bench) -> Result:
    """Add to a PUT a tag, an ACL and a source to copy, none of them signed. The ACL is the one that every object has."""
    source = f"/{bench.store.bucket}/{quote(bench.put('source', body=b'source'))}"
    changes = {"x-amz-tagging": "status=completed", "x-amz-acl": "private", "x-amz-copy-source": source}
    heeded = {
        name: bench.store.send(
            "PUT", bench.store.presigned("put_object", Key=bench.key(f"unsigned-{name}")), headers={name: value}, body=BODY
        )
        for name, value in changes.items()
    }
    return _refused(heeded, "heeds")


def create_once(bench: Bench) -> Result:
    """Send a signed PUT twice, with other bytes the second time."""
    request = bench.ticket("twice")
    must(bench.send(request), "a signed PUT")
    again = bench.send(request, body=bytes(len(BODY)))
    if again.ok:
        return broken("overwrites")
    return KEPT if again.status == PRECONDITION_FAILED else broken(f"answers {again}, not 412")


def _refused(answers: Mapping[str, Answer], how: str) -> Result:
    """Return that nothing was taken, or what was. Whether refused for want of a permission or of a signature is the same here."""
    taken = [name for name, answer in answers.items() if answer.ok]
    odd = [f"answers {answer} to {name}" for name, answer in answers.items() if answer.status >= 500]  # noqa: PLR2004
    if taken:
        return broken(f"{how} {', '.join(taken)}")
    return untried(", ".join(odd)) if odd else KEPT


PROBES: Mapping[str, Probe] = {
    "tag": Probe(needs=PUTS | {"get-tags"}, run=tag),
    "signature": Probe(needs=PUTS, run=signature),
    "expiry": Probe(needs=PUTS, run=expiry),
    "signed": Probe(needs=PUTS, run=signed),
    "unsigned": Probe(needs=PUTS, run=unsigned),
    "create-once": Probe(needs=PUTS, run=create_once),
}
