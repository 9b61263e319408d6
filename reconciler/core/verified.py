"""What is only looked at: who may open the bucket, who owns its objects, whether versions are kept, and whether TLS is demanded.

These are the bucket's owner's business: `install` leaves them alone, `check` says how they are.
"""

from collections.abc import Mapping, Sequence

from reconciler.core.lints import Place
from reconciler.core.meaning import listed, of_statement
from reconciler.core.parts import Item
from reconciler.core.remarks import Remark, Severity

VERIFIED = "verified"
BLOCK_ACLS = "BlockPublicAcls"
SWITCHES = (BLOCK_ACLS, "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
OWNER_ENFORCED = "BucketOwnerEnforced"
ACCESS_BLOCK, OWNERSHIP, VERSIONING, TLS = "block-public-access", "object-ownership", "versioning", "tls-only"


def access_block(found: Mapping[str, bool], *, by_acls: bool) -> Remark:
    """Judge block-public-access: every switch is on, or it is drift.

    But one, where the store knows no object ownership (`by_acls`): there BlockPublicAcls is left alone, because Ceph 16 refuses
    every upload while it is on.
    """
    wanted = [name for name in SWITCHES if not (by_acls and name == BLOCK_ACLS)]
    off = [name for name in wanted if not found.get(name)]
    if off:
        text = f"{', '.join(off)} {'is' if len(off) == 1 else 'are'} off: `aws s3api put-public-access-block` turns them on"
        return _remark(Severity.DRIFT, ACCESS_BLOCK, text)
    if by_acls and found.get(BLOCK_ACLS):
        return _remark(Severity.NOTE, ACCESS_BLOCK, f"{BLOCK_ACLS} is on: Ceph 16 then refuses every upload, public or not")
    return _remark(Severity.FINE, ACCESS_BLOCK, f"{', '.join(wanted)} are on")


def ownership(found: str) -> Remark:
    """Judge object ownership: with anything else than the owner enforced, whoever uploads can set an ACL."""
    if found == OWNER_ENFORCED:
        return _remark(Severity.FINE, OWNERSHIP, f"{OWNER_ENFORCED}: there are no ACLs")
    text = f"{found or 'nothing set'}, so ACLs count: `aws s3api put-bucket-ownership-controls` sets {OWNER_ENFORCED}"
    return _remark(Severity.DRIFT, OWNERSHIP, text)


def versioning(found: str) -> Remark:
    """Tell about versions; a suspended bucket has old ones, and makes no new ones to restore from."""
    if found == "Suspended":
        text = (
            "suspended: expiry and deletion overwrite the null version, so what is deleted now cannot be restored, "
            "while versions from before stay until a rule ends them"
        )
        return _remark(Severity.NOTE, VERSIONING, text)
    kept = "versions are kept: a deletion can be undone" if found else "no versions are kept: a deletion is final"
    return _remark(Severity.FINE, VERSIONING, kept)


def tls(statements: Sequence[Item], place: Place) -> Remark:
    """Say whether some statement, ours or anybody's, refuses plain HTTP for every object under the prefix."""
    name = next((str(each.get("Sid", "a statement without Sid")) for each in statements if _demands_tls(each, place)), "")
    if name:
        return _remark(Severity.FINE, TLS, f"{name} refuses plain HTTP")
    return _remark(
        Severity.NOTE, TLS, "no statement of the bucket policy refuses plain HTTP: `install` puts one, with the policy"
    )


def not_known(subject: str) -> Remark:
    """Say that this store does not implement it."""
    return _remark(Severity.NOT_KNOWN, subject, "not known here: this store does not implement it")


def _demands_tls(statement: Item, place: Place) -> bool:
    meant = of_statement(statement)
    whole = {f"{place.bucket}/*", f"{place.bucket}/{place.prefix}*", "*"}
    resources = {str(each).split(":", 5)[-1] for each in listed(statement.get("Resource", ()))}
    return (
        meant.get("Effect") == "Deny"
        and "*" in (meant.get("Principal") or {}).get("AWS", ())
        and bool({"s3:*", "*"} & set(meant.get("Action", ())))
        and bool(resources & whole)
        and meant.get("Condition") == {"Bool": {"aws:securetransport": frozenset({"false"})}}
    )


def _remark(severity: Severity, subject: str, text: str) -> Remark:
    return Remark(VERIFIED, severity, subject, text)
