"""What can be asked for in the Prefect UI, over its API, and by a schedule; prefect.yaml says the same."""

from flows.discover import discover_provider
from flows.maintain import maintain
from flows.prices import refresh_prices
from flows.rediscover import rediscover_catalog
from flows.verify import verify_clients
from tasks.deploying import Deployment

__all__ = ["DEPLOYMENTS"]

DEPLOYMENTS = (
    Deployment(
        discover_provider,
        "discover-provider",
        "Find out how to talk to a model or a provider, prove it, and serve it.",
        tags=("modelscan", "on-demand"),
    ),
    Deployment(
        rediscover_catalog,
        "rediscover-catalog",
        "Look at every known provider again: what changed is told, and what counts of it is taken up.",
        tags=("modelscan", "scheduled"),
        schedule="rediscover_catalog",
        whole_catalogue=True,
        goes_on=True,
    ),
    Deployment(
        refresh_prices,
        "refresh-prices",
        "Ask the lists that tell prices: a new one counts at once, without a client being made anew.",
        tags=("modelscan", "scheduled"),
        schedule="refresh_prices",
        whole_catalogue=True,
        goes_on=True,
    ),
    Deployment(
        verify_clients,
        "verify-clients",
        "Prove the published clients again, and tell what they no longer do.",
        tags=("modelscan", "scheduled"),
        schedule="verify_clients",
        whole_catalogue=True,
    ),
    Deployment(
        maintain,
        "maintain",
        "Remove what is old (usage, journal, history, source answers, discoveries, Prefect's runs, logs), and say so.",
        tags=("modelscan", "scheduled"),
        schedule="maintain",
        whole_catalogue=True,
    ),
)
"""One row a flow. Whoever adds one adds its section in prefect.yaml, and its setting where it has a schedule."""
