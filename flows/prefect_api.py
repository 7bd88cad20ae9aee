"""`python -m flows.prefect_api --port N`: the Prefect API and UI in this process, until its parent is gone."""

import argparse
import os
import signal
import threading
from pathlib import Path

from modelscan.logs import guard_logs
from modelscan.settings import load

__all__ = ["main"]

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # At DEBUG the driver of its database writes every parameter of every statement, 80 MB in ten minutes.
    "PREFECT_LOGGING_ROOT_LEVEL": "WARNING",
}


def main() -> None:
    """Serve on 127.0.0.1 until SIGTERM, or until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m flows.prefect_api", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    guard_logs(os.environ)
    url = f"http://127.0.0.1:{port}/api"
    if home := os.environ.get("PREFECT_HOME"):
        Path(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.update({**QUIET, "PREFECT_API_URL": url, "PREFECT_UI_API_URL": url})
    # The flow `maintain` removes runs; events are Prefect's own to remove, and nobody else's.
    os.environ.setdefault("PREFECT_SERVER_EVENTS_RETENTION_PERIOD", f"P{load().settings.prefect.retention_days}D")
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _serve(port)


def _serve(port: int) -> None:
    # Prefect reads its settings when it is imported, so they are set first.
    import uvicorn
    from prefect.server.api.server import create_app

    uvicorn.run(create_app(final=True), host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=3)


def _end_with_parent() -> None:
    while os.read(0, 4096):  # Not sys.stdin: a thread that waits in it makes the interpreter's end a fatal error.
        continue
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
