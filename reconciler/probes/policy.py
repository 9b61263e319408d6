"""Which statements of the bucket policy this store heeds: each purpose is put into the policy, for the probes' folder alone.

What stands in the policy is carried along word for word and put back afterwards. Where it cannot be read, nothing is put.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.dialects import AWS, PORTABLE, Effect, Findings, Seen, Statement, by_purpose
from reconciler.core.documents import DEFAULTS, ROLES, SHARED, fill
from reconciler.ports import Answer, RawStore
from reconciler.probes.bench import Bench, NotTriedError, must
from reconciler.probes.scenes import CASES, DAY, READ, Case, Scene

NO_POLICY = "NoSuchBucketPolicy"
SID = "ReconcilerDoctor"
FOLDER = "policy/"
NOBODY = "arn:aws:iam::123456789012:role/reconciler-doctor-nobody"
EVERYBODY = {AWS: "arn:*:*:*:*:*", PORTABLE: "*"}
"""A pattern that everybody's name fits, as each dialect takes one."""
TOO_OLD, OLD_ENOUGH = "-1", "604800000"  # milliseconds: every signature is older than the first, none than a week


def try_policy(bench: Bench, documents: Mapping[str, Any]) -> Findings:
    """Return what the store makes of each purpose of the documents, by dialect.

    Raises NotTriedError where the policy cannot be read or put, or somebody else changes it meanwhile.
    """
    policy = Policy(bench.store)
    policy.read()
    return Findings(
        {
            dialect: {purpose: _seen(bench, policy, document, dialect, purpose) for purpose in by_purpose(document)}
            for dialect, document in documents.items()
        }
    )


@dataclass
class Policy:
    """The bucket policy: what others put there is carried along, and put back as the very text it was."""

    store: RawStore
    original: str | None = field(default=None, init=False)

    def read(self) -> None:
        """Remember what stands in the policy now; what an earlier run was killed over is taken out first."""
        self.original = _without_ours(self._present())
        self._restore()

    def _present(self) -> str | None:
        answer = self.store.ask("get_bucket_policy")
        if answer.code == NO_POLICY:
            return None
        return str(must(answer, "reading the bucket policy").content["Policy"])

    @contextmanager
    def holding(self, *wordings: Sequence[Statement]) -> Iterator[Iterator[Answer]]:
        """Hand out a way to put one wording after the other beside what stands there, and take them out again."""
        if self._present() != self.original:
            raise NotTriedError("somebody else changes the bucket policy at the same time")
        try:
            yield (self._put(statements) for statements in wordings)
        finally:
            self._restore()

    def _put(self, statements: Sequence[Statement]) -> Answer:
        ours = [{**statement, "Sid": f"{SID}{number}"} for number, statement in enumerate(statements)]
        text = json.dumps({**_parsed(self.original), "Statement": [*_theirs(self.original), *ours]})
        answer = self.store.ask("put_bucket_policy", Policy=text)
        if answer.denied:
            raise NotTriedError("not permitted: s3:PutBucketPolicy")
        return answer

    def _restore(self) -> None:
        """Put back what stood there; where somebody else has changed it meanwhile, take out ours and leave the rest."""
        present = self._present()
        wanted = self.original if _theirs(present) == _theirs(self.original) else _without_ours(present)
        if present == wanted:
            return
        if wanted is None:
            self.store.ask("delete_bucket_policy")
        else:
            self.store.ask("put_bucket_policy", Policy=wanted)
        if _without_ours(present := self._present()) != present:
            raise NotTriedError(f"the bucket policy was not put back: statements that begin with {SID} are ours, take them out")
        if wanted is self.original and present != wanted:
            self.original = present  # the same statements, as this store words what it is given


def _parsed(policy: str | None) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(policy) if policy else {"Version": "2012-10-17", "Statement": []}
    return parsed


def _theirs(policy: str | None) -> list[Any]:
    found = _parsed(policy)["Statement"]
    return [each for each in (found if isinstance(found, list) else [found]) if not str(each.get("Sid", "")).startswith(SID)]


def _without_ours(policy: str | None) -> str | None:
    """Return a policy without the statements that are put for trying: the same text where there are none."""
    if policy is None or SID not in policy:
        return policy
    theirs = _theirs(policy)
    return json.dumps({**_parsed(policy), "Statement": theirs}) if theirs else None


def _seen(bench: Bench, policy: Policy, document: Any, dialect: str, purpose: str) -> Seen:
    """Try out the statements that serve one purpose."""
    case = _case(bench, purpose)
    if case is None:
        return Seen(Effect.UNTRIED, "nothing is known of what it must refuse")
    nobody, everybody = (
        _filled(bench, document, role=role, life=life)[purpose]
        for role, life in ((NOBODY, TOO_OLD), (EVERYBODY[dialect], OLD_ENOUGH))
    )
    if not all(_is_here(bench, statement) for statement in nobody):
        return Seen(Effect.UNTRIED, "it speaks of more than the prefix")
    before = _before(bench, case)
    if before is not None:
        return before
    stage = _Stage(bench, case)
    with policy.holding(nobody, everybody) as puts:
        return stage.judge(puts)


def _case(bench: Bench, purpose: str) -> Case | None:
    if purpose == "TlsOnly" and bench.store.endpoint.startswith("http:"):
        return Case(refuses=(READ,), spares=(READ,))  # both cannot be: over plain HTTP it shuts out, or never applies
    case = CASES.get(purpose)
    return case if case is None or bench.bears_bulk() else case.without_bulk()


def _filled(bench: Bench, document: Any, *, role: str, life: str) -> dict[str, tuple[Statement, ...]]:
    values = {"bucket": bench.store.bucket, "prefix": bench.folder + FOLDER, "url_life_ms": life}
    return by_purpose(fill(document, {**DEFAULTS, **values, **dict.fromkeys((*ROLES, SHARED), role)}))


def _is_here(bench: Bench, statement: Statement) -> bool:
    """Say whether a statement speaks of the probes' folder and of nothing else."""
    resources = statement.get("Resource", "")
    ours = f":::{bench.store.bucket}/{bench.folder}{FOLDER}"
    return all(ours in resource for resource in ([resources] if isinstance(resources, str) else resources))


def _before(bench: Bench, case: Case) -> Seen | None:
    """Look whether everything is let through while the statements are not there; else nothing could be seen."""
    for scene in (*case.spares, *case.passes):
        if not (answer := scene.act(bench, _prepared(bench, scene))).ok:
            return Seen(Effect.UNTRIED, f"{scene.name} is refused without it ({answer})")
    for scene in case.refuses:
        if scene.act(bench, _prepared(bench, scene)).denied and not scene.moot:
            return Seen(Effect.UNTRIED, f"{scene.name} is denied without it")
    return None


class _Stage:
    """The scenes of one purpose, their objects put while they still can be."""

    def __init__(self, bench: Bench, case: Case) -> None:
        self._bench = bench
        self._case = case
        self._keys = [(scene, _prepared(bench, scene)) for scene in (*case.refuses, *case.spares, *case.passes)]

    def judge(self, puts: Iterator[Answer]) -> Seen:
        """Put one wording after the other, and send the scenes."""
        if not (answer := next(puts)).ok:
            return Seen(Effect.NOT_TAKEN, str(answer))
        refused, spared, passed = self._split()
        let_through = [scene.name for scene, key in refused if scene.act(self._bench, key).ok]
        shut = [scene.name for scene, key in spared if not scene.act(self._bench, key).ok]
        if not shut and passed:
            if not (answer := next(puts)).ok:
                return Seen(Effect.NOT_TAKEN, str(answer))
            shut = [scene.name for scene, key in passed if not scene.act(self._bench, key).ok]
        if shut:
            return Seen(Effect.SHUTS_OUT, f"refuses {shut[0]}")
        return Seen(Effect.NEVER, f"lets through {let_through[0]}") if let_through else Seen(Effect.WORKS)

    def _split(self) -> tuple[list[tuple[Scene, str]], ...]:
        first, second = len(self._case.refuses), len(self._case.refuses) + len(self._case.spares)
        return self._keys[:first], self._keys[first:second], self._keys[second:]


def _prepared(bench: Bench, scene: Scene) -> str:
    """Return a key for a scene, with the object it begins with."""
    if scene.fixed:
        return bench.key(FOLDER + scene.fixed)
    name = f"{FOLDER}{DAY}{len(bench.keys)}"
    return bench.put(name, tag=scene.tag) if scene.tag else bench.key(name)
