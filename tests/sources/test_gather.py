import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from modelscan.settings import DiscoverySettings
from modelscan.sources import SOURCES, SourceRequest, source_named
from modelscan.sources import gather as gathering
from modelscan.sources.gather import Saved, Scrape, gather, scrape, with_named_base_url
from modelscan.types import Identifier, SourceGap, SourceRecord, utc_now
from tests.sources.asking import Handler, answered, ask_with, fixture, json_routes

BASE = "http://127.0.0.1:9001/v1"
ACME = "https://api.acme.example/v1"
MESSAGES = "anthropic_messages"
MODELS = {"data": [{"id": "anvil"}]}


def known(extra: dict[str, tuple[int, Any]] | None = None) -> Handler:
    routes: dict[str, tuple[int, Any]] = {"GET https://models.dev/api.json": (200, fixture("models_dev/usual.json"))}
    return json_routes(routes | (extra or {}))


def gathered(handler: Handler, identifier: str = "acme", saved: Saved | None = None, **more: Any) -> dict[str, Scrape]:
    return {one.source: one for one in ask_with(handler, lambda request: gather(request, saved), identifier, **more)}


def record(source: str, url: str = "u", **more: Any) -> SourceRecord:
    return SourceRecord.of(source=source, subject="acme", url=url, payload={"api": ACME}, trusted=True, **more)


def shelf(*records: SourceRecord, asked: list[tuple[Any, ...]] | None = None) -> Saved:
    """A catalogue that holds these records."""

    def saved(source: str, subject: str, url: str | None, since: datetime) -> SourceRecord | None:
        if asked is not None:
            asked.append((source, subject, url))
        fitting = (
            one for one in records if one.source == source and url in (None, one.url) and one.fetched_at >= since
        )
        return next(fitting, None)

    return saved


def test_the_provider_is_asked_at_the_url_that_a_list_named() -> None:
    scrapes = gathered(known({f"GET {ACME}/models": (200, MODELS)}))
    itself = scrapes["provider"].record
    assert itself is not None
    assert itself.url == ACME
    assert "operator" not in scrapes


def test_an_operators_server_is_asked_in_the_first_wave() -> None:
    scrapes = gathered(
        json_routes({f"GET {BASE}/models": (200, MODELS)}), "local/x", base_url=BASE, operator_named=True
    )
    assert scrapes["operator"].record
    assert scrapes["provider"].record
    assert list(scrapes) == ["operator", "builtin", "models.dev", "genai-prices", "gpustack", "provider"]


def test_nobody_is_asked_where_no_source_names_a_url() -> None:
    scrapes = gathered(known(), "nobody")
    assert scrapes["provider"].said == "nothing of this provider"
    assert scrapes["models.dev"].gap is not None
    assert scrapes["models.dev"].said.startswith("unknown: ")


def test_the_builtin_row_wins_over_a_list() -> None:
    demo = "http://127.0.0.1:8080/reference/v1"
    itself = gathered(known({f"GET {demo}/models": (200, MODELS)}), "demo", demo_base_url=demo)["provider"].record
    assert itself is not None
    assert itself.url == demo


@pytest.mark.parametrize(
    ("builtin", "listed", "protocol"),
    [
        ({"base_url": ACME, "protocol": "anthropic_messages"}, {"npm": "@ai-sdk/openai-compatible"}, MESSAGES),
        (None, {"api": ACME, "npm": "@ai-sdk/anthropic"}, MESSAGES),
        (None, {"api": ACME, "npm": "@acme/its-own"}, None),
        (None, {"api": ACME}, None),
        (None, {"npm": "@ai-sdk/anthropic"}, None),
    ],
)
def test_the_provider_is_asked_in_the_protocol_that_was_named(builtin: Any, listed: Any, protocol: str | None) -> None:
    records = [
        SourceRecord.of(source=source, subject="acme", url="u", payload=payload, trusted=True)
        for source, payload in (("builtin", builtin), ("models.dev", listed))
        if payload
    ]
    request = SourceRequest(identifier=Identifier.parse("acme"), http=None, settings=DiscoverySettings())  # type: ignore[arg-type]  # asks nothing
    assert with_named_base_url(request, records).protocol == protocol


def test_a_young_record_is_used_again() -> None:
    old = record("models.dev", fetched_at=utc_now() - timedelta(days=6))
    scrapes = gathered(known(), saved=shelf(old))
    assert (scrapes["models.dev"].record, scrapes["models.dev"].cached) == (old, True)
    assert scrapes["models.dev"].said.startswith(f"record {old.id}, of 20")


def test_hit_miss_and_passing_by_are_told_apart() -> None:
    routes = known({f"GET {ACME}/models": (200, MODELS)})
    young = record("models.dev")
    cache = {name: one.cache for name, one in gathered(routes, saved=shelf(young)).items()}
    assert cache == {"builtin": "none", "models.dev": "hit", "genai-prices": "miss", "provider": "miss"}
    assert gathered(routes, saved=shelf(young))["provider"].said.endswith(", cache miss")
    anew = gathered(routes, saved=None)
    assert anew["models.dev"].cache == "passed by"
    assert anew["models.dev"].said.endswith(", cache passed by")


@pytest.mark.parametrize(
    ("identifier", "deep", "more"),
    [
        ("acme/anvil", False, ()),
        ("huggingface", False, ("huggingface",)),
        ("modelscope/a/b", False, ("modelscope",)),
        ("acme/a/b", False, ()),
        ("acme/anvil", True, ("gpustack-catalogue", "openapi")),
        ("acme/a/b", True, ("huggingface", "modelscope", "gpustack-catalogue", "openapi")),
    ],
)
def test_only_those_are_asked_that_may_know(identifier: str, deep: bool, more: tuple[str, ...]) -> None:
    scrapes = gathered(known({f"GET {ACME}/models": (200, MODELS)}), identifier, deep=deep)
    assert set(scrapes) == {"builtin", "models.dev", "genai-prices", "provider", *more}


def test_a_source_of_one_model_is_looked_up_by_the_model() -> None:
    asked: list[tuple[Any, ...]] = []
    gathered(known(), "acme/a/b", saved=shelf(asked=asked), deep=True)
    assert ("huggingface", "acme/a/b", None) in asked
    assert ("gpustack-catalogue", "acme", None) in asked
    assert ("openapi", "acme", "https://api.acme.example") in asked


def test_a_record_past_its_days_is_asked_anew() -> None:
    old = record("models.dev", fetched_at=utc_now() - timedelta(days=8))
    assert not gathered(known(), saved=shelf(old))["models.dev"].cached


def test_the_days_are_a_setting() -> None:
    old = record("models.dev", fetched_at=utc_now() - timedelta(days=1))
    settings = DiscoverySettings(cache_days=0.5)
    assert not gathered(known(), saved=shelf(old), settings=settings)["models.dev"].cached


def test_the_provider_itself_is_looked_up_by_its_url() -> None:
    asked: list[tuple[Any, ...]] = []
    scrapes = gathered(known(), saved=shelf(record("provider", ACME), asked=asked))
    assert scrapes["provider"].cached
    assert asked == [("models.dev", "acme", None), ("genai-prices", "acme", None), ("provider", "acme", ACME)]


def test_an_operators_own_server_is_always_asked_anew() -> None:
    saved = shelf(record("provider", BASE))
    routes = {f"GET {BASE}/models": (200, MODELS)}
    assert not gathered(json_routes(routes), base_url=BASE, operator_named=True, saved=saved)["provider"].cached


def test_a_record_is_said_with_its_note() -> None:
    scraped = Scrape(source="models.dev", record=record("models.dev", note="3 rows dropped"))
    assert scraped.said.endswith("(3 rows dropped)")


def test_a_source_that_never_ends_is_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(gathering, "_MAX_SECONDS", 0.01)
    endless = replace(source_named("models.dev"), fetch=never)
    scraped = ask_with(json_routes({}), lambda request: scrape(endless, request, None))
    assert scraped.gap == SourceGap(source="models.dev", kind="unreachable", reason="it took more than 0.01 s")


def test_a_gap_of_one_source_is_a_gap_and_no_failure() -> None:
    scraped = ask_with(
        lambda _: answered(200, b"{}"), lambda request: scrape(source_named("models.dev"), request, None)
    )
    assert isinstance(scraped.gap, SourceGap)


@pytest.mark.parametrize("name", ["", "cleverness"])
def test_an_unknown_source_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError):
        source_named(name)


def test_each_source_is_one_row_with_a_name_of_its_own() -> None:
    names: list[str] = [source.name for source in SOURCES]
    fetch: set[Callable[..., Any]] = {source.fetch for source in SOURCES}
    assert len(set(names)) == len(fetch) == len(SOURCES)
