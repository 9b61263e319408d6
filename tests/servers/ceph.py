"""Ceph's S3 gateway, from Debian's packages: the server whose lifecycle rules really fire. Ready in about 15 s.

One lifecycle "day" lasts ten seconds. It listens on 127.0.0.1 only and is stopped by process id.
"""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.demo.servers import Server, ServerError, free_ports

INSTALL = "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-common"
PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "ceph")
DAY_SECONDS = 10
_HERE = Path(__file__).parent
_PORTS = 3  # the gateway, and the monitor's two, side by side


def installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def ceph() -> Iterator[Server]:
    """Start one node and its gateway."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-ceph-"))
    port = _ports_in_a_row()
    try:
        _run("start-ceph", str(folder), str(port), str(DAY_SECONDS))
        yield Server("Ceph RGW", f"http://127.0.0.1:{port}", verifies=True, access_key="backendkey", secret_key="backendsecret")
    finally:
        if (folder / "ceph.conf").exists():
            _run("stop-ceph", str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _ports_in_a_row() -> int:
    while True:
        (port,) = free_ports(1)
        if port < 60_000 and all(_is_free(port + more) for more in range(_PORTS)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


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
