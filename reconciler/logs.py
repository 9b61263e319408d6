"""Logging: events with key-values, past tense, through structlog and the standard library's logger `reconciler`.

A library configures nothing: unless the application sets up a handler for that logger, nothing is printed. The command line
sets one up for itself.
"""

import logging
import sys
from typing import Any

import structlog

NAME = "reconciler"

logging.getLogger(NAME).addHandler(logging.NullHandler())


def get_logger() -> Any:
    """Return the library's logger: `log.info("run_finished", deleted=3)` becomes a record with these as extra fields."""
    return structlog.wrap_logger(
        logging.getLogger(NAME),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
    )


def set_up(*, verbose: bool, quiet: bool = False) -> None:
    """Send events to stderr: coloured lines on a terminal, JSON otherwise."""
    console = sys.stderr.isatty()
    common: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    logger = logging.getLogger(NAME)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO)
