"""Settings: what an operator may say, from the environment, `.env` and `reconciler.toml`, in this order.

Everything is checked here, at the edge; inside the program settings are frozen values with units. Credentials, region,
profile and endpoint are botocore's own (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL_S3, ...) and are not repeated.
"""

import os
import re
from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import ByteSize, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as SourceError,
)

from reconciler.core.documents import Value, rule_prefix, told_by_arns
from reconciler.core.guards import Limits
from reconciler.core.requests import MAX_PUT, Allowed
from reconciler.core.timing import Timing
from reconciler.errors import SettingsError
from reconciler.logs import get_logger
from reconciler.setting_types import Duration, Origins, Roles, Secret, Size, Span

log = get_logger()

IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic"})
TOML = Path("reconciler.toml")
_SECRETS = {"RECONCILER_WEBHOOK_SECRET", "RECONCILER_TABLE_URL"}  # what no error may repeat


class Settings(BaseSettings):
    """What can be set; each as RECONCILER_NAME in the environment or `.env`, or as name in reconciler.toml."""

    model_config = SettingsConfigDict(
        env_prefix="RECONCILER_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # a trace shows pydantic's own error as well, and an input may be a secret
    )

    bucket: str = Field(min_length=3, max_length=63)
    """The bucket that browsers upload to."""
    prefix: str = "uploads/"
    """Everything of ours lies under it, nothing of anybody else's does; it ends with a slash."""
    table_url: str | None = None
    """The database that holds the upload table, as a SQLAlchemy URL; required, unless the application hands over its engine."""
    table_schema: str | None = None
    """The database schema the tables live in, where the database has such: small letters, digits and underscores."""
    presign_endpoint_url: str | None = None
    """The endpoint browsers reach, where it is not the one the backend uses."""
    accelerate: bool = False
    """Sign for the S3 Transfer Acceleration endpoint."""
    content_types: Annotated[frozenset[str], NoDecode] = IMAGES
    """The media types that may be uploaded."""
    max_size: Size = ByteSize(20 * 1024**2)
    """The largest upload, in bytes or such as 20MiB."""
    url_life: Span = Timing().url_life
    """How long a presigned URL can start an upload: 1m to 1h."""
    slowest_transfer: Duration = Timing().slowest_transfer
    """How long an upload begun in time may go on after its URL has expired."""
    skew: Duration = Timing().skew
    """How far clocks may be apart."""
    retention: Span = Timing().retention
    """How long a pending upload is kept, from presign, at least 1m; also the minimum age of objects without a row."""
    release_grace: Duration = Timing().release_grace
    """How long a released object is kept, so that a restored database finds its images."""
    sweep_interval: Span = Timing().sweep_interval
    """How often you run the sweep, at least 1m."""
    lifecycle_days: int = Field(default=Timing().lifecycle_days, ge=1)
    """After how many days the bucket's own rule expires what is tagged pending."""
    noncurrent_days: int = Field(default=Timing().noncurrent_days, ge=1)
    """How many days a versioned bucket keeps deleted bytes."""
    plan_life: Span = Timing().plan_life
    """How long a plan may be applied."""
    journal: Path = Path("reconciler-journal.jsonl")
    """The file that every deletion is written to; `-` is stderr."""
    presigner_roles: Roles = ()
    """The ARNs of the roles that presign; the bucket policy needs these, the completer's and the reconciler's."""
    completer_roles: Roles = ()
    """The ARNs of the roles that complete; one backend that does both is named twice."""
    reconciler_roles: Roles = ()
    """The ARNs of the roles that run `init`, `sweep`, `apply`, `watch`, `adopt`, `accept` and `restore`."""
    tagger_roles: Roles = ()
    """The ARNs of other programs that may tag objects, such as a malware scanner; never as pending."""
    origins: Origins = ()
    """The sites whose pages upload, as browsers name them, such as https://www.example.com; CORS needs them."""
    notify: str | None = None
    """Where the bucket sends its events: the ARN of an SQS queue or an SNS topic, or `eventbridge`."""
    bulk_delete: bool = True
    """Delete up to 1000 objects in one request; false for a store that cannot (Ceph 16 dies of it while it pushes events)."""
    webhook_secret: Secret | None = None
    """What whoever pushes events to `watch --webhook` must know: at least 16 letters, digits and -._~ (no others)."""
    workers: int = Field(default=8, ge=1, le=64)
    """How many requests to S3 run at once while planning."""

    @field_validator("bucket")
    @classmethod
    def _bucket_is_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"[a-zA-Z0-9._-]+", value):  # what botocore takes for a name
            raise ValueError("must be the bucket's name alone, such as my-bucket")
        return value

    @field_validator("table_schema")
    @classmethod
    def _schema_needs_no_quotes(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[a-z_][a-z0-9_]*", value):
            raise ValueError("must be small letters, digits and underscores, such as uploads")
        return value

    @field_validator("notify")
    @classmethod
    def _notify_is_a_destination(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"eventbridge|arn:aws[a-z-]*:(?:sqs|sns):[a-z0-9-]*:[\w-]*:[\w-]+", value):
            raise ValueError("must be the ARN of an SQS queue or SNS topic (not FIFO), or eventbridge")
        return value

    @field_validator("prefix")
    @classmethod
    def _prefix_is_a_folder(cls, value: str) -> str:
        if not re.fullmatch(r"(?:[A-Za-z0-9!_.*'()-]+/)+", value) or ".." in value or value.startswith("."):
            raise ValueError("must be a folder such as uploads/ : letters, digits and !_.*'()-, ending with a slash")
        return value

    @field_validator("url_life")
    @classmethod
    def _short_url(cls, value: timedelta) -> timedelta:
        if value > timedelta(hours=1):
            raise ValueError("must be at most 1h: whoever holds the URL can upload")
        return value

    @field_validator("max_size")
    @classmethod
    def _one_put(cls, value: ByteSize) -> ByteSize:
        if not 1 <= value <= MAX_PUT:
            raise ValueError("must be 1 byte to 5GiB: larger objects need multipart")
        return value

    @field_validator("content_types", mode="before")
    @classmethod
    def _media_types(cls, value: Any) -> frozenset[str]:
        listed = re.split(r"[\s,]+", value.strip("[] \t").replace('"', "")) if isinstance(value, str) else value
        kinds = frozenset(str(kind).strip().lower() for kind in listed) if isinstance(listed, Iterable) else frozenset()
        if not kinds or not all(re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) for kind in kinds):
            raise ValueError("must be media types such as image/jpeg,image/png")
        return kinds

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings' signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then `.env`, then reconciler.toml."""
        toml = _toml(settings_cls)
        unknown = set(toml.toml_data) - set(cls.model_fields)
        if unknown:
            raise SettingsError(
                f"{TOML} sets {', '.join(sorted(unknown))}, which is no setting of reconciler",
                hint=f"settings are {', '.join(cls.model_fields)}",
            )
        return init_settings, env_settings, dotenv_settings, toml

    def timing(self) -> Timing:
        """Return the grace periods."""
        return Timing(
            url_life=self.url_life,
            slowest_transfer=self.slowest_transfer,
            skew=self.skew,
            retention=self.retention,
            release_grace=self.release_grace,
            sweep_interval=self.sweep_interval,
            lifecycle_days=self.lifecycle_days,
            noncurrent_days=self.noncurrent_days,
            plan_life=self.plan_life,
        )

    def document_values(self) -> dict[str, Value]:
        """Return what the policy documents' placeholders stand for; what is not set is empty."""
        notify = self.notify or ""
        return {
            "bucket": self.bucket,
            "prefix": self.prefix,
            "rule": rule_prefix(self.prefix),
            "lifecycle_days": self.lifecycle_days,
            "noncurrent_days": self.noncurrent_days,
            # S3 counts a signature's age in milliseconds, and compares it with a text (Signature Version 4 condition keys).
            "url_life_ms": str(int(self.url_life.total_seconds() * 1000)),
            "presigner": self.presigner_roles,
            "completer": self.completer_roles,
            "reconciler": self.reconciler_roles,
            "tagger": self.tagger_roles,
            "origin": self.origins,
            "notify": notify,
            **told_by_arns([*self.presigner_roles, *self.completer_roles, *self.reconciler_roles, notify]),
        }

    def allowed(self) -> Allowed:
        """Return what may be uploaded."""
        return Allowed(content_types=self.content_types, max_size=int(self.max_size))

    def limits(self, max_delete: int | None = None) -> Limits:
        """Return how much one run may delete."""
        return Limits(max_delete=max_delete)


def _toml(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    try:
        return TomlConfigSettingsSource(settings_cls, TOML)
    except (ValueError, OSError) as error:  # tomllib.TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise SettingsError(f"{TOML} cannot be read: {error}", hint='it holds lines such as bucket = "my-bucket"') from error


def load_settings(**given: Any) -> Settings:
    """Read the settings, or raise SettingsError with one line for each that is missing or wrong."""
    _warn_of_typos()
    try:
        return Settings(**given)
    except ValidationError as error:
        hint = "see the README's table of settings; they are read from the environment, .env and reconciler.toml"
        raise SettingsError("; ".join(_line(problem) for problem in error.errors()), hint=hint) from error
    except (SourceError, ValueError, OSError) as error:
        raise SettingsError(f"the settings cannot be read: {error}") from error


def _warn_of_typos() -> None:
    """Warn of a variable that looks like a setting's, and is none. Others are not ours to judge: Kubernetes sets some, too."""
    known = {f"RECONCILER_{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        meant = get_close_matches(name, known, 1, 0.85) if name.startswith("RECONCILER_") and name not in known else []
        if meant:
            log.warning("unknown_setting", setting=name, did_you_mean=meant[0])


def _line(problem: Any) -> str:
    name = f"RECONCILER_{str(problem['loc'][0]).upper()}" if problem["loc"] else "settings"
    if problem["type"] == "missing":
        return f"{name} is not set"
    said = problem["msg"].removeprefix("Value error, ")
    given = "" if name in _SECRETS else f"is {str(problem['input'])!r}: "
    return f"{name} {given}{said[0].lower() + said[1:]}"
