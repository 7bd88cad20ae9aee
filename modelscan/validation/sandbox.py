"""Runs generated tests in a process of their own: warm, without our secrets, limited, killed when its time is over."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Self

from pydantic import SecretStr

from modelscan.errors import ServiceUnavailable
from modelscan.validation.results import Results, SandboxRun, StartupFailed

__all__ = ["INHERITED", "Sandbox", "ZYGOTE"]

INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The only environment variables that reach generated code; no key, and nothing of MODELSCAN_*."""

ZYGOTE = Path(__file__).with_name("zygote.py")
_ATTEMPTS = 2


class Sandbox:
    """The parent's side of one warm zygote process (see zygote.py). Usable from several threads at once.

    environ: where the variables named by `inherit` are taken from.
    startup_seconds: how long the zygote may take until its first child runs; about 2 s on a quiet machine.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] = os.environ,
        inherit: Sequence[str] = INHERITED,
        startup_seconds: float = 60.0,
        zygote: Path = ZYGOTE,
    ) -> None:
        self._env = {name: environ[name] for name in inherit if name in environ}
        self._startup_seconds = startup_seconds
        self._zygote = zygote
        self._ready = False
        self._borrowed = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._log: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The zygote's process id while it lives."""
        with self._lock:
            return self._process.pid if self._alive() and self._process else None

    def start(self) -> None:
        """Start the zygote unless it lives. Returns at once; it gets warm in the background."""
        with self._lock:
            self._ensure()

    def close(self) -> None:
        """End the zygote and whatever it still runs. A later `run` would start it again."""
        with self._lock:
            self._discard()

    def shared(self) -> Self:
        """Another side of this zygote, for a process that is forked next: there it is used, and here it is closed.

        What runs for that process ends with it. Should the zygote die, that process starts one of its own. Raises
        ServiceUnavailable where this one does not start.
        """
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                self._send({"share": True}, theirs.fileno())
            except StartupFailed:
                self._send({"share": True}, theirs.fileno())  # It had died meanwhile, and was started again.
        other = type(self)(environ=self._env, inherit=tuple(self._env), startup_seconds=self._startup_seconds)
        other._control, other._borrowed = mine, True
        return other

    def leave(self) -> None:
        """Let go of it without ending it: in a forked process, where the other side of it goes on."""
        if self._control is not None:
            self._control.close()
        self._process = self._control = self._log = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def run(
        self, files: Mapping[str, str], env: Mapping[str, str | SecretStr], timeout: float, sdk: str = ""
    ) -> SandboxRun:
        """Write `files` (plain name -> text) to a fresh folder and run its `test_*.py` with pytest.

        `env` is added to the clean environment; what is given as SecretStr is hidden in every detail that comes back.
        `sdk` is the package that the zygote is to have warm: openai always is, anthropic from its first use on.
        A run that takes more than `timeout` seconds is killed with its whole process group.
        Raises ServiceUnavailable where the sandbox itself cannot start.
        """
        failure = ""
        for _ in range(_ATTEMPTS):  # the zygote may have died (killed, out of memory) since the run before
            try:
                return self._run_once(files, env, timeout, sdk)
            except StartupFailed as error:
                failure = str(error)
        raise ServiceUnavailable(
            f"The sandbox for generated tests did not start: {failure}",
            hint="Check that `python -c 'import openai, pytest'` works in ModelScan's environment.",
        )

    def _run_once(
        self, files: Mapping[str, str], env: Mapping[str, str | SecretStr], timeout: float, sdk: str
    ) -> SandboxRun:
        began = monotonic()
        secrets = tuple(value.get_secret_value() for value in env.values() if isinstance(value, SecretStr))
        with tempfile.TemporaryDirectory(prefix="modelscan-sandbox-", ignore_cleanup_errors=True) as folder:
            tests = _write(Path(folder), files)
            reading, writing = os.pipe()
            with open(reading, "rb", buffering=0) as pipe:
                request = {"folder": folder, "tests": tests, "seconds": timeout, "env": _plain(env), "sdk": sdk}
                try:
                    control = self._send({"run": request}, writing)
                finally:
                    os.close(writing)
                results = Results(pipe, secrets)
                try:
                    self._await_child(results, began)
                    results.follow(timeout)
                finally:
                    self._end(results, control)
            return results.run(Path(folder), seconds=monotonic() - began)

    def _await_child(self, results: Results, began: float) -> None:
        if not results.await_pid(self._startup_seconds - (monotonic() - began)):
            with self._lock:
                words = self._log_tail() or "it gave no answer"
                self._discard()
            raise StartupFailed(words)
        self._ready = True

    def _end(self, results: Results, control: socket.socket) -> None:
        """Have its zygote kill and bury the run, and wait until nothing of it writes into its folder any more."""
        if results.pid is None:
            return
        with self._lock:
            if control is not self._control or not self._told(control, results.pid):
                _kill_orphans(results.pid)
        results.drain()

    def _told(self, control: socket.socket, pid: int) -> bool:
        try:
            control.sendall(json.dumps({"end": pid}).encode() + b"\n")
        except OSError:
            self._discard()
            return False
        return True

    def _send(self, message: Mapping[str, object], descriptor: int) -> socket.socket:
        data = json.dumps(message).encode() + b"\n"
        with self._lock:
            control = self._ensure()
            try:
                sent = socket.send_fds(control, [data], [descriptor])
                control.sendall(data[sent:])
            except OSError as error:
                words = self._log_tail() or str(error)
                self._discard()
                raise StartupFailed(words) from error
            return control

    def _alive(self) -> bool:
        return self._borrowed or (self._process is not None and self._process.poll() is None)

    def _ensure(self) -> socket.socket:
        """Start the zygote if it does not live; called with the lock held."""
        if self._control is not None and self._alive():
            return self._control
        self._discard()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(self._zygote), str(theirs.fileno())],
                env=self._env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        return self._control

    def _discard(self) -> None:
        """Let go of the zygote, dead or alive: with its socket closed it kills its runs and ends. Lock held."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(timeout=2 if self._ready else 0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._log is not None:
            self._log.close()
        self._process = self._control = self._log = None
        self._ready = self._borrowed = False

    def _log_tail(self) -> str:
        if self._log is None:
            return ""
        self._log.seek(0)
        return " ".join(self._log.read().decode(errors="replace").split())[-500:]


def _kill_orphans(pid: int) -> None:
    """End a run whose zygote died before it."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _plain(env: Mapping[str, str | SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in env.items()}


def _write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write `files` and name the tests among them."""
    for name, text in files.items():
        if not name or Path(name).name != name:
            raise ValueError(f"{name!r} is not a plain file name")
        (folder / name).write_text(text, encoding="utf-8")
    return [name for name in files if name.startswith("test_") and name.endswith(".py")]
