"""One process that plans, or paginates, and does nothing else: `python -m benchmarks.probe plan|paginator BUCKET TABLE_URL`.

What it has measured goes to stdout as JSON. Only what it needs itself is imported: its memory is the figure.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

REGION = "us-east-1"
PREFIX = "uploads/"


def plan(bucket: str, table_url: str) -> dict[str, Any]:
    """Plan as `reconcile plan` does."""
    from benchmarks.counting import Requests  # noqa: PLC0415

    from reconciler.adapters.s3 import make_client  # noqa: PLC0415
    from reconciler.settings import Settings  # noqa: PLC0415
    from reconciler.wiring import deploy  # noqa: PLC0415

    settings = Settings(bucket=bucket, prefix=PREFIX, table_url=table_url)
    client = make_client(connections=settings.workers)
    requests, planner = Requests(client), deploy(settings, client=client).planner()
    baseline, start, worked = _peak_mb(), time.perf_counter(), time.process_time()
    with requests.counted():
        made = planner.listing()
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - worked,
        "baseline_mb": baseline,
        "listed": made.seen.listed,
        "kept": made.kept,
        "actions": len(made.actions),
        "requests": requests.each(made.seen.listed),
    }


def paginator(bucket: str, _: str) -> dict[str, Any]:
    """Count with boto3's own paginator, as one would."""
    import boto3  # noqa: PLC0415

    client = boto3.client("s3", region_name=REGION)
    baseline, start, worked, count = _peak_mb(), time.perf_counter(), time.process_time(), 0
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for _item in page.get("Contents", []):
            count += 1
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - worked,
        "baseline_mb": baseline,
        "listed": count,
    }


def _peak_mb() -> float:
    """Return this process' peak memory in MiB.

    On Linux from /proc: ru_maxrss also remembers the process that started this one, if that was larger.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    import resource  # noqa: PLC0415

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # bytes, where there is no /proc


def main() -> None:
    """Measure what the command line names."""
    kind, bucket, table_url = sys.argv[1:]
    found = {"plan": plan, "paginator": paginator}[kind](bucket, table_url)
    sys.stdout.write(json.dumps({**found, "peak_mb": _peak_mb()}))


if __name__ == "__main__":
    main()
