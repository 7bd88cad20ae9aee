"""What the operator pinned steers where a run looks, and where its key goes."""

import asyncio
from dataclasses import replace

from pydantic import SecretStr

from modelscan.keys import store
from modelscan.sources.gather import with_named_base_url
from modelscan.types import Decision, SourceRecord
from tasks.run import Run, _allowed

PIN = Decision.of("pin", "acme", "base_url", value="http://127.0.0.1:9001/v1")
REJECTED = Decision.of("reject", "acme", "base_url", source="models.dev")


def listed(api: str = "https://api.acme.example/v1") -> SourceRecord:
    return SourceRecord.of(source="models.dev", subject="acme", url="u", payload={"api": api}, trusted=True)


def test_the_provider_is_asked_where_the_pin_says(run: Run) -> None:
    async def story() -> None:
        decided = replace(run, decisions=(PIN,))
        request = await decided.request()
        assert (request.base_url, request.operator_named) == (None, False)  # The lists are asked, too.
        named = with_named_base_url(request, (listed(), *decided.pins), decided.distrusted)
        assert named.base_url == PIN.value

    asyncio.run(story())


def test_a_typed_address_gives_way_to_the_pin(run: Run) -> None:
    async def story() -> None:
        typed = run.discovery.model_copy(update={"base_url": "http://127.0.0.1:9002/v1"})
        request = await replace(run, decisions=(PIN,), discovery=typed).request()
        assert (request.base_url, request.operator_named) == (PIN.value, True)

    asyncio.run(story())


def test_an_address_that_is_rejected_is_not_asked(run: Run) -> None:
    async def story() -> None:
        decided = replace(run, decisions=(REJECTED,))
        named = with_named_base_url(await decided.request(), [listed()], decided.distrusted)
        assert named.base_url is None

    asyncio.run(story())


def test_a_key_for_another_server_is_not_sent_to_the_pinned_one(run: Run) -> None:
    bench = run.bench
    store.add_key(bench.database, bench.custody, "acme", SecretStr("sk-other"), host="127.0.0.1:9002")

    async def key_of(decisions: tuple[Decision, ...]) -> SecretStr | None:
        return (await replace(run, decisions=decisions).request()).key

    assert asyncio.run(key_of((PIN,))) is None
    store.add_key(bench.database, bench.custody, "acme", SecretStr("sk-this"), host="127.0.0.1:9001")
    found = asyncio.run(key_of((PIN,)))
    assert found
    assert found.get_secret_value() == "sk-this"
    assert asyncio.run(key_of(())) is None


def test_a_pinned_server_may_be_private(run: Run) -> None:
    assert "127.0.0.1:9001" in _allowed(run.bench, run.discovery, str(PIN.value))
    assert "127.0.0.1:9001" not in _allowed(run.bench, run.discovery, None)
