"""The warm process that forks a fresh child for each run of generated tests.

`sandbox.py` starts this file by its path with `python -I`, so it imports nothing of ModelScan. Over a Unix socket it
is told `{"run": {...}}`, together with the write end of a pipe for the results, and `{"end": PID}`; `{"share": true}`
comes with a socket over which another process may say the same. When a socket closes (who held it died, however) it
kills what still runs for it, and when its parent's does, it ends.
"""

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import httpx2
import openai
import pytest

__all__ = ["Reporter", "main", "pytest_arguments"]

_DETAIL_LENGTH = 65_536
"""Characters; the parent hides secrets in it and shortens it further."""
_FILE_BYTES = 16 * 2**20
_MEMORY_BYTES = 4 * 2**30
_OPEN_FILES = 256
_REACH = "MODELSCAN_CONTRACT_REACH"
"""Names the one server that a run may talk to, as JSON: `host`, `port`, and the `addresses` that were checked."""
_NOWHERE = '{"host": "", "port": 0, "addresses": []}'
_OTHER_WAYS = ("socket.bind", "socket.gethostbyname", "socket.getaddrinfo", "socket.sendmsg", "socket.sendto")


class Reporter:
    """A pytest plugin that writes one JSON line a finished test to `results`, a file descriptor."""

    def __init__(self, results: int) -> None:
        self._results = results
        self._tests: dict[str, dict[str, Any]] = {}

    def send(self, **line: Any) -> None:
        data = (json.dumps(line) + "\n").encode()
        while data:
            data = data[os.write(self._results, data) :]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.send(problem=f"the tests could not be collected: {report.longrepr}"[:_DETAIL_LENGTH])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        report: pytest.TestReport = (yield).get_result()  # type: ignore[attr-defined]
        test = self._tests.setdefault(
            item.nodeid, {"test": item.name, "outcome": "passed", "detail": "", "status": None}
        )
        test["seconds"] = test.get("seconds", 0.0) + report.duration
        if report.outcome != "passed" and test["outcome"] == "passed" and call.excinfo is not None:
            test |= {
                "outcome": report.outcome,
                "detail": _words(call.excinfo.value),
                "status": _status(call.excinfo.value),
            }
        if report.when == "teardown":
            self.send(**test)


def _words(error: BaseException) -> str:
    name = "" if isinstance(error, AssertionError | pytest.skip.Exception) else f"{type(error).__name__}: "
    return f"{name}{error}"[:_DETAIL_LENGTH]


def _status(error: BaseException | None) -> int | None:
    """The HTTP status that `error`, or what it came from, carries."""
    while error is not None:
        if isinstance(status := getattr(error, "status_code", None), int):
            return status
        error = error.__cause__ or error.__context__
    return None


def pytest_arguments(folder: str, tests: Sequence[str]) -> list[str]:
    """How pytest runs the files `tests` of `folder`: no configuration from elsewhere, nothing left behind."""
    off = [word for plugin in ("cacheprovider", "terminal", "doctest", "junitxml") for word in ("-p", f"no:{plugin}")]
    place = ["--rootdir", folder, "--confcutdir", folder, "-c", os.devnull, "--import-mode=importlib"]
    return [*off, *place, "--capture=no", *(os.path.join(folder, test) for test in tests)]


def _limit(kind: int, value: int) -> None:  # pragma: no cover - in the child, which ends without telling coverage
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _reach_only(host: str, port: int, addresses: Sequence[str]) -> None:  # pragma: no cover
    """Keep this process from all but one server: a redirect leads nowhere, and a name is not resolved a second time."""
    reachable = {(address, port) for address in addresses}

    def resolve(name: str | bytes | None, service: Any, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        if (name.decode() if isinstance(name, bytes) else name) not in (host, *addresses):
            raise socket.gaierror(f"{name!r} is not the server that is tested")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, service, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, service))
            for address in addresses
        ]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _OTHER_WAYS or (event == "socket.connect" and tuple(arguments[1][:2]) not in reachable):
            raise PermissionError(f"{event} leads elsewhere than to the server that is tested")

    socket.getaddrinfo = resolve  # type: ignore[assignment]
    sys.addaudithook(watch)


def _confine(folder: str, seconds: float, env: dict[str, str]) -> None:  # pragma: no cover
    """Make this child a process group of its own, limited, in `folder`, with `env` added to the clean environment."""
    os.setpgid(0, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, int(seconds) + 1)
    _limit(resource.RLIMIT_FSIZE, _FILE_BYTES)
    _limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    signal.alarm(int(seconds) + 2)  # ends the run even where nobody is left to kill it
    _reach_only(**json.loads(env.pop(_REACH, _NOWHERE)))
    os.chdir(folder)
    os.environ.update(env, HOME=folder, TMPDIR=folder)
    output = os.open(os.path.join(folder, "output.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _child(run: dict[str, Any], results: int) -> NoReturn:  # pragma: no cover
    """Run the tests and end without ever returning into the zygote's loop."""
    try:
        _confine(run["folder"], run["seconds"], run["env"])
        reporter = Reporter(results)
        code = pytest.main(pytest_arguments(run["folder"], run["tests"]), plugins=[reporter])
        reporter.send(end=int(code))
    except BaseException:  # noqa: BLE001 - the edge of the process: told in output.log, of which the parent quotes the end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _fork(run: dict[str, Any], results: int, sides: Iterable[socket.socket]) -> int:
    pid = os.fork()
    if pid == 0:  # pragma: no cover
        for side in sides:
            side.close()
        _child(run, results)
    with suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)  # also done by the child: whoever comes first, the group is there from now on
    os.write(results, json.dumps({"pid": pid}).encode() + b"\n")
    os.close(results)
    return pid


def _end(pid: int) -> None:
    """Kill the whole group of a run; it was not waited for before, so its id cannot be another's by now."""
    with suppress(PermissionError, ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


class _Desk:
    """One socket over which runs are asked for."""

    def __init__(self) -> None:
        self.running = set[int]()
        self._buffer = b""
        self._descriptors = list[int]()

    def heard(self, data: bytes, descriptors: Sequence[int]) -> Iterator[tuple[dict[str, Any], list[int]]]:
        """The messages that are whole by now, each with the descriptors received that no earlier message took."""
        self._descriptors += descriptors
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            yield json.loads(line), self._descriptors


def _answer(request: httpx2.Request) -> httpx2.Response:
    if request.method == "GET":
        return httpx2.Response(200, json={"object": "list", "data": []})
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "x", "choices": []}
    if json.loads(request.content).get("stream"):
        stream = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
        return httpx2.Response(200, text=stream, headers={"content-type": "text/event-stream"})
    return httpx2.Response(200, json=chunk | {"object": "chat.completion"})


def _message(request: httpx2.Request) -> httpx2.Response:
    message: dict[str, Any] = {"id": "x", "type": "message", "role": "assistant", "model": "x", "content": []}
    message |= {"stop_reason": None, "usage": {"input_tokens": 0, "output_tokens": 0}}
    if json.loads(request.content).get("stream"):
        start = json.dumps({"type": "message_start", "message": message})
        stream = f'event: message_start\ndata: {start}\n\nevent: message_stop\ndata: {{"type": "message_stop"}}\n\n'
        return httpx2.Response(200, text=stream, headers={"content-type": "text/event-stream"})
    return httpx2.Response(200, json=message)


def _warm_openai() -> None:
    """Go once through what each test does, without a network: the SDK imports and builds much on first use."""
    http = httpx2.Client(transport=httpx2.MockTransport(_answer))
    with openai.OpenAI(api_key="warm", base_url="http://warm.invalid", http_client=http) as client:
        client.models.list()
        client.chat.completions.create(model="x", messages=[])
        list(client.chat.completions.create(model="x", messages=[], stream=True))
    for sdk in (openai.OpenAI, openai.AsyncOpenAI):  # their own transport: measured 0.29 s the first time, 0.04 s then
        sdk(api_key="warm", base_url="http://warm.invalid")


def _warm_anthropic() -> None:
    import anthropic  # 3 s: taken when first needed, so that what speaks OpenAI's protocol never waits for it

    http = httpx2.Client(transport=httpx2.MockTransport(_message))
    with anthropic.Anthropic(api_key="warm", base_url="http://warm.invalid", http_client=http) as client:
        client.messages.create(model="x", max_tokens=1, messages=[])
        list(client.messages.create(model="x", max_tokens=1, messages=[], stream=True))
    for sdk in (anthropic.Anthropic, anthropic.AsyncAnthropic):
        sdk(api_key="warm", base_url="http://warm.invalid")


_WARMING = {"openai": _warm_openai, "anthropic": _warm_anthropic}


def _warm(sdk: str, warm: set[str]) -> None:
    """Have `sdk` in memory before a child is forked that needs it."""
    if sdk in _WARMING and sdk not in warm:
        warm.add(sdk)
        _WARMING[sdk]()
        gc.collect()
        gc.freeze()


def main(control: socket.socket) -> None:
    """Serve runs until `control` closes."""
    warm = set[str]()
    _warm("openai", warm)
    desks = {control: _Desk()}
    while control in desks:
        for side in select.select(list(desks), (), ())[0]:
            data, received, _, _ = socket.recv_fds(side, 65_536, 16)
            for message, descriptors in desks[side].heard(data, received):
                _serve(message, descriptors, side, desks, warm)
            if not data:
                for pid in desks.pop(side).running:
                    _end(pid)
                side.close()
    for desk in desks.values():
        for pid in desk.running:
            _end(pid)


def _serve(
    message: dict[str, Any],
    descriptors: list[int],
    side: socket.socket,
    desks: dict[socket.socket, _Desk],
    warm: set[str],
) -> None:
    if "run" in message:
        _warm(message["run"]["sdk"], warm)
        desks[side].running.add(_fork(message["run"], descriptors.pop(0), desks))
    elif "share" in message:
        desks[socket.socket(fileno=descriptors.pop(0))] = _Desk()
    else:
        desks[side].running.remove(message["end"])
        _end(message["end"])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
