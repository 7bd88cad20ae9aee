"""Usage rows: one for each request that reached the router, with what it used as far as anybody can know."""

import asyncio
from typing import Any

import pytest

from modelscan.settings import Settings
from modelscan.types import Auth
from tests.router_app.peers import Endless, Scripted
from tests.router_app.routers import a_spec, eventually, routed, scripted
from tests.router_app.test_attempts import Moody, asked
from tests.router_app.test_failover import CHAT, router_over, rule

HELLO = {"model": "echo", "messages": [{"role": "user", "content": "hi " * 100}]}
CLIENT = {"x-modelscan-client": "batch"}
SAID = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'


def row_of(settings: Settings, peer: Scripted, path: str = "/v1/chat/completions", **more: Any) -> dict[str, Any]:
    """The row of one request that `peer` answers."""

    async def story() -> dict[str, Any]:
        async with scripted(peer, settings) as router:
            await router.http.post(path, headers=CLIENT, **(more or {"json": HELLO}))
            rows: list[dict[str, Any]] = router.usage()
            assert len(rows) == 1
            return rows[0]

    return asyncio.run(story())


def test_tokens_that_nobody_told_are_estimated_and_marked(settings: Settings) -> None:
    row = row_of(settings, Scripted([b'{"choices":[{"message":{"content":"' + b"word " * 100 + b'"}}]}']))
    assert (row["estimated"], row["client"], row["operation"]) == (True, "batch", "chat")
    assert 75 <= row["prompt_tokens"] <= 120
    assert 125 <= row["completion_tokens"] <= 160


def test_a_stream_without_usage_is_estimated_by_its_events(settings: Settings) -> None:
    peer = Scripted([*[SAID] * 40, b"data: [DONE]\n\n"], content_type=b"text/event-stream")
    row = row_of(settings, peer, json={**HELLO, "stream": True})
    assert (row["estimated"], row["completion_tokens"]) == (True, 40)


def test_what_was_told_is_no_estimate_and_has_its_parts(settings: Settings) -> None:
    told = b'{"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}'
    row = row_of(settings, Scripted([told]))
    assert (row["estimated"], row["prompt_tokens"], row["completion_tokens"]) == (False, 9, 5)
    assert (row["cached_tokens"], row["reasoning_tokens"]) == (4, None)


def test_sound_and_pictures_are_told_apart(settings: Settings) -> None:
    told = b'{"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_tokens_details":{"audio_tokens":4}}}'
    row = row_of(settings, Scripted([told]))
    media = {"input_audio": 4, "output_audio": 0, "input_image": 0, "output_image": 0}
    assert (row["prompt_tokens"], row["media_tokens"]) == (9, media)
    answer = b'{"data":[{"b64_json":"AA"}],"usage":{"input_tokens":3,"output_tokens":9}}'
    row = row_of(settings, Scripted([answer]), "/v1/images/generations", content=b'{"model": "echo"}')
    assert row["media_tokens"]["output_image"] == 9


def test_a_stream_that_breaks_off_counts_what_came(settings: Settings) -> None:
    peer = Scripted([SAID] * 20 + [b'data: {"error":{"message":"gone"}}\n\n'], content_type=b"text/event-stream")
    row = row_of(settings, peer, json={**HELLO, "stream": True})
    assert (row["status"], row["error_code"], row["estimated"]) == (502, "upstream-failed", True)
    assert 15 <= row["completion_tokens"] <= 30


def cancelled(settings: Settings, *, silent: bool) -> dict[str, Any]:
    """The row of a stream whose caller leaves: before a byte of it came, or after the first."""

    async def story() -> dict[str, Any]:
        peer = Endless(silent=silent)
        async with routed(
            settings, peers={"acme": peer}, specs=lambda origins: [a_spec(f"{origins['acme']}/v1")]
        ) as router:
            body, came = {**HELLO, "stream": True}, asyncio.Event()

            async def read() -> None:
                async with router.http.stream("POST", "/v1/chat/completions", json=body) as answer:
                    async for _ in answer.aiter_raw():
                        came.set()

            reading = asyncio.create_task(read())
            async with asyncio.timeout(10):
                await (peer.began if silent else came).wait()
            reading.cancel()
            await eventually(router.usage)
            return router.usage()[0]

    return asyncio.run(story())


def test_a_cancelled_stream_counts_what_was_used_up_to_then(settings: Settings) -> None:
    row = cancelled(settings, silent=False)
    assert (row["cancelled"], row["estimated"]) == (True, True)
    assert row["prompt_tokens"] >= 75
    assert row["completion_tokens"] >= 1


def test_a_caller_who_leaves_before_the_answer_has_used_the_prompt(settings: Settings) -> None:
    row = cancelled(settings, silent=True)
    assert (row["cancelled"], row["estimated"], row["completion_tokens"]) == (True, True, 0)
    assert row["prompt_tokens"] >= 75


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": b"{"}, 400, "invalid-input"),
        ({"json": {"model": "nobody"}}, 404, "model-not-found"),
        ({"json": {}}, 400, "invalid-input"),
    ],
)
@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/messages/count_tokens", "count_tokens"),
        ("/v1/audio/speech", "audio/speech"),
    ],
)
def test_a_refused_request_has_its_row_and_used_nothing(
    settings: Settings, body: dict[str, Any], status: int, code: str, path: str, operation: str
) -> None:
    row = row_of(settings, Scripted([b"{}"]), path, **body)
    assert (row["status"], row["error_code"], row["operation"], row["client"]) == (status, code, operation, "batch")
    assert (row["prompt_tokens"], row["completion_tokens"], row["estimated"]) == (None, None, False)


@pytest.mark.parametrize(
    ("path", "answer", "found"),
    [
        ("/v1/embeddings", b'{"usage":{"prompt_tokens":7,"total_tokens":7}}', (False, 7, 0)),
        ("/v1/embeddings", b"{}", (True, 11, 0)),
        ("/v1/images/generations", b"{}", (False, None, None)),
        ("/v1/images/generations", b'{"usage":{"input_tokens":3,"output_tokens":9}}', (False, 3, 9)),
    ],
)
def test_only_what_is_made_of_tokens_is_estimated(
    settings: Settings, path: str, answer: bytes, found: tuple[object, ...]
) -> None:
    row = row_of(settings, Scripted([answer]), path, content=b'{"model": "echo", "input": "some words."}')
    assert (row["estimated"], row["prompt_tokens"], row["completion_tokens"]) == found


@pytest.mark.parametrize(
    ("moods", "keys", "retries"), [([200], (), 0), ([503, 503, 200], (), 2), ([401, 200], "ab", 1)]
)
def test_each_time_that_it_was_sent_again_is_counted(
    settings: Settings, moods: list[int], keys: str, retries: int
) -> None:
    _, rows = asyncio.run(asked(Moody(moods), settings, *(f"sk-{key}-0123456789" for key in keys)))
    assert [row["retries"] for row in rows] == [retries]


def test_candidates_that_were_passed_over_are_counted(settings: Settings) -> None:
    async def story() -> dict[str, Any]:
        peers = {"acme": Moody([503]), "bear": Moody([404]), "cat": Moody([200])}
        open_to_all = {name: {"auth": Auth(kind="none")} for name in peers}
        everybody = rule(*(f"{name}/echo" for name in peers))
        async with router_over(settings, peers, {"retries": 0}, everybody, **open_to_all) as router:
            await router.http.post("/v1/chat/completions", json=CHAT)
            return router.usage()[0]

    row = asyncio.run(story())
    assert (row["status"], row["provider"], row["fallbacks"], row["asked_model"]) == (200, "cat", 2, "all")
