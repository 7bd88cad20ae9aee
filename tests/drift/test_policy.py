import pytest

from modelscan.drift.policy import Effect, by_policy, effects
from modelscan.settings import DriftSettings
from modelscan.types import DriftKind, DriftState
from tests.drift.looks import change

SAFE = {"price": "applied", "limit": "applied", "models": "applied"}


@pytest.mark.parametrize("kind", list(DriftKind))
def test_what_could_send_a_key_elsewhere_or_fail_callers_is_held_unless_the_operator_says_otherwise(
    kind: DriftKind,
) -> None:
    (found,) = by_policy([change(kind=kind)], DriftSettings())
    assert found.state == SAFE.get(kind, "held")
    (ignored,) = by_policy([change(kind=kind)], DriftSettings.model_validate({kind: "ignore"}))
    assert ignored.state is DriftState.IGNORED


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        (DriftKind.PRICE, DriftState.APPLIED, {"acme": Effect.PRICES}),
        (DriftKind.LIMIT, DriftState.APPROVED, {"acme": Effect.DISCOVERY}),
        (DriftKind.BASE_URL, DriftState.HELD, {}),
        (DriftKind.BASE_URL, DriftState.REJECTED, {}),
        (DriftKind.MODELS, DriftState.IGNORED, {}),
        (DriftKind.SOURCE, DriftState.APPROVED, {}),
    ],
)
def test_only_what_counts_asks_for_something_and_prices_for_no_client(
    kind: DriftKind, state: DriftState, expected: dict[str, Effect]
) -> None:
    assert effects([change(kind=kind, state=state)]) == expected


def test_of_several_changes_of_a_provider_the_one_that_asks_for_most_counts() -> None:
    several = [
        change(state=DriftState.APPLIED),
        change(kind=DriftKind.LIMIT, state=DriftState.APPLIED),
        change(state=DriftState.APPLIED),
        change(provider="bolt", state=DriftState.APPLIED),
    ]
    assert effects(several) == {"acme": Effect.DISCOVERY, "bolt": Effect.PRICES}
