"""What becomes of a multipart upload's tags, and of an object that lies where it ends."""

from collections.abc import Mapping
from typing import Any

from reconciler.core.model import Tag
from reconciler.core.promises import KEPT, Result, broken
from reconciler.ports import Answer
from reconciler.probes.bench import BODY, PUTS, TYPE, Bench, Probe, must, tagged
from reconciler.probes.uploads import PRECONDITION_FAILED


def multipart_tags(bench: Bench) -> Result:
    """Upload in one part, with the tag where S3 takes it: at the beginning."""
    key = bench.key("multipart")
    must(_upload(bench, key), "a multipart upload")
    found = bench.tag(key)
    return KEPT if found == Tag.PENDING.value else broken(f"turns the tag into {found}" if found else "loses them")


def multipart_once(bench: Bench) -> Result:
    """Complete on condition that nothing lies at the key, where something does."""
    key = bench.put("multipart-taken")
    answer = _upload(bench, key, IfNoneMatch="*")
    if answer.ok:
        return broken("ignores `If-None-Match` there")
    return KEPT if answer.status == PRECONDITION_FAILED else broken(f"answers {answer}, not 412")


def _upload(bench: Bench, key: str, **condition: Any) -> Answer:
    """Upload in one part and return the answer to the last request."""
    begun = must(
        bench.store.ask("create_multipart_upload", Key=key, ContentType=TYPE, Tagging=tagged(Tag.PENDING)),
        "CreateMultipartUpload",
    )
    upload = {"Key": key, "UploadId": begun.content["UploadId"]}
    bench.multiparts.append((key, upload["UploadId"]))
    part = must(bench.store.ask("upload_part", PartNumber=1, Body=BODY, **upload), "UploadPart")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part.content["ETag"]}]}
    answer = bench.store.ask("complete_multipart_upload", MultipartUpload=parts, **upload, **condition)
    if answer.ok:
        bench.multiparts.pop()
    return answer


PROBES: Mapping[str, Probe] = {
    "multipart-tags": Probe(needs=PUTS | {"get-tags"}, run=multipart_tags),
    "multipart-once": Probe(needs=PUTS, run=multipart_once),
}
