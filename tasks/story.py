"""The logger of the run that a task belongs to, whose lines Prefect's UI shows beside it."""

import logging

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

__all__ = ["run_logger"]


def run_logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    """That of the run; outside of one this module's own."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger(__name__)
