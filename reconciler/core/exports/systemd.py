"""Units for systemd: a service and a timer each for the sweep and the full run, and a service for `watch`.

The table's URL is in the environment file that the units name, readable by root alone; systemd reads it before it gives up its
rights. What goes into a unit is quoted as systemd.syntax(7) says, and a line break is refused.
"""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.core.exports.running import JOURNAL, Job, Running, check_cron, weekdays
from reconciler.errors import SettingsError

NAME = "reconciler"
_HARDENED = """\
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
CapabilityBoundingSet=
UMask=0077"""
_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def systemd(running: Running, *, program: str, environment_file: str) -> dict[str, str]:
    """Return the units by file name. `program` and `environment_file` are absolute paths."""
    units: dict[str, str] = {}
    for job in running.jobs:
        service = _service(job.arguments, running, program=program, environment_file=environment_file, kind="oneshot")
        units[f"{NAME}-{job.name}.service"] = _unit(f"reconciler {job.name}: {job.about}", service)
        units[f"{NAME}-{job.name}.timer"] = _timer(job)
    if running.watch is not None:
        service = _service(running.watch, running, program=program, environment_file=environment_file, kind="exec")
        lasting = f"{service}\nRestart=always\nRestartSec=5\nTimeoutStopSec=60"
        units[f"{NAME}-watch.service"] = (
            f"{_unit('reconciler watch: follows S3 events', lasting)}\n[Install]\nWantedBy=multi-user.target\n"
        )
    return units


def calendar(line: str) -> str:
    """Return a cron line as systemd.time(7) writes it, in UTC."""
    minute, hour, day, month, weekday = check_cron(line)
    days = "" if weekday == "*" else f"{','.join(_WEEKDAYS[each] for each in weekdays(weekday))} "
    return f"{days}*-{_time(month, 1)}-{_time(day, 1)} {_time(hour, 0)}:{_time(minute, 0)}:00 UTC"


def _time(field: str, least: int) -> str:
    return ",".join(_part(part, least) for part in field.split(","))


def _part(part: str, least: int) -> str:
    """Return a value, a range, or steps; those of `*` begin with the least value, which systemd wants to be named."""
    span, slash, step = part.partition("/")
    if span == "*":
        return f"{least:02}/{step}" if slash else "*"
    numbers = "..".join(f"{int(number):02}" for number in span.split("-"))
    return f"{numbers}{slash}{step}"


def _unit(about: str, service: str) -> str:
    return f"[Unit]\nDescription={about}\nAfter=network-online.target\nWants=network-online.target\n\n[Service]\n{service}\n"


def _service(arguments: Sequence[str], running: Running, *, program: str, environment_file: str, kind: str) -> str:
    lines = [
        f"Type={kind}",
        f"ExecStart={' '.join(map(_word, (program, *arguments)))}",
        f"EnvironmentFile={_specifiers(_plain(environment_file))}",
        *_environment(running.environment),
        f"StateDirectory={NAME}",
        f"WorkingDirectory=%S/{NAME}",
        _HARDENED,
    ]
    return "\n".join(lines)


def _environment(environment: Mapping[str, str]) -> Iterable[str]:
    for name, value in {**environment, "RECONCILER_JOURNAL": JOURNAL}.items():
        yield f"Environment={_quoted(f'{name}={value}')}"


def _timer(job: Job) -> str:
    return (
        f"[Unit]\nDescription=reconciler {job.name}\n\n[Timer]\nOnCalendar={calendar(job.at)}\n"
        "Persistent=true\nRandomizedDelaySec=10m\n\n[Install]\nWantedBy=timers.target\n"
    )


def _word(text: str) -> str:
    """Return one word of a command line: no variable, no specifier, no second word."""
    return _quoted(text.replace("$", "$$"))


def _quoted(text: str) -> str:
    escaped = _specifiers(_plain(text)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _plain(text: str) -> str:
    if not text.isprintable():
        raise SettingsError(f"{text!r} holds a line break or another control character, and cannot stand in a unit")
    return text
