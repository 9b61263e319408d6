"""The installed wheel, in an environment of its own and from an empty folder: program, imports, types, examples."""

import json
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from fresh import ROOT, Fresh
from servers.postgres import Postgres

from reconciler.demo.servers import Server

IMPORT_ALL = """
import importlib, json, pkgutil, sys
import reconciler
from reconciler import *
names = [each.name for each in pkgutil.walk_packages(reconciler.__path__, "reconciler.")]
names = [name for name in names if ".migrations" not in name and (".demo" not in name or "demo" in sys.argv)]
for name in names:
    importlib.import_module(name)
print(json.dumps({"modules": names, "loaded": [*sys.modules], "file": reconciler.__file__}))
"""


@pytest.fixture
def settings(moto: Server) -> dict[str, str]:
    """The environment of a deployment on moto, with a bucket of its own, and SQLite in the current folder."""
    bucket = f"photos-{uuid.uuid4().hex[:12]}"
    client = boto3.client(
        "s3", endpoint_url=moto.endpoint, aws_access_key_id="x", aws_secret_access_key="x", region_name="us-east-1"
    )
    client.create_bucket(Bucket=bucket)
    return {**moto.environment(), "RECONCILER_BUCKET": bucket, "RECONCILER_TABLE_URL": "sqlite:///app.db"}


def modules(*, demo: bool) -> set[str]:
    """The modules of the checkout, by name."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "reconciler").rglob("*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths if "migrations" not in path.parts}
    return {name for name in names if demo or ".demo" not in name} - {"reconciler"}


# Without any extra


def test_every_module_imports_without_an_extra(plain: Fresh) -> None:
    """All but the demo: what pip installs by itself is enough, and it is the wheel that is imported, not the checkout."""
    found = json.loads(plain.ok("python", "-c", IMPORT_ALL))
    assert set(found["modules"]) == modules(demo=False)
    assert Path(found["file"]).is_relative_to(plain.folder)
    assert not {"psycopg", "moto", "flask", "pytest"} & set(found["loaded"])


def test_the_version_is_the_projects(plain: Fresh) -> None:
    """As the metadata of the wheel has it."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert plain.ok("reconcile", "--version").strip().endswith(f" {version}")


def test_the_program_runs_from_an_empty_folder(plain: Fresh, settings: dict[str, str], tmp_path: Path) -> None:
    """Init with the wheel's migrations, install with its policy documents, then a plan that finds nothing to do."""
    assert list(tmp_path.iterdir()) == []
    plain.ok("reconcile", "init", **settings)
    plain.ok("reconcile", "install", "--yes", **settings)
    plan = json.loads(plain.ok("reconcile", "plan", "--format", "json", **settings))
    assert plan["actions"] == []


def test_every_policy_document_is_found(plain: Fresh, settings: dict[str, str]) -> None:
    """By name, and the lifecycle document is filled from the settings."""
    said = plain.ok("reconcile", "policy")
    assert [path.stem for path in (ROOT / "policies").glob("*.json") if path.stem not in said] == []
    document = json.loads(plain.ok("reconcile", "policy", "lifecycle", **settings))
    assert next(rule["ID"] for rule in document["Rules"]) == "reconciler:uploads/:pending"


def test_postgresql_without_its_extra_says_what_to_install(plain: Fresh, settings: dict[str, str]) -> None:
    """In one line and a hint, with exit code 1."""
    done = plain.run("reconcile", "plan", **settings | {"RECONCILER_TABLE_URL": "postgresql+psycopg://app@db/app"})
    assert (done.returncode, done.stdout) == (1, "")
    assert [line[:8] for line in done.stderr.splitlines()] == ["error: R", "  hint: "]
    assert "pip install 'psycopg[binary]'" in done.stderr


# With extras


def test_the_postgres_extra_is_enough_for_postgresql(with_postgres: Fresh, settings: dict[str, str], postgres: Postgres) -> None:
    """The migrations of the wheel run there, and a plan reads the table."""
    settings["RECONCILER_TABLE_URL"] = postgres.create(migrated=False)
    with_postgres.ok("reconcile", "init", **settings)
    with_postgres.ok("reconcile", "plan", **settings)


def test_the_demo_extra_is_enough_for_the_demo(with_demo: Fresh) -> None:
    """Every module imports, the demo's too; `make demo` is run by its own test."""
    assert set(json.loads(with_demo.ok("python", "-c", IMPORT_ALL, "demo"))["modules"]) == modules(demo=True)


# For who writes against it


def test_a_type_checker_sees_the_types(plain: Fresh, tmp_path: Path) -> None:
    """Mypy knows what presign returns, and finds a wrong argument, as py.typed promises."""
    script = tmp_path / "application.py"
    script.write_text(
        "from reconciler import PresignedUpload, Uploads\n"
        "def ask(uploads: Uploads) -> PresignedUpload:\n"
        "    reveal_type(uploads.complete('key', owner='me').key)\n"
        "    return uploads.presign(filename='me.jpg', content_type='image/jpeg', size='large', owner='me')\n"
    )
    options = ["--strict", "--no-error-summary", "--cache-dir", tmp_path / "cache", "--python-executable", plain.python]
    command = [sys.executable, "-m", "mypy", *options, script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own command
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        'note: Revealed type is "str"',
        'error: Argument "size" to "presign" of "UploadUseCases" has incompatible type "str"; expected "int"  [arg-type]',
    ]


# The examples


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_application_with_an_engine_of_its_own_runs(
    with_postgres: Fresh, settings: dict[str, str], request: pytest.FixtureRequest, database: str
) -> None:
    """It presigns, uploads, completes in its own transaction and releases, on the engine that its own tables use."""
    if database == "postgresql":
        settings["RECONCILER_TABLE_URL"] = request.getfixturevalue("postgres").create(migrated=False)
    with_postgres.ok("reconcile", "init", **settings)
    said = with_postgres.ok("python", ROOT / "docs" / "examples" / "own_engine" / "app.py", **settings)
    assert said.split() == ["completed", "deleting"]
    rows: Any = json.loads(with_postgres.ok("reconcile", "list", "--format", "json", **settings))
    assert [row["status"] for row in rows] == ["deleting"]


def test_the_demo_without_its_extra_says_what_to_install(plain: Fresh) -> None:
    """In one line, with exit code 1."""
    done = plain.run("python", "-m", "reconciler.demo")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.strip() == "error: the demo needs what the extra [demo] brings: make demo"
