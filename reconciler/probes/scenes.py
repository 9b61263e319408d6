"""What each purpose of the bucket policy must refuse, and what it must let through, as requests that can be sent.

`refuses` and `spares` are sent while the policy names roles that nobody has: the first must be denied, the second must not, for
they are everybody's. `passes` is sent while everybody has the roles: it must not be denied either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.model import Tag
from reconciler.ports import Answer
from reconciler.probes.bench import BODY, SECONDS, TYPE, Bench, tagged

Act = Callable[[Bench, str], Answer]
DAY = "2026/"  # our keys begin with a year; any will do
MARKER = ".reconciler/instance.json"


@dataclass(frozen=True, slots=True)
class Scene:
    """One request. With a tag, an object so tagged is put at the key before."""

    name: str
    act: Act
    tag: Tag | None = None
    fixed: str = ""  # the one key this is about, where any will not do
    moot: bool = False  # may be refused by everybody's leave: then there is nothing to deny, and denying it does no harm


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The scenes of one purpose."""

    refuses: tuple[Scene, ...] = ()
    spares: tuple[Scene, ...] = ()
    passes: tuple[Scene, ...] = ()

    def without_bulk(self) -> "Case":
        """Return the same without deletions in bulk, for a store that cannot bear them."""
        kept = (tuple(scene for scene in scenes if scene.act is not _bulk) for scenes in (self.refuses, self.spares, self.passes))
        refuses, spares, passes = kept
        return Case(refuses=refuses, spares=spares, passes=passes)


def _signed(**parameters: Any) -> Act:
    """Return the sending of a PUT that is presigned with these parameters and no others."""
    headers = {"Tagging": "x-amz-tagging", "IfNoneMatch": "If-None-Match"}
    sent = {headers[name]: value for name, value in parameters.items()}

    def act(bench: Bench, key: str) -> Answer:
        url = bench.store.presigned("put_object", Key=key, **parameters)
        return bench.store.send("PUT", url, headers=sent, body=BODY)

    return act


def _asked(operation: str, **parameters: Any) -> Act:
    return lambda bench, key: bench.store.ask(operation, Key=key, **parameters)


def _ticket(bench: Bench, key: str) -> Answer:
    return bench.send(bench.ticket(key.removeprefix(bench.folder)))


def _form(bench: Bench, key: str) -> Answer:
    request = bench.signer.post(key, content_type=TYPE, min_size=1, max_size=len(BODY), seconds=SECONDS)
    return bench.store.send("POST", request.url, fields=[*request.fields.items(), ("file", ("probe.jpg", BODY, TYPE))])


def _bulk(bench: Bench, key: str) -> Answer:
    answer = bench.store.ask("delete_objects", Delete={"Objects": [{"Key": key}]})
    errors = answer.content.get("Errors", [])
    return replace(answer, status=403, code=str(errors[0].get("Code"))) if errors else answer


def _retag(old: Tag, new: Tag) -> Scene:
    return Scene(f"tagging {old.value} as {new.value}", lambda bench, key: bench.retag(key, new), tag=old)


PENDING = tagged(Tag.PENDING)
UPLOAD = Scene("a presigned PUT", _ticket)
UNTAGGED = Scene("a presigned PUT without a tag", _signed(IfNoneMatch="*"))
AS_COMPLETED = Scene("a presigned PUT as completed", _signed(IfNoneMatch="*", Tagging=tagged(Tag.COMPLETED)))
UNCONDITIONAL = Scene("a presigned PUT without If-None-Match", _signed(Tagging=PENDING))
BY_HEADER = Scene("a PUT that is not presigned", _asked("put_object", Body=BODY, Tagging=PENDING, IfNoneMatch="*"))
MARK = Scene("the reconciler's marker", _asked("put_object", Body=b"{}", Tagging=tagged(Tag.SYSTEM)), fixed=MARKER)
PUBLIC = Scene("a PUT for every account to read", _asked("put_object", Body=BODY, Tagging=PENDING, ACL="authenticated-read"))
FORM = Scene("a form", _form, moot=True)
READ = Scene("reading", _asked("get_object"), tag=Tag.PENDING)
OLD = Scene("reading, signed with SigV2", _asked("get_object", old=True), tag=Tag.PENDING)
UNTAG = Scene("taking the tags away", _asked("delete_object_tagging"), tag=Tag.PENDING)
DELETE = Scene("a deletion", _asked("delete_object"), tag=Tag.PENDING)
DELETE_BULK = Scene("a deletion in bulk", _bulk, tag=Tag.PENDING)
DELETE_VERSION = Scene("deleting a version", _asked("delete_object", VersionId="null"), tag=Tag.PENDING)
COMPLETING = _retag(Tag.PENDING, Tag.COMPLETING)
COMPLETED = _retag(Tag.COMPLETING, Tag.COMPLETED)
BACK = _retag(Tag.COMPLETED, Tag.PENDING)
AGAIN = _retag(Tag.PENDING, Tag.PENDING)
UNSETTLE = _retag(Tag.COMPLETED, Tag.COMPLETING)
AT_ONCE = _retag(Tag.PENDING, Tag.COMPLETED)
JUDGE = _retag(Tag.COMPLETED, Tag.CHANGED)

CASES: Mapping[str, Case] = {
    "TlsOnly": Case(spares=(READ,)),
    "SigV4Only": Case(refuses=(OLD,), spares=(READ, UPLOAD)),
    "OnlyOurRolesUpload": Case(refuses=(UPLOAD,), spares=(READ,), passes=(UPLOAD, MARK)),
    "PresignedOnly": Case(refuses=(BY_HEADER,), spares=(UPLOAD,), passes=(BY_HEADER, MARK)),
    "BornPending": Case(refuses=(UNTAGGED, AS_COMPLETED), spares=(UPLOAD,), passes=(UPLOAD, MARK)),
    "NoOtherTag": Case(refuses=(AS_COMPLETED,), spares=(UPLOAD,), passes=(MARK,)),
    "MarkerIsOurs": Case(refuses=(MARK,), spares=(UPLOAD, COMPLETING), passes=(MARK,)),
    "NoOverwrite": Case(refuses=(UNCONDITIONAL,), spares=(UPLOAD,), passes=(UPLOAD, MARK)),
    "NoPost": Case(refuses=(FORM,), spares=(UPLOAD,)),
    "ShortUrls": Case(refuses=(UPLOAD,), spares=(READ,), passes=(UPLOAD,)),
    "OnlyOursTag": Case(refuses=(COMPLETING,), spares=(UPLOAD,), passes=(COMPLETING, COMPLETED)),
    "OnlyPresignerBegins": Case(refuses=(AGAIN,), spares=(COMPLETING,), passes=(AGAIN, UPLOAD)),
    "CompleteFromPending": Case(refuses=(UNSETTLE,), spares=(COMPLETING, UPLOAD), passes=(UNSETTLE,)),
    "SettleFromCompleting": Case(refuses=(AT_ONCE,), spares=(COMPLETED, UPLOAD), passes=(AT_ONCE,)),
    "OnlyReconcilerJudges": Case(refuses=(JUDGE,), spares=(COMPLETING, COMPLETED, UPLOAD), passes=(JUDGE,)),
    "NoWayBack": Case(refuses=(BACK,), spares=(COMPLETING, COMPLETED, UPLOAD)),
    "TagsStay": Case(refuses=(UNTAG,), spares=(COMPLETING, UPLOAD)),
    "OnlyReconcilerDeletes": Case(refuses=(DELETE, DELETE_BULK), spares=(UPLOAD,), passes=(DELETE, DELETE_BULK)),
    "VersionsStay": Case(refuses=(DELETE_VERSION,), spares=(DELETE, DELETE_BULK)),
    "NotPublic": Case(refuses=(PUBLIC,), spares=(UPLOAD,)),
}
"""By purpose; TlsOnly must also refuse, but that can be seen over plain HTTP alone (see probes/policy.py)."""
