"""llama.cpp's own server with SmolLM2-135M; run by the peer's interpreter: MODEL.gguf [KEY]; ends with its stdin."""

import socket
import sys

import xllamacpp


def main(model: str, key: str | None = None) -> None:
    """Serve `model` as `smollm2` on a free loopback port, which is printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.model_alias = {"smollm2"}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_ctx = 4096
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 1  # two wait for each other on a busy machine: 10 s became 100 s
    # The likeliest word each time: the same answer each time, and none that begins with half a character, for which the
    # server leaves out the first event of a Messages stream.
    parameters.sampling.temp = 0.0
    if key:
        parameters.api_keys = [key]
    server = xllamacpp.Server(parameters)
    print(f"listening on {server.listening_address}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
