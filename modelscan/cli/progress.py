"""Shows the steps of a discovery while they happen, on stderr."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from modelscan.types import Attempt, Discovery, DiscoveryState, DiscoveryStep
from modelscan.visible import visible

__all__ = ["Progress"]

_WAITING = {
    DiscoveryState.QUEUED: "queued (the first one waits until Prefect has started, which may take a minute)",
    DiscoveryState.RUNNING: "running",
    DiscoveryState.WAITING: "waits for approval",
    DiscoveryState.SUCCEEDED: "done",
    DiscoveryState.FAILED: "failed",
}
_MARKS = {"done": "[green]✓[/]", "cached": "[green]✓[/]", "failed": "[red]✗[/]"}


class Progress:
    """One line a step that ended, and, on a terminal, a spinner with what runs now."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, quiet=quiet, highlight=False)
        self._status = Status("queued", console=self._console)
        self._shown: set[int] = set()
        self._loops = 0
        self._waited = False

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._status.stop()

    def show(self, discovery: Discovery) -> None:
        """Print the steps that ended since the last call."""
        for step in discovery.steps:
            if step.ended_at and step.seq not in self._shown:
                self._shown.add(step.seq)
                self._console.print(_line(step), soft_wrap=True)
        for attempt in discovery.attempts[self._loops :]:
            for line in _loop(attempt):
                self._console.print(line, soft_wrap=True)
            self._loops = attempt.number
        if discovery.state is DiscoveryState.QUEUED and not self._waited and not self._console.is_terminal:
            self._console.print(_WAITING[discovery.state])  # Where no spinner shows it.
            self._waited = True
        running = [step.name for step in discovery.steps if not step.ended_at]
        self._status.update(escape(visible(", ".join(running))) or _WAITING[discovery.state])


def _loop(attempt: Attempt) -> Iterator[str]:
    """A loop that was red, or changed something; a first one that was green says nothing new."""
    for change in attempt.changes:
        yield f"  loop {attempt.number} changed {escape(visible(f'{change.field}: {change.before} → {change.after}'))}"
    if attempt.report.failed:
        names = ", ".join(dict.fromkeys(result.case for result in attempt.report.failed))
        yield f"  loop {attempt.number} is red: {escape(visible(names))}"


def _line(step: DiscoveryStep) -> str:
    seconds = (step.ended_at - step.started_at).total_seconds() if step.ended_at else 0.0
    said = f" [dim]{escape(visible(step.detail))}[/]" if step.detail else ""
    cached = " [dim](cached)[/]" if step.state == "cached" else ""
    return f"{_MARKS.get(step.state, ' ')} {escape(visible(step.name))}{cached} [dim]{seconds:.2f} s[/]{said}"
