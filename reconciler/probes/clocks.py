"""Three clocks that have to agree: this machine's signs, S3's refuses, the table's decides."""

from email.utils import parsedate_to_datetime

from reconciler.core.promises import KEPT, Result, broken, untried
from reconciler.errors import TableError
from reconciler.probes.bench import Bench, NotTriedError


def behind(bench: Bench) -> float:
    """Return how many seconds S3's clock is behind this machine's; HTTP dates have whole seconds."""
    answer = bench.store.ask("list_objects_v2", Prefix=bench.folder, MaxKeys=1)
    header = answer.headers.get("date")
    if header is None:
        raise NotTriedError("the store sends no Date header" if answer.ok else f"a listing was answered with {answer}")
    return (bench.here.now() - parsedate_to_datetime(header)).total_seconds()


def clocks(bench: Bench) -> Result:
    """Compare S3's Date header and the table's clock with this machine's."""
    apart = {"S3": behind(bench)}
    told = ""
    if bench.here.clock is not None:
        try:
            apart["the table"] = (bench.here.now() - bench.here.clock.now()).total_seconds()
        except TableError as error:
            told = f"the table was not asked: {error.message}"
    wrong = [_words(who, seconds) for who, seconds in apart.items() if abs(seconds) > bench.here.skew]
    if wrong:
        return broken(", ".join(wrong))
    return untried(told) if told else KEPT


def _words(who: str, seconds: float) -> str:
    return f"{who} is {abs(seconds):.0f} s {'behind' if seconds > 0 else 'ahead of'} this machine"
