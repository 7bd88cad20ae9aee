"""Whatever was published, activated, tried and rolled back, and whatever became of the files: the history is served."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings as property_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelscan.catalog import canaries, versions
from modelscan.catalog.database import Database
from modelscan.clients import activation
from modelscan.clients.keeping import settle, source_of
from modelscan.clients.loading import load_registry
from modelscan.clients.registry import Registry
from modelscan.types import CanaryCounts, CanaryTerms
from tests.places import settings_in
from tests.router_app.routers import a_spec, publish

TERMS = CanaryTerms(share=0.5)
MODELS = ("one", "two", "three")
FAULTS = (lambda file: file.unlink(), lambda file: file.write_text(file.read_text() + "# changed\n"))


class Versions(RuleBasedStateMachine):
    """`below` is what was served before, the last on top; `refused` what was rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.settings = settings_in(self.folder)
        self.database = Database(self.settings.database_path)
        self.known: list[str] = []
        self.below: list[int] = []
        self.refused: set[int] = set()
        self.trial: int | None = None
        self.running: Registry | None = None
        self.generation = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def serve(self, number: int, *, back: bool = False) -> None:
        if back and number in self.below:
            del self.below[self.below.index(number) + 1 :]
        elif self.below[-1:] != [number]:
            self.below.append(number)
        self.refused.discard(number)
        self.trial = None

    @rule(model=st.sampled_from(MODELS), tried=st.booleans())
    def publish(self, model: str, tried: bool) -> None:
        version = publish(
            self.settings, a_spec("http://127.0.0.1:9/v1", models=(model,)), terms=TERMS if tried else None
        )
        if model not in self.known:
            self.known.append(model)
        number = version.version
        assert self.known[number - 1] == model
        if self.below[-1:] == [number] or number == self.trial:
            return
        if not self.below or not (tried or number in self.refused):
            self.serve(number)
        elif number not in self.refused:
            self.trial = number

    @precondition(lambda self: self.below)
    @rule(data=st.data())
    def activate(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.known)))
        activation.activate(self.database, self.settings.generation.path, "acme", number, actor="operator")
        self.serve(number)

    @precondition(lambda self: len(set(self.below)) > 1)
    @rule()
    def roll_back(self) -> None:
        left = self.below[-1]
        expected = next(number for number in reversed(self.below[:-1]) if number != left)
        done = activation.roll_back(self.database, self.settings.generation.path, "acme", actor="operator")
        assert done.version == expected
        self.serve(expected, back=True)
        self.refused.add(left)

    @precondition(lambda self: len(self.known) > 1)
    @rule(data=st.data())
    def try_out(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.known)).filter(lambda one: one != self.below[-1]))
        activation.try_out(self.database, "acme", number, TERMS, actor="operator")
        self.trial = number
        self.refused.discard(number)

    @precondition(lambda self: self.trial)
    @rule(good=st.booleans())
    def end_the_trial(self, good: bool) -> None:
        (trial,) = canaries.canaries(self.database)
        told: dict[str, Any] = {"actor": "canary", "why": "", "seen": CanaryCounts()}
        if good:
            assert activation.promote(self.database, self.settings.generation.path, trial, **told)
            self.serve(trial.version)
        else:
            assert canaries.end(self.database, trial, "canary-rolled-back", **told)
            self.refused.add(trial.version)
            self.trial = None

    @precondition(lambda self: self.below)
    @rule(fault=st.sampled_from(FAULTS))
    def spoil_the_file(self, fault: Any) -> None:
        if (file := self.settings.generation.path / "acme.py").exists():
            fault(file)

    @precondition(lambda self: self.below)
    @rule()
    def start_anew(self) -> None:
        self.running = None
        settle(self.database, self.settings.generation.path)
        assert (self.settings.generation.path / "acme.py").exists()

    @precondition(lambda self: self.below)
    @invariant()
    def the_history_is_served(self) -> None:
        self.running = load_registry(self.database, self.settings.generation.path, self.running)
        served = self.running.served["acme"]
        assert (served.version.version, self.running.problems) == (self.below[-1], ())
        assert served.spec.models[0].id == self.known[self.below[-1] - 1]
        assert (served.trial.version.version if served.trial else None) == self.trial
        assert self.running.generation == versions.generation(self.database) >= self.generation
        self.generation = self.running.generation
        assert source_of(self.database, self.settings.generation.path, served.version).client


TestVersions = Versions.TestCase
TestVersions.settings = property_settings(max_examples=10, stateful_step_count=10, deadline=None)
