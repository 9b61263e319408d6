"""Fresh virtual environments that hold the built wheel and exactly what it requires, without the checkout and without a network.

What it requires is linked from the running environment, distribution by distribution: what no extra asks for is not there.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from zipfile import Path as InZip
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SITE = Path(sysconfig.get_paths()["purelib"])


@dataclass(frozen=True)
class Fresh:
    """A virtual environment. Commands run in a folder of the test's own, and see only the settings they are given."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment: `python`, or a script such as `reconcile`."""
        program, *arguments = command
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        outside = {"HOME": str(Path.cwd()), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "error::DeprecationWarning"}
        return subprocess.run(  # noqa: S603  what the test names
            [self.folder / "bin" / program, *arguments],
            env={**kept, **outside, **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def ok(self, *command: str | Path, **settings: str) -> str:
        """Run a program, insist that it succeeds, and return what it printed."""
        done = self.run(*command, **settings)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout


def build(source: Path, into: Path, *targets: str) -> None:
    """Build as `pip wheel --no-build-isolation` would, with the hatchling of the running environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", into, *(word for target in targets for word in ("-t", target))]
    subprocess.run(command, cwd=source, check=True, capture_output=True)  # noqa: S603  our own command


def make(folder: Path, wheel: Path, *, extras: frozenset[str] = frozenset()) -> Fresh:
    """Make an environment that holds the wheel, and what it requires with these extras."""
    venv.create(folder, with_pip=False, symlinks=True)
    found = Fresh(folder)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", found.python]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)  # noqa: S603  our own command
    site = next((folder / "lib").glob("python*")) / "site-packages"
    with ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        wanted = required(PathDistribution(InZip(archive, name.removesuffix("METADATA"))), extras)
    for top in {file.parts[0] for each in wanted.values() for file in each.files or []} - {"..", "__pycache__"}:
        if not (site / top).exists():
            (site / top).symlink_to(SITE / top)
    return found


def required(of: Distribution, extras: frozenset[str]) -> dict[str, Distribution]:
    """Return every distribution that one requires with these extras, by name."""
    found: dict[str, Distribution] = {}
    waiting = [(of, extras)]
    while waiting:
        each, chosen = waiting.pop()
        for text in each.requires or []:
            requirement = Requirement(text)
            name = canonicalize_name(requirement.name)
            applies = not requirement.marker or any(requirement.marker.evaluate({"extra": extra}) for extra in chosen | {""})
            if applies and name not in found:
                found[name] = distribution(name)
                waiting.append((found[name], frozenset(requirement.extras)))
    return found
