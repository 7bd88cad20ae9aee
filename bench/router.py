"""What a request costs in ModelScan's router and in other gateways, beside each other, in one run.

Run `python -m bench.router` (some five minutes, and once as long again to fetch the others into .work/bench). One
upstream that costs next to nothing answers all of them. Figures are the CPU time of a gateway's whole process tree,
divided by the requests that it answered, so that they hold on a machine that is busy with other things, too. `--readme`
writes the table into README.md. It needs wrk (Debian: apt-get install wrk).
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gateways import GATEWAYS, Gateway, Started

CHECKOUT = Path(__file__).resolve().parents[1]
OWN = "modelscan"
BASELINE = "vllm-router"
"""Whose cost is 1 in the ratios."""
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MARKS = ("<!-- bench.router -->\n", "<!-- end of bench.router -->\n")


@dataclass(frozen=True)
class Phase:
    """One kind of load."""

    name: str
    connections: int
    stream: bool = False


PLAIN, ALONE, STREAM = Phase("plain", 32), Phase("alone", 1), Phase("stream", 8, stream=True)


@dataclass(frozen=True)
class Shot:
    """What one load showed: microseconds of CPU a request, the median latency in milliseconds, requests a second."""

    cpu: float
    p50: float
    rate: float


class RequestsFailed(Exception):
    """Not every request of a load was answered well."""


def main() -> None:
    """Parse the arguments, measure in turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gateways", default=",".join(one.name for one in GATEWAYS), help="which, with commas between")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turns")
    parser.add_argument("--seconds", type=int, default=5, help="how long each load lasts")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk makes the load, and is not installed (Debian: apt-get install wrk).")
    chosen = [one for one in GATEWAYS if one.name in asked.gateways.split(",")]
    table = measured(chosen, asked.rounds, asked.seconds)
    print(f"\n{table}", flush=True)
    if asked.readme:
        write_into(CHECKOUT / "README.md", table)


def measured(gateways: list[Gateway], rounds: int, seconds: int) -> str:
    """The table, after so many rounds over all of them."""
    versions = {}
    for gateway in gateways:
        say(f"fetching {gateway.name}")
        versions[gateway.name] = gateway.fetch(CHECKOUT / ".work" / "bench" / gateway.name)
    shots: dict[tuple[str, str], list[Shot]] = defaultdict(list)
    memory: dict[str, tuple[int, int]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(peer())
        started: dict[str, Started] = {}
        for gateway in gateways:
            say(f"starting {gateway.name} {versions[gateway.name]}")
            installed = CHECKOUT / ".work" / "bench" / gateway.name
            started[gateway.name] = stack.enter_context(gateway.running(installed, folder / gateway.name, upstream))
        for one in started.values():
            wait_until_idle(one)
        idle = {name: resident(one) for name, one in started.items()}
        for number in range(rounds):
            direct = shot(f"{upstream}/chat/completions", "bench", {}, ALONE, seconds)
            shots["direct", ALONE.name].append(direct)
            for name, one in started.items():
                for phase in (PLAIN, ALONE, STREAM):
                    try:
                        found = shot(one.url, one.model, one.headers, phase, seconds, one.process.pid)
                    except RequestsFailed as error:
                        if name == OWN:
                            raise SystemExit(f"requests through {name} failed: {error}") from error
                        say(f"round {number + 1} of {rounds}: {name:12} {phase.name:7} failed: {error}")
                        continue
                    shots[name, phase.name].append(found)
                    words = f"{found.cpu:9.0f} µs CPU a request, p50 {found.p50:.2f} ms, {found.rate:.0f}/s"
                    say(f"round {number + 1} of {rounds}: {name:12} {phase.name:7} {words}")
        memory = {name: (idle[name], resident(one)) for name, one in started.items()}
    return table_of(versions, shots, memory)


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


@contextmanager
def peer() -> Iterator[str]:
    """The upstream's base URL."""
    command = [sys.executable, "-m", "bench.peer", "0"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().split()[-1]}/v1"
        finally:
            process.kill()


def tree(root: int) -> set[int]:
    """The process and all its descendants."""
    children = defaultdict(set)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children[int(stat.read_text().rpartition(")")[2].split()[1])].add(int(stat.parent.name))
        except OSError:  # It ended meanwhile.
            continue
    found, left = set[int](), [root]
    while left:
        found.add(pid := left.pop())
        left.extend(children[pid] - found)
    return found


def cpu_seconds(root: int) -> float:
    """What the process tree has used, with its children that have ended."""
    total = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / _TICK


def resident(one: Started) -> int:
    """Bytes of memory of the process at the root, which relays."""
    return int(Path(f"/proc/{one.process.pid}/statm").read_text().split()[1]) * _PAGE


def wait_until_idle(one: Started) -> None:
    """Until the tree uses less than a twentieth of a core, or a minute has passed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        before = cpu_seconds(one.process.pid)
        time.sleep(1)
        if cpu_seconds(one.process.pid) - before < 0.05:
            return


def shot(url: str, model: str, headers: Mapping[str, str], phase: Phase, seconds: int, root: int = 0) -> Shot:
    """One load; raises RequestsFailed where one did, since failures are cheap."""
    messages = [{"role": "user", "content": "Hello there, how are you today?"}]
    body: dict[str, object] = {"model": model, "messages": messages}
    if phase.stream:
        body["stream"] = True
    lines = [f"wrk.method = 'POST'\nwrk.body = [[{json.dumps(body)}]]\n"]
    sent = {"content-type": "application/json", **headers}
    lines += [f"wrk.headers['{name}'] = '{value}'\n" for name, value in sent.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("".join(lines))
        script.flush()
        command = ["wrk", "-t1", f"-c{phase.connections}", f"-d{seconds}s", "--latency", "-s", script.name, url]
        before = cpu_seconds(root) if root else 0.0
        printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = cpu_seconds(root) - before if root else 0.0
    count = int(_said(r"(\d+) requests in", printed))
    faults = re.findall(r"Non-2xx.*|Socket errors.*", printed)
    if not count or faults:
        raise RequestsFailed("; ".join(faults) or "none was answered")
    return Shot(used / count * 1e6, _milliseconds(_said(r"\n\s+50%\s+(\S+)", printed)), count / seconds)


def _said(pattern: str, printed: str) -> str:
    found = re.search(pattern, printed)
    return found[1] if found else "0"


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # as wrk writes it
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def table_of(
    versions: Mapping[str, str], shots: Mapping[tuple[str, str], list[Shot]], memory: Mapping[str, tuple[int, int]]
) -> str:
    """Markdown, with medians over the rounds; ratios to the baseline where it was measured."""

    def cpu(name: str, phase: Phase) -> float:
        return statistics.median(one.cpu for one in shots[name, phase.name])

    def p50(name: str) -> float:
        return statistics.median(one.p50 for one in shots[name, ALONE.name])

    def cell(name: str, phase: Phase) -> str:
        if not shots[name, phase.name]:
            return "failed"
        ratio = f" ({cpu(name, phase) / cpu(BASELINE, phase):.1f})" if BASELINE in versions else ""
        return f"{cpu(name, phase):,.0f} µs{ratio}"

    rows = [
        f"| gateway | CPU a request ({BASELINE} is 1) | CPU a stream of 100 chunks | added, p50 | memory idle, after |",
        "|---|---|---|---|---|",
    ]
    for name, version in versions.items():
        added = f"{p50(name) - p50('direct'):.2f} ms"
        idle, after = (f"{bytes_ / 2**20:.0f}" for bytes_ in memory[name])
        cells = (f"{name} {version}", cell(name, PLAIN), cell(name, STREAM), added, f"{idle}, {after} MiB")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def write_into(readme: Path, table: str) -> None:
    """Put the table between its marks."""
    text = readme.read_text(encoding="utf-8")
    begin, end = (text.index(mark) for mark in _MARKS)
    readme.write_text(f"{text[: begin + len(_MARKS[0])]}\n{table}\n{text[end:]}", encoding="utf-8")


if __name__ == "__main__":
    main()
