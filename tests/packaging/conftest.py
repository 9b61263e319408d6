"""The wheel and the sdist, built once a worker, and an environment for each set of extras."""

from pathlib import Path

import fresh
import pytest
from fresh import Fresh


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, both built from the checkout."""
    folder = tmp_path_factory.mktemp("built")
    fresh.build(fresh.ROOT, folder, "wheel", "sdist")
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel."""
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    """The sdist."""
    (found,) = built.glob("*.tar.gz")
    return found


@pytest.fixture(scope="session")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """What `pip install reconciler` gives, without any extra."""
    return fresh.make(tmp_path_factory.mktemp("plain"), wheel)


@pytest.fixture(scope="session")
def with_postgres(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """What `pip install 'reconciler[postgres]'` gives."""
    return fresh.make(tmp_path_factory.mktemp("with-postgres"), wheel, extras=frozenset({"postgres"}))


@pytest.fixture(scope="session")
def with_demo(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """What `pip install 'reconciler[demo]'` gives."""
    return fresh.make(tmp_path_factory.mktemp("with-demo"), wheel, extras=frozenset({"demo"}))
