"""What hangs on how one bucket is set up: its lifecycle rule, its origins, the address that browsers are given."""

from collections.abc import Mapping
from typing import Any

from reconciler.core.documents import same_meaning
from reconciler.core.model import Tag
from reconciler.core.promises import KEPT, Result, broken, untried
from reconciler.errors import StoreUnavailableError
from reconciler.probes.bench import BODY, PUTS, SECONDS, TYPE, Bench, NotTriedError, Probe, must
from reconciler.probes.clocks import clocks

NO_RULES = "NoSuchLifecycleConfiguration"
HEADERS = ("content-type", "if-none-match", "x-amz-tagging")


def rule(bench: Bench) -> Result:
    """Compare the filter of our installed rule, word for word, with what was put. Puts nothing."""
    wanted = bench.here.rule
    found = _installed(bench)
    if found.get("Filter") == wanted["Filter"]:
        return KEPT
    told = {**found, "Filter": found.get("Filter")}
    if same_meaning({"Filter": told["Filter"] or {}, "Prefix": found.get("Prefix", "")}, {"Filter": wanted["Filter"]}):
        return broken("drops `And`" if "And" not in (found.get("Filter") or {}) else "words it otherwise")
    return broken(f"gives back the filter {found.get('Filter')}")


def announced(bench: Bench) -> Result:
    """Look at an upload while it is pending, and once it is not, where our rule is installed and on."""
    if _installed(bench).get("Status") != "Enabled":
        return untried("our lifecycle rule is switched off")
    must(bench.send(bench.ticket("announced")), "a signed PUT")
    key = bench.key("announced")
    before = _expiration(bench, key)
    must(bench.retag(key, Tag.COMPLETING), "tagging")
    if str(bench.here.rule["ID"]).partition(":")[0] not in before:
        return broken("sends no such header" if not before else f"names another rule ({before})")
    return broken("still names it when the tag is another one") if _expiration(bench, key) == before else KEPT


def _expiration(bench: Bench, key: str) -> str:
    return must(bench.store.ask("head_object", Key=key), "a HEAD").headers.get("x-amz-expiration", "")


def _installed(bench: Bench) -> Mapping[str, Any]:
    """Return our rule as the store gives it; NotTriedError where there is none."""
    answer = bench.store.ask("get_bucket_lifecycle_configuration")
    if not answer.ok and answer.code != NO_RULES:
        raise NotTriedError(f"reading the lifecycle rules was answered with {answer}")
    rules = {each.get("ID"): each for each in answer.content.get("Rules", [])}
    if bench.here.rule["ID"] not in rules:
        raise NotTriedError("our lifecycle rule is not installed: `reconcile install`")
    found: Mapping[str, Any] = rules[bench.here.rule["ID"]]
    return found


def cors(bench: Bench) -> Result:
    """Ask, as a browser on each origin does before it sends a PUT."""
    if not bench.here.origins:
        return untried("RECONCILER_ORIGINS is not set")
    signer = bench.here.presign_host or bench.signer
    url = signer.put(bench.key("cors"), content_type=TYPE, size=len(BODY), seconds=SECONDS).url
    wrong = [f"{origin}: {why}" for origin in bench.here.origins if (why := _preflight(bench, url, origin))]
    return broken("; ".join(wrong)) if wrong else KEPT


def _preflight(bench: Bench, url: str, origin: str) -> str:
    """Return what keeps a browser on this origin from sending, or nothing."""
    asked = {
        "Origin": origin.replace("*", "www"),
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(HEADERS),
    }
    answer = bench.store.send("OPTIONS", url, headers=asked)
    if not answer.ok:
        return f"the preflight was answered with {answer}"
    if answer.headers.get("access-control-allow-origin") not in ("*", asked["Origin"]):
        return "this origin is not allowed"
    if "PUT" not in answer.headers.get("access-control-allow-methods", "").upper():
        return "PUT is not allowed"
    allowed = {name.strip() for name in answer.headers.get("access-control-allow-headers", "").lower().split(",")}
    lacking = [name for name in HEADERS if name not in allowed and "*" not in allowed]
    return f"{', '.join(lacking)} may not be sent" if lacking else ""


def address(bench: Bench) -> Result:
    """Send an upload to the address that browsers are given, and look whether it lies in the bucket."""
    if bench.here.presign_host is None:
        return untried("RECONCILER_PRESIGN_ENDPOINT_URL is not set: browsers are given the same address")
    key = bench.key("address")
    request = bench.here.presign_host.put(key, content_type=TYPE, size=len(BODY), seconds=SECONDS)
    try:
        answer = bench.send(request)
    except StoreUnavailableError as error:
        return broken(f"not reached from here: {error.message}")
    if not answer.ok:
        return broken(f"a signed PUT was answered with {answer}")
    return KEPT if bench.there(key) else broken("it leads to another bucket, or another store: the object is not in this one")


PROBES: Mapping[str, Probe] = {
    "rule": Probe(needs=frozenset({"lifecycle"}), run=rule),
    "announced": Probe(needs=PUTS | {"lifecycle", "retag"}, run=announced),
    "clocks": Probe(needs=frozenset(), run=clocks),
    "cors": Probe(needs=frozenset(), run=cors),
    "address": Probe(needs=PUTS, run=address),
}
