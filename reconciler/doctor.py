"""What this store keeps of our promises, and what these credentials may do: tried out, not believed.

Everything happens in a folder of its own that every finder skips, and is taken away afterwards: `examine` may end anywhere,
`tidy` is called all the same. The bucket's own configuration is only read.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.dialects import Findings
from reconciler.core.keys import SYSTEM_FOLDER
from reconciler.core.promises import PROMISES, Finding, Result, untried
from reconciler.core.roles import PERMISSIONS, May, RoleFinding, judge
from reconciler.errors import StoreError
from reconciler.ports import FindingsStore, RawStore, Signer
from reconciler.probes import deployment, forms, multipart, objects, uploads
from reconciler.probes.bench import Bench, NotTriedError, Probe, Setting
from reconciler.probes.permissions import permissions
from reconciler.probes.policy import try_policy

PROBES: Mapping[str, Probe] = {**uploads.PROBES, **forms.PROBES, **objects.PROBES, **multipart.PROBES, **deployment.PROBES}
NOT_TRIED = "what this store makes of the bucket policy was not tried"
DAILY = ("presigner", "completer", "reconciler")
"""The roles without which a deployment does not run; each may have credentials of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found. `needed` are the roles that these credentials are meant to play."""

    bucket: str
    prefix: str
    endpoint: str
    findings: tuple[Finding, ...]
    permissions: Mapping[str, May]
    roles: tuple[RoleFinding, ...]
    needed: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing that was tried is broken, and no needed permission is missing."""
        return not any(finding.broken for finding in self.findings) and all(
            role.playable for role in self.roles if role.role in self.needed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Tries one bucket out.

    `roles` are the actions that each role needs, from its policy document; `policies` the bucket policy by dialect, unfilled.
    """

    store: RawStore
    signer: Signer
    here: Setting
    roles: Mapping[str, frozenset[str]]
    policies: Mapping[str, Any]
    new_id: Callable[[], str]
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        folder = f"{self.here.prefix}{SYSTEM_FOLDER}doctor-{self.new_id()}/"
        object.__setattr__(self, "bench", Bench(store=self.store, signer=self.signer, folder=folder, here=self.here))

    def examine(self, *, needed: Collection[str] = DAILY, told: Callable[[str], None] = lambda _: None) -> Diagnosis:
        """Try everything out, telling of each promise before it is tried.

        Raises what keeps every request from being answered: StoreUnavailableError, BucketNotFoundError, CredentialsError.
        """
        told("permissions")
        may = permissions(self.bench)
        return Diagnosis(
            bucket=self.store.bucket,
            prefix=self.here.prefix,
            endpoint=self.store.endpoint,
            findings=tuple(self._findings(may, told)),
            permissions=may,
            roles=tuple(judge(role, wanted, may) for role, wanted in self.roles.items()),
            needed=tuple(needed),
        )

    def _findings(self, may: Mapping[str, May], told: Callable[[str], None]) -> list[Finding]:
        found = []
        for promise in PROMISES:
            told(promise.text)
            found.append(Finding(promise=promise, result=self._try(PROBES[promise.id], may)))
        return found

    def _try(self, probe: Probe, may: Mapping[str, May]) -> Result:
        for answer, words in ((May.NO, "not permitted"), (May.UNTRIED, "not known whether permitted")):
            lacking = dict.fromkeys(PERMISSIONS[name] for name in PERMISSIONS if name in probe.needs and may[name] is answer)
            if lacking:
                return untried(f"{words}: {', '.join(lacking)}")
        try:
            return probe.run(self.bench)
        except NotTriedError as error:
            return untried(str(error))

    def policy(self, *, kept: Findings | None = None) -> Findings:
        """Try out what the store makes of each statement of the bucket policy, in both dialects.

        What cannot be tried this time stays as it was kept. Raises NotTriedError where nothing can be: the policy cannot be
        read or put, or somebody else changes it meanwhile.
        """
        return try_policy(self.bench, self.policies).over(kept or Findings())

    def tidy(self) -> list[str]:
        """Take everything away that was put, and return the keys that may still be there. May be called again."""
        if not self.bench.keys:
            return []
        for key, upload in self.bench.multiparts:
            self.store.ask("abort_multipart_upload", Key=key, UploadId=upload)
        left = [key for key in dict.fromkeys([*self.bench.keys, *self._listed()]) if not self._gone(key)]
        versions = self._versions()
        return sorted({*left, *self._listed(), *versions})

    def _gone(self, key: str) -> bool:
        """Delete a key; where that is denied, a key that was only ever noted still counts as gone once S3 says 404."""
        answer = self.store.ask("delete_object", Key=key)
        return not answer.denied or self.store.ask("head_object", Key=key).status == 404  # noqa: PLR2004

    def _listed(self) -> list[str]:
        answer = self.store.ask("list_objects_v2", Prefix=self.bench.folder)
        return [item["Key"] for item in answer.content.get("Contents", [])]

    def _versions(self) -> list[str]:
        """Delete what a versioned bucket has kept, and return the keys of which something stays."""
        answer = self.store.ask("list_object_versions", Prefix=self.bench.folder)
        kept = [*answer.content.get("Versions", []), *answer.content.get("DeleteMarkers", [])]
        return [
            item["Key"] for item in kept if not self.store.ask("delete_object", Key=item["Key"], VersionId=item["VersionId"]).ok
        ]


def known(store: RawStore, kept: FindingsStore) -> Findings | None:
    """Return what `compose` needs, without writing anything.

    That is None on AWS; elsewhere what was kept in the bucket, which is nothing before anybody has tried.
    """
    return None if store.is_aws else kept.read() or Findings()


def learn(doctor: Doctor, kept: FindingsStore) -> Findings | None:
    """Return the same after trying anew, and keep it in the bucket. What was put is taken away again.

    Raises StoreError where nothing can be tried.
    """
    if doctor.store.is_aws:
        return None
    try:
        findings = doctor.policy(kept=kept.read())
    except NotTriedError as error:
        raise StoreError(
            f"{NOT_TRIED}: {error}", hint="installing the bucket policy needs a role that may read and put it"
        ) from error
    finally:
        doctor.tidy()
    kept.write(findings)
    return findings
