"""Ceph's S3 gateway, from Debian's packages: the server whose lifecycle rules really fire. Ready in about 3 s.

One lifecycle "day" lasts five seconds. It listens on 127.0.0.1 only and is stopped by process id.
"""

import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.demo.servers import Server, ServerError

INSTALL = "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"
PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "ceph")
DAY_SECONDS = 5
STARTS = 3  # another process may take a port between our look and Ceph's
_HERE = Path(__file__).parent
_PORTS = 3  # the gateway, and the monitor's two, side by side
# Below the range that outgoing connections are given. A step of _PORTS: two that start at once want the same three ports, and
# the monitor of one of them fails, or have none in common.
_RANGE = range(12_000, 30_000, _PORTS)


def installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def ceph() -> Iterator[Server]:
    """Start one node and its gateway."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-ceph-"))
    try:
        port = _start(folder, attempts=STARTS)
        yield Server("Ceph RGW", f"http://127.0.0.1:{port}", verifies=True, access_key="backendkey", secret_key="backendsecret")
    finally:
        _stop(folder)


def _start(folder: Path, *, attempts: int) -> int:
    port = next(port for port in random.sample(_RANGE, len(_RANGE)) if _is_free(port))
    try:
        _run("start-ceph", str(folder), str(port), str(DAY_SECONDS))
    except ServerError:
        if attempts == 1:
            raise
        _stop(folder)
        return _start(folder, attempts=attempts - 1)
    return port


def _stop(folder: Path) -> None:
    if (folder / "ceph.conf").exists():
        _run("stop-ceph", str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def _is_free(port: int) -> bool:
    for each in range(port, port + _PORTS):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", each)) == 0:
                return False
    return True


def _run(script: str, *arguments: str) -> None:
    with tempfile.TemporaryFile() as said:
        # To a file: the daemons inherit the output, a pipe would be read until they end.
        done = subprocess.run(  # noqa: S603
            ["bash", str(_HERE / script), *arguments],  # noqa: S607
            stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if done.returncode:
            said.seek(0)
            raise ServerError(f"{script} failed:\n{said.read().decode(errors='replace')[-2000:]}")
