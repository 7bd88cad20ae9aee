from decimal import Decimal

from modelscan.types import Media, Usage
from modelscan.usage.prices import PriceBook
from tests.usage.pricing import version

KNOWN = version(input_mtok=1, output_mtok=2)
BOOK = PriceBook([KNOWN, version(model="rocket", input_mtok=1)])


def test_a_cost_comes_with_the_version_that_it_was_reckoned_with() -> None:
    assert BOOK.cost("acme", "anvil", Usage(1, 1)) == (Decimal("0.000003"), KNOWN.id)
    assert BOOK.most("acme", "anvil", 1, 1) == Decimal("0.000003")
    assert BOOK.of("acme", "anvil") is KNOWN
    assert len(BOOK) == 2


def test_what_is_unknown_is_none_and_never_zero() -> None:
    for model in ("rocket", "nothing"):
        assert BOOK.cost("acme", model, Usage(1, 1)) == (None, None)
        assert BOOK.most("acme", model, 1, 1) is None
    assert BOOK.of("acme", "nothing") is None


def test_sound_and_pictures_cost_what_their_price_says() -> None:
    told = version(input_mtok=1, output_mtok=2, input_audio_mtok=40)
    book = PriceBook([told])
    assert book.cost("acme", "anvil", Usage(9, 1, media=Media(4))) == (Decimal("0.000167"), told.id)
    assert book.cost("acme", "anvil", Usage(9, 1, media=Media(10))) == (None, None)
    assert BOOK.cost("acme", "anvil", Usage(9, 1, media=Media(4))) == (Decimal("0.000011"), KNOWN.id)
    assert BOOK.cost("acme", "rocket", Usage(9, 1, media=Media(4))) == (None, None)
