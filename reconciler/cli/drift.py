"""What `install` and `check` say: differences on stdout, everything that only needs to be known on stderr."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from reconciler.cli import render
from reconciler.core.parts import Item
from reconciler.core.remarks import Remark, Severity
from reconciler.installer import Checked, Look


def lines(look: Look) -> Iterator[dict[str, Any]]:
    """Return each difference of a part as one record: what is there, and what should be."""
    if look.part is None or look.difference is None:
        return
    name, called = look.name.value, look.part.identity
    for item in look.difference.missing:
        yield {"part": name, "drift": "missing", "item": called(item), "found": None, "wanted": item}
    for old, new in look.difference.changed:
        yield {"part": name, "drift": "changed", "item": called(new), "found": old, "wanted": new}
    for item in look.difference.surplus:
        yield {"part": name, "drift": "surplus", "item": called(item), "found": item, "wanted": None}


def show(looks: Sequence[Look]) -> None:
    """Show how each part differs, and which were left out."""
    for look in looks:
        for line in lines(look):
            click.echo(render.printable(f"{line['part']}: {line['drift']}: {line['item']}"))
            _show_item("-", line["found"])
            _show_item("+", line["wanted"])
        for said in _state(look):
            render.talk(said)


def show_remarks(remarks: Sequence[Remark]) -> None:
    """Show what counts as a difference on stdout, and the rest on stderr."""
    for remark in remarks:
        text = f"{remark.part}: {remark.severity}: {remark.subject}: {remark.text}"
        if remark.severity is Severity.DRIFT:
            click.echo(render.printable(text))
        elif remark.severity is Severity.NOTE:
            render.say(text)
        else:
            render.talk(text)


def records(checked: Checked) -> Iterator[dict[str, Any]]:
    """Return a check as records: each difference, and each remark but those that say that all is well."""
    for look in checked.looks:
        yield from lines(look)
    for remark in checked.remarks:
        if remark.severity is not Severity.FINE:
            yield _remark(remark)


def document(checked: Checked) -> dict[str, Any]:
    """Return a check as one value."""
    return {
        "drifted": checked.drifted,
        "parts": [_part(look) for look in checked.looks],
        "remarks": [_remark(remark) for remark in checked.remarks],
    }


def _part(look: Look) -> dict[str, Any]:
    none: tuple[Item, ...] = ()
    kinds = ("missing", "changed", "surplus", "foreign")
    state = "not-known" if look.not_known else "left-out" if look.unset else "drifted" if look.drifted else "in-place"
    found = {kind: getattr(look.difference, kind, none) for kind in kinds}
    return {"part": look.name.value, "state": state, "unset": list(look.unset), **found}


def _remark(remark: Remark) -> dict[str, Any]:
    return {"part": remark.part, "drift": remark.severity.value, "item": remark.subject, "text": remark.text}


def _state(look: Look) -> Iterator[str]:
    if look.not_known:
        yield f"{look.name}: not known here: {look.not_known}"
    elif look.unset:
        yield f"{look.name}: left out: {', '.join(look.unset)} {'is' if len(look.unset) == 1 else 'are'} not set"
    elif look.untried:
        yield f"{look.name}: not known yet which statements this store heeds"
    elif look.difference is not None:
        foreign = len(look.difference.foreign)
        others = f"; {render.count(foreign, 'other item')}, left alone" if foreign else ""
        if not look.drifted:
            yield f"{look.name}: as it should be{others}"
        elif others:
            yield f"{look.name}{others.replace(';', ':', 1)}"
        if look.left_out:
            yield f"{look.name}: left out, because this store does not heed them: {', '.join(look.left_out)}"


def _show_item(mark: str, item: Item | None) -> None:
    if item is not None:
        click.echo(render.printable(f"  {mark} {json.dumps(item, sort_keys=True, default=str)}"))
