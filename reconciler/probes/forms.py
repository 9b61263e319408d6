"""What a presigned POST form may do: tried as signed, and with another tag, key or size than signed."""

from collections.abc import Mapping
from typing import Any

from reconciler.core.model import Tag
from reconciler.core.promises import KEPT, Result, broken
from reconciler.ports import Answer
from reconciler.probes.bench import BODY, PUTS, SECONDS, TYPE, Bench, NotTriedError, Probe


def form(bench: Bench) -> Result:
    """Send a form as signed, and read its tag."""
    answer = _send(bench, "form")
    if not answer.ok:
        return broken(f"refuses the field `tagging` ({answer})" if _takes_any(bench) else f"refuses every form ({answer})")
    found = bench.tag(bench.key("form"))
    return KEPT if found == Tag.PENDING.value else broken(f"stores it with the tag {found}" if found else "drops the tag")


def form_policy(bench: Bench) -> Result:
    """Send forms with another tag, another key, and too large a file."""
    if not (answer := _send(bench, "form-as-signed")).ok:
        _takes_any(bench)
        return broken(f"refuses the form that was signed, too ({answer})")
    other = bench.key("form-another")
    changes = {
        "tag": _send(bench, "form-tag", tagging=_XML.format(Tag.COMPLETED.value)),
        "key": _send(bench, "form-key", key=other),
        "size": _send(bench, "form-size", body=BODY * 2),
    }
    taken = [name for name, answer in changes.items() if answer.ok]
    return broken(f"takes another {', '.join(taken)}") if taken else KEPT


_XML = "<Tagging><TagSet><Tag><Key>status</Key><Value>{}</Value></Tag></TagSet></Tagging>"


def _send(bench: Bench, name: str, *, body: bytes = BODY, **changed: str) -> Answer:
    """Send a form with some of its fields changed."""
    request = bench.signer.post(bench.key(name), content_type=TYPE, min_size=1, max_size=len(BODY), seconds=SECONDS)
    fields: list[Any] = [*{**request.fields, **changed}.items(), ("file", ("probe.jpg", body, TYPE))]
    return bench.store.send("POST", request.url, fields=fields)


def _takes_any(bench: Bench) -> bool:
    """Say whether a form without a tag is taken; NotTriedError where forms are forbidden here, to these credentials or to all."""
    request = bench.store.form(bench.key("form-untagged"))
    fields = [*request.fields.items(), ("file", ("probe.jpg", BODY, TYPE))]
    answer = bench.store.send("POST", request.url, fields=fields)
    if answer.denied:
        raise NotTriedError("every form is denied: a bucket policy such as NoPost does that, or these credentials may not")
    return answer.ok


PROBES: Mapping[str, Probe] = {
    "form": Probe(needs=PUTS | {"get-tags"}, run=form),
    "form-policy": Probe(needs=PUTS, run=form_policy),
}
