"""`reconcile policy`: print what `install` puts, and what it cannot: the roles' own documents."""

import json
from typing import Any

import click

from reconciler.adapters import documents
from reconciler.cli import render
from reconciler.core.documents import FROM_SETTINGS, Value, choose, fill, placeholders, to_be_given
from reconciler.core.wanted import for_destination, statements
from reconciler.settings import load_settings


@click.command()
@click.argument("name", required=False)
@click.option("--set", "given", multiple=True, metavar="NAME=VALUE", help="A value for a placeholder, before the settings' own.")
def policy(name: str | None, *, given: tuple[str, ...]) -> None:
    """Print a policy document, filled from the settings. Without NAME, list them.

    What the settings do not say is given with --set: the ARN of a role, the origin of a site; some of them more than once.
    """
    if name is None:
        render.table(["document", "what it is for", "needs a setting or --set"], map(_line, documents.names()))
        return
    document = documents.load(name)
    known = load_settings().document_values() if placeholders(document) & FROM_SETTINGS else {}
    values = choose(name, document, known=known, given=_pairs(given))
    click.echo(json.dumps(_filled(name, document, values), indent=2))


def _filled(name: str, document: Any, values: dict[str, Value]) -> Any:
    """Return a document as `install` puts it: with the destination that was chosen, and Sids that say whose they are."""
    if name == "notifications":
        document = for_destination(document, fill("${notify}", values))
    filled = fill(document, values)
    if name.startswith("bucket-policy"):
        return {**filled, "Statement": statements(filled["Statement"], prefix=str(values["prefix"]))}
    return filled


def _line(name: str) -> tuple[str, str, str]:
    return name, documents.PURPOSES.get(name, ""), ", ".join(to_be_given(documents.load(name)))


def _pairs(given: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
        found.setdefault(name, []).append(value)
    return found


COMMANDS = (policy,)
