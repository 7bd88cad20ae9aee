"""The language models of one run: the keys that are stored, the prices that are known, what may be spent."""

import os
import time
from collections.abc import Mapping

from modelscan.catalog.database import Database
from modelscan.catalog.providers import models_of
from modelscan.keys import store
from modelscan.redaction import redact, secrets_of
from modelscan.synthesis.agent import Agent
from modelscan.synthesis.choice import language_models
from modelscan.synthesis.cost import listed_price
from modelscan.synthesis.llm import LanguageModel
from modelscan.types import Price
from tasks.run import Run

__all__ = ["agent_of"]


async def agent_of(run: Run, environ: Mapping[str, str] = os.environ) -> Agent:
    """Made once for a run; nothing is asked, and no SDK imported, until rules do not suffice."""
    settings = run.bench.settings.discovery
    keys = await run.catalogue(store.load, run.bench.custody)
    redact.learn(*(usable.secret for usables in keys.values() for usable in usables))
    redact.learn(*(secret for given in run.bench.settings.api_keys.values() for secret in given))
    redact.learn(settings.agent_api_key, run.bench.admin_token or "", *secrets_of(environ))

    async def price_of(model: LanguageModel) -> Price | None:
        return await run.catalogue(_price, model)

    return Agent(
        language_models(settings, keys, environ),
        redact=redact,
        max_chars=settings.agent_prompt_chars,
        max_cost_usd=settings.max_cost_usd,
        price_of=price_of,
        seconds_left=lambda: run.until - time.monotonic(),
    )


def _price(database: Database, model: LanguageModel) -> Price | None:
    """The catalogue's, which shows its evidence; else that of the list that ships with genai-prices."""
    for _, known in models_of(database, model.provider):
        price = known.price if known.id == model.model else None
        if price and price.input_mtok is not None and price.output_mtok is not None:
            return price
    return listed_price(model)
