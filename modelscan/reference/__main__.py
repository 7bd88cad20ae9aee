"""`python -m modelscan.reference`: the reference provider as a process of its own, for tests and trials."""

import argparse
import asyncio
import json
import os
import threading

import uvicorn

from modelscan.reference.app import create_reference
from modelscan.reference.server import listen, make_server
from modelscan.types import Auth


def main() -> None:
    """Serve until interrupted, or until stdin closes with --until-stdin-closes. The key comes from REFERENCE_KEY."""
    parser = argparse.ArgumentParser(prog="python -m modelscan.reference", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--base-path", default="/v1")
    parser.add_argument("--models", default="echo", help="comma-separated")
    parser.add_argument("--models-json", help="a JSON list, for names with commas")
    parser.add_argument("--auth-header", default="Authorization")
    parser.add_argument("--auth-scheme", default="Bearer")
    parser.add_argument("--until-stdin-closes", action="store_true")
    asked = parser.parse_args()
    models = json.loads(asked.models_json) if asked.models_json else asked.models.split(",")
    app = create_reference(
        models=models,
        key=os.environ.get("REFERENCE_KEY"),
        auth=Auth(header=asked.auth_header, scheme=asked.auth_scheme),
        base_path=asked.base_path,
    )
    server = make_server(app)
    with listen(port=asked.port) as listening:
        print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}{asked.base_path}", flush=True)  # noqa: T201
        if asked.until_stdin_closes:
            threading.Thread(target=_stop_at_end_of_stdin, args=[server], daemon=True).start()
        asyncio.run(server.serve([listening]))


def _stop_at_end_of_stdin(server: uvicorn.Server) -> None:
    while os.read(0, 4096):  # Not sys.stdin: a thread that waits in it makes the interpreter's end a fatal error.
        continue
    server.should_exit = True


if __name__ == "__main__":
    main()
