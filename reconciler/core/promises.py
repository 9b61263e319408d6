"""What a store has to keep for our promises to hold: each in words, with what to do instead where one store does not keep it.

`reconcile doctor` tries them out and returns a finding for each. The README's table of stores, and what follows from a no, are
made from the same words.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What trying a promise out has shown."""

    KEPT = "kept"
    BROKEN = "not kept"
    UNTRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict, and in words how a promise is broken, or why it was not tried."""

    verdict: Verdict
    how: str = ""


KEPT = Result(Verdict.KEPT)


def broken(how: str) -> Result:
    """Return that a promise is not kept, and how."""
    return Result(Verdict.BROKEN, how)


def untried(why: str) -> Result:
    """Return that a promise was not tried, and why."""
    return Result(Verdict.UNTRIED, why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise. `aws` is what AWS documents; `instead` what to do where it is not kept.

    `of_store` is False for what depends on a deployment's own set-up: no table of stores holds it.
    """

    id: str
    text: str
    instead: str
    aws: str = "yes"
    of_store: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one promise."""

    promise: Promise
    result: Result

    @property
    def kept(self) -> bool:
        """Whether it was tried and holds."""
        return self.result.verdict is Verdict.KEPT

    @property
    def broken(self) -> bool:
        """Whether it was tried and does not hold."""
        return self.result.verdict is Verdict.BROKEN

    @property
    def cell(self) -> str:
        """What a table says of it: yes, no and how, or not tried."""
        if self.result.verdict is Verdict.UNTRIED:
            return Verdict.UNTRIED.value
        return f"no: {self.result.how}" if self.broken else "yes"


PROMISES = (
    Promise(
        id="tag",
        text="stores a PUT with its tag",
        instead="do not use this store: without object tags neither the two votes nor the lifecycle rule work",
    ),
    Promise(
        id="signature",
        text="verifies signatures",
        instead="do not use this store for anything but tests: whoever knows its address can upload",
    ),
    Promise(
        id="expiry",
        text="refuses a URL that has expired",
        instead="do not use this store for anything but tests: a URL would work for ever",
    ),
    Promise(
        id="signed",
        text="holds a PUT to the tag, type and size that were signed",
        instead="do not use this store for anything but tests: whoever holds a URL can upload as completed, or terabytes",
    ),
    Promise(
        id="unsigned",
        text="refuses `x-amz-` headers that were not signed",
        instead="give presign a client of its own (`Uploads.from_settings(presign_client=...)`) whose user may put and tag and "
        "nothing more: whoever holds a URL can add `x-amz-acl: public-read`, or turn the PUT into a copy of any object that the "
        "signer may read and whose key they know; the copy is then refused",
    ),
    Promise(
        id="create-once",
        text="refuses a PUT that is replayed (`If-None-Match`)",
        instead="keep `RECONCILER_URL_LIFE` short, and plan often: a URL that is used again replaces bytes and tag, "
        "even after completion",
    ),
    Promise(
        id="form",
        text="takes a POST form with its tag",
        instead="presign PUT alone, never `presign_post`",
    ),
    Promise(
        id="form-policy",
        text="holds a POST form to its policy",
        instead="presign PUT alone, never `presign_post`",
    ),
    Promise(
        id="delete-many",
        text="deletes in bulk",
        instead="set `RECONCILER_BULK_DELETE=false`: one request for each object",
    ),
    Promise(
        id="delete-many-etag",
        text="deletes in bulk on condition of the etag",
        instead="between the last look at an object without a row and its deletion there is a moment in which another one, put "
        "there meanwhile, would be deleted as well: where `deletes one object on condition of the etag` is kept, set "
        "`RECONCILER_BULK_DELETE=false`, else let `--untracked delete` be",
    ),
    Promise(
        id="delete-one-etag",
        text="deletes one object on condition of the etag",
        instead="as for deleting in bulk; with `RECONCILER_BULK_DELETE=false` it concerns every deletion",
    ),
    Promise(
        id="order",
        text="lists in the byte order of keys",
        instead="keep the prefix for us alone: foreign objects such as `a-b` beside `a/x` stop a plan, our own keys are fine",
    ),
    Promise(
        id="names",
        text="takes keys as names, not as paths",
        instead="keep the prefix for us alone: none of our keys holds `//`, `.` or `..` as a part",
    ),
    Promise(
        id="absent",
        text="says 404 of what is absent",
        instead="grant s3:ListBucket; where that changes nothing, do not use this store: absent could not be told from hidden",
    ),
    Promise(
        id="retag-time",
        text="leaves `LastModified` alone when tags are put",
        aws="not documented",
        instead="there is nothing to do: the lifecycle rule begins to count anew, and a completed upload is settled once more",
    ),
    Promise(
        id="multipart-tags",
        text="keeps the tags of a multipart upload",
        instead="put the tag again after CompleteMultipartUpload; until then the lifecycle rule does not see the object",
    ),
    Promise(
        id="multipart-once",
        text="completes a multipart upload on condition",
        instead="look with a HEAD before CompleteMultipartUpload: it overwrites whatever lies at its key",
    ),
    Promise(
        id="rule",
        text="gives a lifecycle rule back as it was put",
        instead="there is nothing to do where only its form differs: `install` and `check` compare what rules mean",
    ),
    Promise(
        id="announced",
        text="names the rule that will expire an object",
        instead="completing costs 2 requests more (so it does on AWS before `reconcile install`)",
    ),
    Promise(
        id="clocks",
        text="has the time of this machine, and of the table",
        instead="set the clocks (NTP): signatures fail, and `apply` refuses to delete where they are 15 minutes apart",
        of_store=False,
    ),
    Promise(
        id="cors",
        text="answers the preflights of the configured origins",
        instead="put the document that `reconcile policy cors` prints, or correct RECONCILER_ORIGINS: browsers send nothing else",
        of_store=False,
    ),
    Promise(
        id="address",
        text="is reached at the address that browsers are given",
        instead="correct RECONCILER_PRESIGN_ENDPOINT_URL: it must lead to the same bucket, and keep the Host header",
        of_store=False,
    ),
)
