"""No credential and no signature in anything that a run prints, logs or writes."""

import cli_support
import pytest
from cli_support import Desk, no_secret_in
from support import JPEG, OWNER, send

real_cli = cli_support.real_cli

pytestmark = pytest.mark.server


def test_a_full_run_leaves_no_secret_behind(real_cli: Desk) -> None:
    """A whole round at -v shows and writes neither key nor signature: not on stdout or stderr, nor in any file."""
    desk = real_cli
    desk.completed()
    said = [desk.run("-v", "install", "-y"), desk.run("-v", "check")]
    key = desk.abandoned()
    disputed = desk.disputed()
    said += [desk.run("-v", "--trace", *args) for args in (("plan", "-o", "plan.json"), ("show", key, "--why"))]
    said += [desk.run("-v", *args) for args in (("list",), ("plan", "--format", "json"), ("apply", "plan.json"))]
    said += [desk.run("-v", *args) for args in (("adopt", disputed), ("release", disputed), ("sweep",), ("show", "nope"))]
    for result in said:
        no_secret_in(result.output)
    files = [path for path in desk.folder.iterdir() if path.is_file()]
    assert {"plan.json", "reconciler-journal.jsonl", "reconciler.db"} <= {path.name for path in files}
    for path in files:
        no_secret_in(path.read_bytes().decode("latin-1"))


def test_a_ticket_is_printed_without_its_url(real_cli: Desk) -> None:
    """A ticket that ends up in a log by its repr shows no signature; the signature is in the URL alone."""
    ticket = real_cli.uploads.presign(filename="a.jpg", content_type="image/jpeg", size=len(JPEG), owner=OWNER)
    no_secret_in(repr(ticket))
    assert "X-Amz-Signature" in ticket.url
    assert send(ticket, JPEG) == 200
    row = real_cli.row(ticket.key)
    assert row is not None
    no_secret_in(repr(row))
