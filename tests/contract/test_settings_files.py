"""Settings from files: which source wins, and what a broken file says."""

from pathlib import Path

import pytest

from reconciler.errors import SettingsError
from reconciler.settings import load_settings

TOML = Path("reconciler.toml")
ENV = Path(".env")


def refused() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "\n" not in caught.value.message
    return caught.value.message


def test_the_environment_wins_over_env_over_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting comes from the first source that has it; an argument comes before all of them."""
    TOML.write_text('bucket = "from-toml"\nprefix = "toml/"\nretention = "2d"\nworkers = 3\n')
    ENV.write_text("RECONCILER_BUCKET=from-env-file\nRECONCILER_PREFIX=env-file/\nRECONCILER_RETENTION=3d\n")
    monkeypatch.setenv("RECONCILER_BUCKET", "from-environment")
    monkeypatch.setenv("RECONCILER_PREFIX", "environment/")
    settings = load_settings(bucket="from-argument")
    found = (settings.bucket, settings.prefix, settings.retention.days, settings.workers)
    assert found == ("from-argument", "environment/", 3, 3)


def test_a_foreign_variable_in_env_is_ignored() -> None:
    """The file belongs to the application, which keeps its own there."""
    ENV.write_text("RECONCILER_BUCKET=photos\nDATABASE_URL=postgres://x\nDJANGO_SECRET_KEY=x\nBUCKET=other\n")
    assert load_settings().bucket == "photos"


def test_toml_takes_its_own_types() -> None:
    """Lists, numbers and truth values need no quotes."""
    TOML.write_text('bucket = "photos"\naccelerate = true\nworkers = 2\ncontent_types = ["image/png"]\nmax_size = 1000\n')
    settings = load_settings()
    assert (settings.accelerate, settings.workers, settings.max_size) == (True, 2, 1000)
    assert settings.content_types == {"image/png"}


def test_an_unknown_key_in_toml_is_refused() -> None:
    """A slip would otherwise leave a default in place; the hint names what there is."""
    TOML.write_text('bucket = "photos"\nretentoin = "2d"\n')
    assert refused() == "reconciler.toml sets retentoin, which is no setting of reconciler"


def test_a_bad_value_in_toml_is_one_line() -> None:
    """The same as from the environment."""
    TOML.write_text('bucket = "photos"\nlifecycle_days = -1\n')
    assert refused() == "RECONCILER_LIFECYCLE_DAYS is '-1': input should be greater than or equal to 1"


@pytest.mark.parametrize("text", [b"bucket photos", b'bucket = "\xff"'], ids=["not-toml", "not-utf8"])
def test_a_broken_toml_is_one_line(text: bytes) -> None:
    """It names the file."""
    TOML.write_bytes(text)
    assert "reconciler.toml" in refused()


def test_a_bad_value_in_env_is_one_line() -> None:
    """The same as from the environment."""
    ENV.write_text("RECONCILER_BUCKET=photos\nRECONCILER_URL_LIFE=2h\n")
    assert refused() == "RECONCILER_URL_LIFE is '2h': must be at most 1h: whoever holds the URL can upload"
