"""Help texts, exit codes in words, and the README's list of commands."""

import re
from pathlib import Path

import click
import pytest
from cli_support import invoke, program

from reconciler.cli.main import main

README = Path(__file__).parents[2] / "README.md"
SUMMARIES = {
    "init": "Create the table",
    "install": "bucket's configuration",
    "check": "bucket's configuration",
    "policy": "policy document",
    "doctor": "keeps of our promises",
    "plan": "what apply would do",
    "apply": "Carry out a plan",
    "sweep": "Delete what was abandoned",
    "list": "List uploads",
    "show": "what is known about one KEY",
    "adopt": "as completed",
    "release": "disputed object go",
    "accept": "replaced a completed one",
    "restore": "Bring back a deleted object",
    "export": "what is installed and run",
}


def help_of(*args: str) -> str:
    result = invoke(*args, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_every_command_is_told_here() -> None:
    """This page knows every command there is."""
    assert set(SUMMARIES) <= set(main.commands)


@pytest.mark.parametrize("name", list(main.commands))
def test_every_command_explains_itself(name: str) -> None:
    """--help of every command works and says what it does in a sentence that ends; -h is the same."""
    text = help_of(name)
    assert SUMMARIES.get(name, "") in text
    assert invoke(name, "-h").stdout == text
    assert main.commands[name].get_short_help_str(200).endswith(".")


@pytest.mark.parametrize("name", list(main.commands))
def test_every_option_explains_itself(name: str) -> None:
    """Every option of every command has a help text that is a sentence."""
    options = [each for each in main.commands[name].params if isinstance(each, click.Option)]
    assert [option.name for option in options if not (option.help or "").endswith(".")] == []


def test_help_needs_no_settings() -> None:
    """Help and version work where nothing is configured."""
    help_of()
    assert invoke("--version").exit_code == 0


def test_the_commands_stand_in_the_order_they_are_needed() -> None:
    """`reconcile --help` lists init first, and plan before apply before sweep."""
    text = help_of().partition("Commands:")[2]
    places = [text.index(f"  {name} ") for name in ("init", "install", "plan", "apply", "sweep", "list")]
    assert places == sorted(places)


@pytest.mark.parametrize("code", range(6))
def test_every_exit_code_is_told(code: int) -> None:
    """`reconcile --help` says what each exit code means."""
    assert re.search(rf"^ +{code}  \w", help_of(), re.MULTILINE)


def test_help_is_not_cut() -> None:
    """No line of help ends in dots: every summary fits."""
    assert "..." not in help_of().partition("Commands:")[2].partition("Exit codes:")[0]


@pytest.mark.parametrize("name", list(main.commands))
def test_every_command_is_in_the_readme(name: str) -> None:
    """The README names every command."""
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) > 50
    assert re.search(rf"\breconcile {name}\b|`{name}`", text)


def test_an_unknown_command_is_wrong_usage() -> None:
    """A command that does not exist exits with 2 and no trace."""
    result = invoke("nonsense")
    assert (result.exit_code, result.stdout) == (2, "")


def test_no_command_shows_help() -> None:
    """`reconcile` alone shows its help."""
    assert "Usage: " in invoke().output


def test_the_program_is_installed() -> None:
    """The package installs a program by the name that its help and hints use."""
    assert Path(program()).exists()
