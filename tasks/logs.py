"""The log of a run, whose lines Prefect's UI shows beside it."""

import logging

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

__all__ = ["run_logger"]


def run_logger() -> "logging.Logger | logging.LoggerAdapter[logging.Logger]":
    """The run's own; outside of any, this module's."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger(__name__)
