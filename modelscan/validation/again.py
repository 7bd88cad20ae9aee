"""Proves a published client again, as it was published."""

from decimal import Decimal

from pydantic import SecretStr

from modelscan.catalog.database import Database
from modelscan.codegen.render import render_test
from modelscan.codegen.spec_literal import read_spec
from modelscan.custody.sealing import Custody
from modelscan.errors import NoUsableKey
from modelscan.keys import store
from modelscan.settings import Settings
from modelscan.sources.http import host_port, open_client
from modelscan.types import ClientSpec, Level, ValidationReport
from modelscan.usage.prices import PriceBook
from modelscan.validation.runner import validate
from modelscan.validation.sandbox import Sandbox
from modelscan.wire.cases import derive

__all__ = ["key_of", "most_live_usd", "proved_again"]

_PROMPT, _COMPLETION = 1024, 1024
"""Tokens that one case's request has at most: the templates ask for half as many, where the protocol can say so."""
_TIMES = 2
"""The cases are run once more where the transport lost one."""


async def proved_again(
    settings: Settings,
    source: bytes,
    *,
    sandbox: Sandbox,
    key: SecretStr | None = None,
    highest: Level = Level.LIVE,
    reach: bool = True,
) -> ValidationReport:
    """The report on a client's source as it was published. The test is written anew: nobody vouches for one beside it.

    `reach`: whether the real host may be asked. Raises GenerationRefused where it is no client, ServiceUnavailable
    where the sandbox cannot start.
    """
    spec = read_spec(source)
    allowed = settings.discovery.allowed_private_hosts
    # What the operator named by --base-url may be private; what a source named, only where the settings allow it.
    own = {host_port(spec.base_url)} if spec.operator_host else set[str]()
    async with open_client(allowed_private={*allowed, *own}, timeout=settings.discovery.timeout_seconds) as http:
        return await validate(
            spec,
            source.decode(),
            render_test(spec),
            sandbox=sandbox,
            key=key,
            http=http,
            reach=reach,
            allowed_private=allowed,
            highest=highest,
        )


def key_of(database: Database, custody: Custody, spec: ClientSpec) -> SecretStr | None:
    """The least used key that may be sent to its host; None where it wants none. Raises NoUsableKey."""
    if spec.auth.kind == "none":
        return None
    keys = store.load(database, custody).get(spec.provider, ())
    usable = store.sendable(keys, host_port(spec.base_url) if spec.operator_host else None)
    if not usable:
        raise NoUsableKey(
            f"{spec.provider} has no key to prove it with.", hint=f"Add one: modelscan keys add {spec.provider}"
        )
    return min(usable, key=lambda usable: usable.key.score).secret


def most_live_usd(spec: ClientSpec, prices: PriceBook) -> Decimal | None:
    """US dollars that the level live may cost at most; None where the price of the model that is tried is unknown.

    Where no key is wanted there is nobody to bill.
    """
    if spec.auth.kind == "none":
        return Decimal(0)
    one = prices.most(spec.provider, spec.test_model, _PROMPT, _COMPLETION)
    return None if one is None else one * len(derive(spec)) * _TIMES
