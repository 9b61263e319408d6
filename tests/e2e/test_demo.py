"""`make demo`: it ends well on both servers, and it does not where a promise is broken."""

import io
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from rich.console import Console

from reconciler import completion, judging, presign
from reconciler.adapters.journal import FileJournal
from reconciler.adapters.s3 import S3Objects, S3Signer
from reconciler.core.actions import Delete, Keep, Reason
from reconciler.demo import __main__ as demo
from reconciler.demo import servers
from reconciler.demo.images import draw
from reconciler.demo.screen import WIDTH, Screen
from reconciler.demo.script import CAST, UPLOADING, ends
from reconciler.demo.servers import Server
from reconciler.demo.story import tell
from reconciler.ports import SignedRequest, Target

COMMAND = [sys.executable, "-m", "reconciler.demo"]
KEY_LINES = (
    "ok: 24 objects in the bucket, all tagged status=pending",
    "ok: 9 profiles saved, each with its picture",
    "We pretend: nobody waits, and only reconciler's clock moves",
    "16 objects deleted",
    "ok: nothing is left to do",
    "completed, and read back identical       12  12",
    "deleted in all, bytes freed              19  19",
    "checks are as they must be.",
)

Break = Callable[[pytest.MonkeyPatch], object]


@pytest.fixture(params=["moto", "seaweedfs"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server that the demo brings along."""
    found: Server = request.getfixturevalue(request.param)
    return found


def run(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AWS_PROFILE": "nobody", "RECONCILER_BUCKET": "not-this-one", "HTTP_PROXY": "http://127.0.0.1:9"}
    return subprocess.run(  # noqa: S603  our own module
        [*COMMAND, "--server", name], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_story_ends_well(server: Server, tmp_path: Path) -> None:
    """Whatever the environment and the folder hold, every count is as it must be, and nothing is left behind."""
    (tmp_path / "reconciler.toml").write_text('prefix = "theirs/"\n')
    (tmp_path / ".env").write_text("RECONCILER_RETENTION=9d\n")
    ended = run(server.name.lower(), tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line for line in KEY_LINES if line not in ended.stdout] == []
    assert ("ok: all 5 are refused" in ended.stdout) == server.verifies
    assert ("not verified by moto, not counted" in ended.stdout) != server.verifies
    assert {path.name for path in tmp_path.iterdir()} == {"reconciler.toml", ".env"}
    # A file gets no colour codes, nothing wider than 80 columns, and no part of a signed URL's query.
    assert [line for line in ended.stdout.splitlines() if len(line.rstrip()) > WIDTH] == []
    assert [text for text in ("\x1b", "X-Amz-", "Signature=") if text in ended.stdout] == []


def deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def timid(*sides: Any, **given: Any) -> Any:
        action = decide(*sides, **given)
        if isinstance(action, Delete):
            return Keep(key=action.key, reason=action.reason, facts=action.facts)
        return action

    decide = judging.decide
    monkeypatch.setattr(judging, "decide", timid)


def deletes_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: S3Objects, targets: Any) -> Any:
        return delete(self, [*targets, *(Target(entry.key) for page in self.pages("uploads/2") for entry in page)])

    delete = S3Objects.delete
    monkeypatch.setattr(S3Objects, "delete", careless)


def signs_no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(self: Any, key: str, *, content_type: str, size: int, seconds: int) -> SignedRequest:
        tagging = urlencode({"status": "pending"})
        params = {
            "Bucket": self._bucket,
            "Key": key,
            "ContentType": content_type,
            "ContentLength": size,
            "Tagging": tagging,
        }
        url = self._client.generate_presigned_url("put_object", Params=params, ExpiresIn=seconds)
        return SignedRequest(method="PUT", url=url, headers={"Content-Type": content_type, "x-amz-tagging": tagging}, fields={})

    monkeypatch.setattr(S3Signer, "put", careless)


def signs_no_condition_and_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    signs_no_condition(monkeypatch)
    monkeypatch.setattr(presign, "check_signed_put", lambda _: None)


def never_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "settle", lambda *_, **__: True)


def asks_nobody_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_check_owner", lambda row, _: row)


def believes_every_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion.sniff, "agrees", lambda *_: True)


def journals_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileJournal, "write", lambda *_: None)


def only_says_that_it_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3Objects, "delete", lambda *_: {})


@pytest.fixture
def small_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    """One visitor of each kind: what must be is counted from the cast."""
    for visit, names in CAST.items():
        monkeypatch.setitem(CAST, visit, names[:1])


def told(server: Server, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[bool, str]:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    heard = io.StringIO()
    screen = Screen(Console(file=heard, width=WIDTH, highlight=False))
    return tell(server, screen, folder=folder, bucket=f"demo-{uuid.uuid4().hex[:12]}"), heard.getvalue()


@pytest.mark.usefixtures("small_cast")
def test_a_small_story_ends_well_too(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So what is told below ends badly for what is broken there, and for nothing else."""
    well, said = told(seaweedfs, monkeypatch, tmp_path)
    assert well, said


@pytest.mark.usefixtures("small_cast")
@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (deletes_nothing, "NOT SO: 9 actions, of the kinds expected"),
        (deletes_too_much, "NOT SO: the bucket holds the completed pictures and nothing else"),
        (signs_no_condition, "the story broke off: SigningError"),
        (signs_no_condition_and_does_not_look, "NOT SO: all 5 are refused"),
        (never_settles, "are tagged status=completed: expected"),
        (asks_nobody_whose_it_is, "NOT SO: complete nora's picture: refused"),
        (believes_every_type, "NOT SO: complete the text file: refused"),
        (journals_nothing, "NOT SO: the journal has an intent and an outcome"),
        (only_says_that_it_deleted, "NOT SO: the 4 objects that had to go are gone"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_broken_promise_makes_it_fail(
    broken: Break, complaint: str, seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The story ends badly, and says what was expected and what was found."""
    broken(monkeypatch)
    well, said = told(seaweedfs, monkeypatch, tmp_path)
    assert not well
    assert complaint in " ".join(said.split())


def test_a_server_that_does_not_start_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1, and nothing of a trace is shown."""
    monkeypatch.setattr(servers, "weed", lambda: sys.executable)
    assert demo.main(["--server", "seaweedfs"]) == 1
    assert "error: the S3 server did not start" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_stops_the_server(tmp_path: Path) -> None:
    """The exit code is the shell's for an interruption, the server is gone, and so are its files."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "80"}
    command = [*COMMAND, "--server", "moto"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own module
        assert process.stdout is not None
        said = [line for line, _ in zip(process.stdout, range(3), strict=False)]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    endpoint = said[1].split()[2].rstrip(",")
    assert (process.returncode, rest.splitlines()[-1]) == (130, "stopped")
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.PoolManager(retries=False).request("GET", endpoint)
    assert list(tmp_path.iterdir()) == []


def test_the_pictures_are_real_and_the_same_in_every_run() -> None:
    """Two dozen pictures of three formats, no two alike; the numbers alone decide what they look like."""
    pictures = [draw(number) for number in range(24)]
    assert {picture.content_type for picture in pictures} == {"image/jpeg", "image/png", "image/webp"}
    assert len({picture.body for picture in pictures}) == 24
    assert draw(7) == pictures[7]


def test_the_cast_is_what_was_promised() -> None:
    """Two dozen visitors upload before anything else happens; some complete, most abandon, some release."""
    assert sum(len(CAST[visit]) for visit in UPLOADING) == 24
    assert dict(ends()) == {
        Reason.IN_SYNC: 12,
        Reason.ABANDONED: 17,
        Reason.RELEASED: 2,
        Reason.NEVER_UPLOADED: 2,
    }
