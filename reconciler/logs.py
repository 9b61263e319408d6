"""Logging: structlog, set up here for the command line alone. A library never configures logging; it only gets a logger."""

import logging
import sys
from typing import Any

import structlog


def set_up(*, verbose: bool, quiet: bool = False) -> None:
    """Send events to stderr: coloured lines on a terminal, JSON otherwise."""
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
    console = sys.stderr.isatty()
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if console:
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        processors += [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
