"""What is built: exactly these files, with everything that the program looks for at run time."""

import tarfile
import tomllib
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import fresh
import pytest
from fresh import ROOT
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INFO = f"reconciler-{PROJECT['version']}.dist-info"
AT_THE_TOP = {"CHANGELOG.md", "LICENSE", "Makefile", "PKG-INFO", "README.md", "pyproject.toml", "requirements.lock"}
AT_THE_TOP |= {".gitignore"}  # hatchling's own wish: what it leaves out of the wheel
FOLDERS = {"docs", "policies", "reconciler", "tests"}
TEXT = {".py", ".md", ".json", ".ini", ".mako", ".toml", ".lock", ".pml"}


def files(*patterns: str) -> set[str]:
    """The files of the checkout that match."""
    return {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}


def in_wheel(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def in_sdist(sdist: Path) -> dict[str, bytes]:
    with tarfile.open(sdist) as archive:
        names = (member for member in archive.getmembers() if member.isfile())
        return {member.name.partition("/")[2]: archive.extractfile(member).read() for member in names}


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """What an installer and an index read."""
    return message_from_bytes(in_wheel(wheel)[f"{INFO}/METADATA"])


def test_the_wheel_holds_exactly_the_package(wheel: Path) -> None:
    """Every module, every migration, every policy document, py.typed and the licence: no test, no stray file."""
    policies = {f"reconciler/{name}" for name in files("policies/*.json", "policies/*.md")}
    info = {f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert set(in_wheel(wheel)) == files("reconciler/**/*.py") | {"reconciler/py.typed"} | policies | info


@pytest.mark.parametrize("pattern", ["policies/*.json", "reconciler/adapters/sql/migrations/versions/*.py"])
def test_what_is_read_at_run_time_is_in_the_wheel(wheel: Path, pattern: str) -> None:
    """Word for word, and there is some of it."""
    wanted = {Path(name).name: (ROOT / name).read_bytes() for name in files(pattern)}
    found = {Path(name).name: content for name, content in in_wheel(wheel).items()}
    assert wanted
    assert {name: found.get(name) for name in wanted} == wanted


def test_the_sdist_holds_the_sources_and_what_tests_them(sdist: Path) -> None:
    """Named folders and files, and in them nothing that was built, recorded or run."""
    found = set(in_sdist(sdist))
    assert {name for name in found if "/" not in name} == AT_THE_TOP
    assert {name.partition("/")[0] for name in found if "/" in name} == FOLDERS
    kept = files(*(f"{folder}/**/*.py" for folder in FOLDERS), "policies/*", "docs/**/*.md", "docs/**/*.mako", "tests/servers/*")
    assert kept - found == set()
    strange = {name for name in found if Path(name).suffix not in TEXT and "/" in name}
    kept = {f"docs/examples/{name}/migrations/versions/.gitkeep" for name in ("tables_by_init", "tables_in_own_history")}
    assert strange == {"reconciler/py.typed", "tests/servers/start-ceph", "tests/servers/stop-ceph", *kept}


def test_the_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    """Byte for byte, wherever and whenever it is built: the wheel carries no time and no path of this machine."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    fresh.build(source, tmp_path / "again", "wheel")
    again = tmp_path / "again" / wheel.name
    assert in_wheel(again) == in_wheel(wheel)
    assert again.read_bytes() == wheel.read_bytes()


def test_the_metadata_is_what_the_project_says(metadata: Message) -> None:
    """Licence, README and Python version reach the index; extras are the ones that something exists for."""
    assert (metadata["Name"], metadata["Version"]) == ("reconciler", PROJECT["version"])
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    assert (metadata["Requires-Python"], metadata["Description-Content-Type"]) == (">=3.11", "text/markdown")
    assert metadata.get_payload(decode=True).decode().startswith("# reconciler\n")
    assert set(metadata.get_all("Provides-Extra")) == {"postgres", "webhook", "demo", "test", "dev"}


def test_every_requirement_has_a_lower_bound(metadata: Message) -> None:
    """What is older was not tried; what is newer is not forbidden, but for a program that is pinned as a whole."""
    users = [Requirement(text) for text in metadata.get_all("Requires-Dist") if "extra ==" not in text or "postgres" in text]
    assert {specifier.operator for each in users for specifier in each.specifier} == {">="}
    assert [each.name for each in users if not each.specifier] == []
    assert [each.name for each in users if each.url] == []
