import json

from modelscan.drift.letters import MOST, batches, letters
from modelscan.types import DriftKind, DriftState
from tests.drift.looks import change


def test_a_letter_tells_the_changes_of_a_kind_and_a_provider() -> None:
    url = change("a", "b", kind=DriftKind.BASE_URL, field="base_url", model=None)
    written = letters([change(), url, change(model="tiny"), change(provider="bolt")])
    told = [json.loads(one.body) for one in written]
    assert [(one["type"], one["data"]["provider"], len(one["data"]["changes"])) for one in told] == [
        ("modelscan.drift.base_url", "acme", 1),
        ("modelscan.drift.price", "acme", 2),
        ("modelscan.drift.price", "bolt", 1),
    ]
    assert told[0]["data"]["changes"] == [url.model_dump(mode="json")]
    assert told[0]["data"]["state"] == "held"
    assert len({one.id for one in written}) == 3


def test_what_is_ignored_is_told_nobody() -> None:
    assert letters([change(state=DriftState.IGNORED)]) == ()


def test_many_changes_are_several_letters() -> None:
    several = [change(model=f"m{one}", state=DriftState.APPLIED) for one in range(MOST + 1)]
    assert [len(batch) for batch in batches(several)] == [MOST, 1]
