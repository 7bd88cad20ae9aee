"""`python -m modelscan.reference`: the reference provider as a process of its own, for tests and trials."""

import argparse
import asyncio
import json
import os
import threading

import uvicorn

from modelscan.reference.app import create_reference
from modelscan.reference.server import listen, make_server
from modelscan.types import Endpoint, RestMapping
from modelscan.wire import WIRE_PROTOCOLS, WireProtocol, protocol_named
from modelscan.wire.custom_rest import custom_rest


def main() -> None:
    """Serve until interrupted, or until stdin closes with --until-stdin-closes. The key comes from REFERENCE_KEY."""
    parser = argparse.ArgumentParser(prog="python -m modelscan.reference", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--protocol", default="openai_chat", choices=[row.dialect for row in WIRE_PROTOCOLS])
    parser.add_argument("--rest-json", help="a mapping and its endpoints, instead of a protocol")
    parser.add_argument("--base-path", help="by default the protocol's usual one")
    parser.add_argument("--models", default="echo", help="comma-separated")
    parser.add_argument("--models-json", help="a JSON list, for names with commas")
    parser.add_argument("--auth-header", help="by default the protocol's own")
    parser.add_argument("--auth-scheme")
    parser.add_argument("--until-stdin-closes", action="store_true")
    asked = parser.parse_args()
    protocol = _mapped(asked.rest_json) if asked.rest_json else protocol_named(asked.protocol)
    path = protocol.reference_path if asked.base_path is None else asked.base_path
    given = {"header": asked.auth_header, "scheme": asked.auth_scheme}
    models = json.loads(asked.models_json) if asked.models_json else asked.models.split(",")
    app = create_reference(
        models=models,
        key=os.environ.get("REFERENCE_KEY"),
        auth=protocol.auth.model_copy(update={name: value for name, value in given.items() if value is not None}),
        base_path=path,
        protocol=protocol,
    )
    server = make_server(app)
    with listen(port=asked.port) as listening:
        print(f"listening on http://127.0.0.1:{listening.getsockname()[1]}{path}", flush=True)  # noqa: T201
        if asked.until_stdin_closes:
            threading.Thread(target=_stop_at_end_of_stdin, args=[server], daemon=True).start()
        asyncio.run(server.serve([listening]))


def _mapped(text: str) -> WireProtocol:
    given = json.loads(text)
    endpoints = [Endpoint.model_validate(one) for one in given["endpoints"]]
    return custom_rest(RestMapping.model_validate(given["rest"]), endpoints)


def _stop_at_end_of_stdin(server: uvicorn.Server) -> None:
    while os.read(0, 4096):  # Not sys.stdin: a thread that waits in it makes the interpreter's end a fatal error.
        continue
    server.should_exit = True


if __name__ == "__main__":
    main()
