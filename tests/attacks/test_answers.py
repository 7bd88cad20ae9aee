"""An answer that is a bomb, no JSON, or far too long costs a bounded amount of memory and becomes a gap, no more."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.errors import SourceUnavailable
from modelscan.reference import serve_in_thread
from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest
from modelscan.sources.http import Answer, ask, open_client
from modelscan.sources.models_dev import MODELS_DEV
from modelscan.sources.provider_itself import PROVIDER, observations_of
from modelscan.synthesis.evidence import Evidence
from modelscan.synthesis.precedence import propose
from modelscan.types import Identifier, SourceGap, SourceRecord
from modelscan.validation.probe import probe
from tests.attacks.table import Attack, attacks
from tests.validation.specs import a_spec

MEBIBYTE = 2**20
LIMIT = 4 * MEBIBYTE


def zipped(size: int) -> bytes:
    """So many zeros, a thousandth of that in length."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(size // MEBIBYTE)) + packer.flush()


GZIP = zipped(256 * MEBIBYTE)


class Bomb:
    """Answers every request with one body, dressed as `encoding` says."""

    def __init__(self, body: bytes, encoding: str = "", repeat: int = 1) -> None:
        self.body, self.encoding, self.repeat = body, encoding, repeat

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        headers += [(b"content-encoding", self.encoding.encode())] if self.encoding else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(self.repeat):
            await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def asked(bomb: Bomb, limit: int = LIMIT) -> Answer:
    async def run(url: str) -> Answer:
        async with open_client(allowed_private=["127.0.0.1"], timeout=10) as http:
            return await ask(http, "GET", url, limit=limit)

    with serve_in_thread(bomb) as origin:
        return asyncio.run(run(f"{origin}/v1/models"))


EXPANDING = (
    Attack("gzip", Bomb(GZIP, "gzip")),
    Attack("deflate", Bomb(zlib.compress(bytes(256 * MEBIBYTE), 9), "deflate")),
    Attack("gzip in gzip", Bomb(gzip.compress(GZIP, 9), "gzip, gzip")),
    Attack(
        "gzip five times",
        Bomb(gzip.compress(gzip.compress(gzip.compress(gzip.compress(GZIP)))), ", ".join(["gzip"] * 5)),
    ),
    Attack("not packed at all", Bomb(bytes(MEBIBYTE), repeat=64)),
)


@attacks(*EXPANDING)
def test_what_expands_past_the_limit_is_dropped_before_it_fills_the_memory(attack: Attack) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SourceUnavailable, match=f"more than {LIMIT} bytes"):
            asked(attack.hostile)
        assert tracemalloc.get_traced_memory()[1] < 8 * LIMIT
    finally:
        tracemalloc.stop()


NO_JSON = (
    Attack("gzip cut off", Bomb(GZIP[:1000], "gzip")),
    Attack("gzip six times in name", Bomb(GZIP, ", ".join(["gzip"] * 6))),
    Attack("zstd, which was not asked for", Bomb(b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00", "zstd")),
    Attack("brotli, which was not asked for", Bomb(b"\x8b\x00\x80{}\x03", "br")),
    Attack("no gzip under its name", Bomb(b"{}", "gzip")),
    Attack("lists without end", Bomb(b"[" * MEBIBYTE)),
    Attack("lists 65 deep", Bomb(b"[" * 66 + b"]" * 66)),
    Attack("objects 300 deep", Bomb(b'{"a":' * 300 + b"1" + b"}" * 300)),
    Attack("a number without end", Bomb(b'{"cost": ' + b"9" * 5000 + b"}")),
    Attack("a number of 50 digits", Bomb(b'{"cost": ' + b"9" * 50 + b"}")),
    Attack("a number beyond all", Bomb(b'{"cost": 1e999}')),
    Attack("a number below all", Bomb(b'{"cost": -1e999}')),
    Attack("infinity", Bomb(b'{"cost": Infinity}')),
    Attack("no number", Bomb(b'{"cost": NaN}')),
    Attack("half a surrogate pair", Bomb(b'{"name": "\\udc00"}')),
    Attack("half a surrogate pair as a name", Bomb(b'{"\\ud800": 1}')),
    Attack("bytes that are no text", Bomb(b'{"name": "\xff\xfe"}')),
)


@attacks(*NO_JSON)
def test_what_is_no_json_to_store_is_no_answer(attack: Attack) -> None:
    with suppress(SourceUnavailable):  # Where it cannot even be unpacked.
        assert asked(attack.hostile).json_body is None


@attacks(*NO_JSON)
def test_such_a_models_list_is_a_gap_or_says_nothing_and_ends_no_run(attack: Attack) -> None:
    async def run(base_url: str) -> SourceRecord | SourceGap | None:
        async with open_client(allowed_private=["127.0.0.1"], timeout=10) as http:
            request = SourceRequest(
                Identifier.parse("box/x"), http, DiscoverySettings(), base_url, True, key=SecretStr("sk-canary")
            )
            return await PROVIDER.fetch(request)

    with serve_in_thread(attack.hostile) as origin:
        came = asyncio.run(run(f"{origin}/v1"))
    if isinstance(came, SourceRecord):
        assert {seen.shape for seen in observations_of(came)} <= {"other", "json"}
    else:
        assert isinstance(came, SourceGap)


@attacks(*NO_JSON)
def test_such_a_catalogue_is_replaced_by_the_snapshot(attack: Attack) -> None:
    async def run(url: str) -> SourceRecord | SourceGap | None:
        async with open_client(allowed_private=["127.0.0.1"], timeout=10) as http:
            settings = DiscoverySettings(models_dev_url=f"{url}/api.json")
            return await MODELS_DEV.fetch(SourceRequest(Identifier.parse("deepseek"), http, settings))

    with serve_in_thread(attack.hostile) as origin:
        record = asyncio.run(run(origin))
    assert isinstance(record, SourceRecord)
    assert record.stale


@attacks(*NO_JSON)
def test_such_an_answer_to_the_probe_proves_nothing(attack: Attack) -> None:
    async def run(base_url: str) -> Sequence[Any]:
        async with open_client(allowed_private=["127.0.0.1"], timeout=10) as http:
            return await probe(a_spec(base_url=base_url), base_url, http)

    with serve_in_thread(attack.hostile) as origin:
        results = asyncio.run(run(f"{origin}/v1"))
    assert {result.outcome for result in results} <= {"failed", "skipped"}


@pytest.mark.no_cover
def test_a_models_list_of_a_hundred_thousand_is_cut() -> None:
    rows = ",".join(f'{{"id":"model-{number}"}}' for number in range(100_000))
    served = Bomb(f'{{"data":[{rows},{{"id":"{"x" * 300}"}}]}}'.encode())

    async def run(base_url: str) -> SourceRecord | SourceGap | None:
        async with open_client(allowed_private=["127.0.0.1"], timeout=10) as http:
            request = SourceRequest(Identifier.parse("box/model-7"), http, DiscoverySettings(), base_url, True)
            return await PROVIDER.fetch(request)

    with serve_in_thread(served) as origin:
        base_url = f"{origin}/v1"
        came = asyncio.run(run(base_url))
        assert isinstance(came, SourceRecord)
        operator = SourceRecord.of(
            source="operator", subject="box", url=base_url, payload={"base_url": base_url}, trusted=True
        )
        proposal = propose(Evidence(identifier=Identifier.parse("box/model-7"), records=(operator, came)))
    assert proposal is not None
    assert len(proposal.spec.models) == 5_000
