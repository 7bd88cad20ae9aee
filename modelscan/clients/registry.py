"""What is served: an immutable snapshot that finds a model by any of its names. Swapping it is one assignment."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Self

from modelscan.errors import AmbiguousModel, UnknownModel
from modelscan.types import Canary, ClientSpec, Operation, SdkVersion

__all__ = ["OnTrial", "Registry", "Route", "Served", "Trial"]

_NEAREST = 5
# difflib compares the 1,000 names of 500 models in 7 ms (measured), for which every other request waits.
_COMPARED = 500
_LONGEST_NAME = 256


class OnTrial(NamedTuple):
    """A version that some of its provider's requests try."""

    version: SdkVersion
    spec: ClientSpec
    canary: Canary


class Served(NamedTuple):
    """One provider's client: its version, and the specification that its file states."""

    version: SdkVersion
    spec: ClientSpec
    trial: OnTrial | None = None


class Route(NamedTuple):
    """Where a request goes."""

    spec: ClientSpec
    model: str
    url: str
    """Of the chat endpoint; a `${VARIABLE}` of the base URL is filled in, and stays where the environment has none."""
    base: str
    """The base URL, filled in likewise."""
    version: int = 0
    """Of the client."""
    trial: "Trial | None" = None
    """Another version that some of the requests try first."""

    def url_of(self, operation: Operation) -> str | None:
        """The URL of another endpoint; None where the provider has none."""
        endpoint = self.spec.endpoint(operation)
        return None if endpoint is None else self.spec.url(endpoint, base_url=self.base, model=self.model)


class Trial(NamedTuple):
    """Where a share of a route's requests goes first."""

    share: float
    route: Route


@dataclass(frozen=True)
class Registry:
    """A snapshot. `problems` says which active version could not be loaded, and why."""

    generation: int = 0
    served: Mapping[str, Served] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is amiss with files, and costs nothing: the copies that are kept are served."""
    _routes: Mapping[str, Route] = field(default_factory=dict)
    """Every full name: `provider/model` and `provider:model`."""
    _bare: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Model id -> the providers that have it."""

    @classmethod
    def of(
        cls, generation: int, served: Iterable[Served], problems: Iterable[str] = (), notes: Iterable[str] = ()
    ) -> Self:
        """Build the look-ups."""
        by_provider = {one.spec.provider: one for one in served}
        routes: dict[str, Route] = {}
        bare: dict[str, tuple[str, ...]] = {}
        for provider, one in by_provider.items():
            tried = _routes_of(one.trial.spec, one.trial.version) if one.trial else {}
            for model, route in _routes_of(one.spec, one.version).items():
                if one.trial and model in tried:
                    route = route._replace(trial=Trial(one.trial.canary.share, tried[model]))
                routes[f"{provider}/{model}"] = routes[f"{provider}:{model}"] = route
                bare[model] = (*bare.get(model, ()), provider)
        return cls(generation, by_provider, tuple(problems), tuple(notes), routes, bare)

    def resolve(self, name: str) -> Route:
        """The route of `provider/model`, `provider:model`, or a bare id that one provider has.

        Where a served provider is named, no other one answers, even if it calls a model of its own by that whole name.
        Raises UnknownModel (with the nearest names) or AmbiguousModel (with the choices).
        """
        if route := self._routes.get(name):
            return route
        if (named := re.split("[/:]", name, maxsplit=1)[0]) in self.served and named != name:
            raise self._unknown(name)
        providers = self._bare.get(name, ())
        if len(providers) == 1:
            return self._routes[f"{providers[0]}/{name}"]
        if providers:
            choices = [f"{provider}/{name}" for provider in providers]
            raise AmbiguousModel(
                f"{len(choices)} providers have the model {name!r}.",
                hint=f"Name one: {', '.join(choices)}.",
                choices=choices,
            )
        raise self._unknown(name)

    @property
    def trials(self) -> tuple[OnTrial, ...]:
        """The versions that are tried."""
        return tuple(one.trial for one in self.served.values() if one.trial)

    def providers_of(self, model: str) -> tuple[str, ...]:
        """Those that serve a model by this very id."""
        return self._bare.get(model, ())

    def _unknown(self, name: str) -> UnknownModel:
        provider = re.split("[/:]", name, maxsplit=1)[0]
        served = {provider: self.served[provider]} if provider in self.served else self.served
        models = ((one.spec.provider, model.id) for one in served.values() for model in one.spec.models)
        spellings: dict[str, str] = {}
        for owner, model in islice(models, _COMPARED):
            spellings |= {model: f"{owner}/{model}", f"{owner}/{model}": f"{owner}/{model}"}
        found = difflib.get_close_matches(name[:_LONGEST_NAME], spellings, n=_NEAREST, cutoff=0.5)
        nearest = list(dict.fromkeys(spellings[one] for one in found))
        hint = (
            f"The nearest: {', '.join(nearest)}." if nearest else "GET /v1/models lists what is; `modelscan add` adds."
        )
        return UnknownModel(f"No model {name!r} is served here.", hint=hint, model=name, nearest=nearest)


def _routes_of(spec: ClientSpec, version: SdkVersion) -> dict[str, Route]:
    """The route of each model."""
    base = _with_variables(spec.base_url)
    urls = {model.id: spec.url(spec.chat, base_url=base, model=model.id) for model in spec.models}
    return {model: Route(spec, model, url, base, version.version) for model, url in urls.items()}


def _with_variables(base_url: str) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: os.environ.get(found[1], found[0]), base_url)
