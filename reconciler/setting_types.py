"""What a setting may be: durations, sizes, ARNs, origins, secrets; each refused in one line that says what would do."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ByteSize, SecretStr
from pydantic_settings import NoDecode

from reconciler.core.documents import check_form
from reconciler.errors import SettingsError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(?:\d+[smhdw])+")


def parse_duration(value: Any) -> Any:
    """Return a timedelta for texts such as `15m`, `1h30m` or `7d`; anything else is refused with what would be right."""
    if isinstance(value, timedelta):
        return value
    text = str(value).strip().lower()
    if text == "0":
        return timedelta()
    if not _DURATION.fullmatch(text):
        raise ValueError("not a duration such as 15m, 1h30m or 7d")
    parts = re.findall(r"(\d+)([smhdw])", text)
    try:
        return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
    except OverflowError as error:
        raise ValueError("too long a duration") from error


def _at_least_a_minute(value: timedelta) -> timedelta:
    if value < timedelta(minutes=1):
        raise ValueError("must be at least 1m")
    return value


def _parse_size(value: Any) -> Any:
    if not re.fullmatch(r"\d+(\.\d+)?\s*([kmgt]?i?b?)", str(value).strip().lower()):
        raise ValueError("not a size such as 20MiB, 500KB or 500000")
    return value


def _listed(value: Any) -> Any:
    return tuple(re.split(r"[\s,]+", value.strip())) if isinstance(value, str) and value.strip() else value


def _each_is(name: str) -> AfterValidator:
    """Let every one of several values be what the policy documents take under this name."""

    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        try:
            check_form(name, values)
        except SettingsError as error:
            raise ValueError(f"{error.message.partition(': ')[2]}; {error.hint}") from error
        return tuple(dict.fromkeys(values))

    return AfterValidator(check)


def _fit_for_a_url(value: SecretStr) -> SecretStr:
    # Ceph can only send it as a part of the URL, where everything else would mean something, or be encoded by somebody.
    if not re.fullmatch(r"[A-Za-z0-9._~-]{16,}", value.get_secret_value()):
        raise ValueError("must be at least 16 letters, digits and -._~ without others, such as `openssl rand -hex 32` prints")
    return value


Roles = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), _each_is("presigner")]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed), _each_is("origin")]
Size = Annotated[ByteSize, BeforeValidator(_parse_size)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Span = Annotated[Duration, AfterValidator(_at_least_a_minute)]
Secret = Annotated[SecretStr, AfterValidator(_fit_for_a_url)]
