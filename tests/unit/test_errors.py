"""The error tree, as drawn and as it is; and what the package exports."""

import inspect
import re
import types
from collections.abc import Iterator

import pytest

import reconciler
from reconciler import errors
from reconciler.errors import ReconcilerError, RefusedError, base, runs, stores, tables, transactions, uploads


def drawn() -> Iterator[tuple[str, str]]:
    """The names of the tree in the module's docstring, each with its parent's."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            yield found[2], path[depth - 1] if depth else "Exception"


ROOMS = (base, uploads, transactions, stores, tables, runs)
CLASSES = [value for room in ROOMS for value in vars(room).values() if getattr(value, "__module__", "") == room.__name__]


def test_every_error_has_one_address() -> None:
    """All of them are `reconciler.errors`' own names, and nothing else is."""
    assert sorted(errors.__all__) == sorted(each.__name__ for each in CLASSES)
    assert {getattr(errors, each.__name__) for each in CLASSES} == set(CLASSES)
    assert all(issubclass(each, ReconcilerError) for each in CLASSES)


def test_the_tree_is_drawn_as_it_is() -> None:
    """Every class once, under its parent, in the order of the rooms and of their files."""
    assert list(drawn()) == [(each.__name__, each.__base__.__name__) for each in CLASSES if each.__base__]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_says_by_itself_what_is_wrong(kind: type[ReconcilerError]) -> None:
    """Its docstring is its default message: one line, one sentence."""
    own = kind.__dict__.get("__doc__")
    assert own
    assert kind().message == str(kind()) == own
    assert re.fullmatch(r"[^\n]+\.", own)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_has_an_exit_code(kind: type[ReconcilerError]) -> None:
    """4 where refused as unsafe, else 1; 2 is click's own."""
    assert kind.exit_code == (4 if issubclass(kind, RefusedError) else 1)


def test_the_drawing_names_the_exit_codes() -> None:
    """Of the root, and of what differs."""
    text = errors.__doc__ or ""
    assert re.search(r"ReconcilerError +1$", text, re.MULTILINE)
    assert re.search(r"RefusedError +4 ", text)


def test_an_error_keeps_its_facts() -> None:
    """Message, hint, and whatever else was at hand."""
    error = errors.StoreError("no", hint="yes", code="SlowDown", status=503)
    assert (error.message, error.hint, error.facts) == ("no", "yes", {"code": "SlowDown", "status": 503})


def test_a_hint_of_its_own_comes_before_the_default() -> None:
    """And the default stands in where there is none."""
    assert errors.TableNotInitialisedError(hint="x").hint == "x"
    assert errors.TableNotInitialisedError().hint.endswith("run `reconcile init`")


# The package


def test_the_public_names_are_sorted() -> None:
    """And named once."""
    assert reconciler.__all__ == sorted(set(reconciler.__all__))


def test_the_public_names_are_what_can_be_imported() -> None:
    """Nothing is missing, nothing more is there."""
    found = {
        name for name, value in vars(reconciler).items() if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert set(reconciler.__all__) == found


METHODS = [value for _, value in inspect.getmembers(reconciler.Uploads, inspect.isroutine) if not value.__name__.startswith("_")]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_documented_errors_are_exported(method: types.FunctionType) -> None:
    """Whoever reads what may be raised can catch it."""
    assert set(re.findall(r"\b\w+Error\b", method.__doc__ or "")) <= set(reconciler.__all__)
