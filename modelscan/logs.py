"""Has all that a process logs, and the tracebacks that it ends with, pass the redactor, whoever's logger it is."""

import logging
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from modelscan.redaction import redact, secrets_of

__all__ = ["guard_logs"]

_LEAST = 8
"""Characters of a variable's value: a shorter one may be a word such as `true`, which logs are full of."""


def guard_logs(environ: Mapping[str, str]) -> None:
    """From now on, for each record when it is made: before any handler, formatter or library sees it.

    The secrets of `environ` are known at once. What a process opens later, it tells `redact` itself.
    """
    redact.learn(*(one for one in secrets_of(environ) if len(one) >= _LEAST))
    if logging.getLogRecordFactory() is not _record:
        logging.setLogRecordFactory(_record)
    sys.excepthook = _on_exception
    threading.excepthook = _on_thread_exception
    sys.unraisablehook = _on_unraisable


def _record(*arguments: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **named)
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):  # Arguments that do not fit: logging tells that itself.
        return record
    if (clean := redact(message)) != message:
        record.msg, record.args = clean, ()
    if record.exc_info and record.exc_info[0] is not None:
        told = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (clean := redact(told)) != told:
            record.exc_text, record.exc_info = clean, None
    return record


def _on_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _tell(kind, error, trace)


def _on_thread_exception(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is not SystemExit:
        _tell(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _on_unraisable(met: "sys.UnraisableHookArgs") -> None:
    _tell(met.exc_type, met.exc_value, met.exc_traceback)


def _tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if sys.stderr is not None:
        sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
