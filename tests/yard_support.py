"""A bucket on Ceph with an owner and somebody else who may do everything, so that whatever is refused is refused by a Deny.

A test module takes the fixtures `yard` and `found` over by assigning them to names of its own.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cli_support import shared_client
from conftest import new_bucket
from doctor_support import doctor_for
from support import PREFIX

from reconciler.adapters import documents
from reconciler.core.dialects import Findings, compose
from reconciler.core.documents import DEFAULTS, Value, fill, with_shared
from reconciler.demo.servers import Server
from reconciler.doctor import learn
from reconciler.testing import MemoryFindings

BACKEND, OTHER = "arn:aws:iam:::user/backend", "arn:aws:iam:::user/other"  # as Ceph names its users


def connect(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return shared_client()


@dataclass
class Yard:
    """A bucket on Ceph, its owner, and somebody else who may do everything."""

    owner: Any
    other: Any
    bucket: str
    found: Findings

    def put_policy(self, statements: Any) -> None:
        arn = f"arn:aws:s3:::{self.bucket}"
        allow = {"Effect": "Allow", "Principal": {"AWS": [OTHER]}, "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
        self.owner.put_bucket_policy(
            Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow, *statements]})
        )

    def compose(self, *, presigner: str, completer: str, reconciler: str) -> None:
        """Put the policy that is composed for this server, with these roles."""
        values: dict[str, Value] = {
            "bucket": self.bucket,
            "prefix": PREFIX,
            "url_life_ms": "900000",
            "presigner": presigner,
            "completer": completer,
            "reconciler": reconciler,
            "tagger": completer,
            **DEFAULTS,
        }
        values = with_shared(values)
        aws, portable = (fill(documents.load(name), values) for name in ("bucket-policy", "bucket-policy-portable"))
        self.put_policy(compose(aws, portable, self.found).statements)


@pytest.fixture(scope="module", name="found")
def _found(ceph: Server) -> Findings:
    """What Ceph makes of both dialects, tried once."""
    with pytest.MonkeyPatch.context() as patch:
        owner = connect(ceph, patch)
        found = learn(doctor_for(owner, new_bucket(owner)), MemoryFindings())
    assert found is not None
    return found


@pytest.fixture
def yard(ceph: Server, found: Findings, monkeypatch: pytest.MonkeyPatch) -> Yard:
    other = connect(replace(ceph, access_key="otherkey", secret_key="othersecret"), monkeypatch)
    owner = connect(ceph, monkeypatch)
    return Yard(owner, other, new_bucket(owner), found)
