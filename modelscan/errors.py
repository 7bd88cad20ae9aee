"""Every error ModelScan raises on purpose, each with a stable code, fields, and what to do next.

ModelScanError
├── InvalidInput                 what the caller typed or sent cannot be used
│   ├── InvalidIdentifier
│   ├── WrongEndpoint            the model's provider has no endpoint for what is asked
│   └── InvalidConfiguration
├── NotFound
│   ├── UnknownIdentifier        no source knows it (`nearest` lists the known names)
│   ├── UnknownModel             nothing served has that name
│   ├── AmbiguousModel           several providers serve it (`choices` lists them)
│   ├── ChangeNotFound           no such change of what sources say was found
│   ├── DecisionNotFound
│   ├── DiscoveryNotFound
│   ├── KeyNotFound              the provider has no such key
│   ├── ProviderNotFound
│   ├── RuleNotFound             no routing rule for that name was set
│   ├── TokenNotFound
│   └── VersionNotFound          the provider has no such version, or its files are kept no longer
├── Unauthorized                 a token is missing, unknown, expired or revoked
├── Forbidden                    the token may not do this
│   ├── ForeignHost              without tokens: the request was meant for another name (DNS rebinding)
│   ├── ModelNotAllowed          the token may not use the model (`allowed` says which it may)
│   └── PriceUnknown             the token has a budget in dollars, and nobody knows what the model costs
├── BudgetSpent                  of the token; OpenAI's name for it is its code
├── CatalogError
│   ├── CatalogBusy              another process kept the file locked past the wait
│   └── MigrationError           an edited, or an unknown newer, migration
├── DiscoveryFailed
│   ├── NotEnoughEvidence        the sources do not say how to talk to it
│   ├── UnsupportedProtocol      they do, and it is a protocol that has no template
│   ├── ValidationFailed         every loop was red (`failed` lists the cases)
│   ├── DiscoveryInterrupted     the run ended without a result (killed, crashed)
│   ├── CandidateRefused         the operator refused it, or a newer one took its place
│   └── GenerationRefused        the gate or the publisher refused the file
├── SourceUnavailable            one source could not be asked (a gap, never fatal to a run)
├── HostRefused                  an address that nobody trusted named, or a private one
├── NotWaiting                   the discovery, or the change, does not wait for approval
├── KeyLimitReached              a provider holds 100 keys at most
├── NoUsableKey                  the provider needs a key and none can be used
├── RateLimited                  all that could be asked wants to be left alone for a while
│   ├── TooManyListeners         to the feed of changes
│   └── TokenLimited             the caller's token has had its requests or tokens, for now
├── UpstreamFailed               the provider could not be reached or broke off
│   ├── UpstreamTimedOut         a time limit ran out
│   └── NoCandidateLeft          nobody who could be asked answered (`candidates` says who, and why not)
└── ServiceUnavailable           the service is not running, starting, restarting or draining
    └── CircuitOpen              the provider failed again and again, and is left alone for a while
"""

from typing import Any, ClassVar

from modelscan.redaction import redact

__all__ = [
    "AmbiguousModel",
    "BudgetSpent",
    "CandidateRefused",
    "CatalogBusy",
    "CatalogError",
    "ChangeNotFound",
    "CircuitOpen",
    "DecisionNotFound",
    "DiscoveryFailed",
    "DiscoveryInterrupted",
    "DiscoveryNotFound",
    "Forbidden",
    "ForeignHost",
    "GenerationRefused",
    "HostRefused",
    "InvalidConfiguration",
    "InvalidIdentifier",
    "InvalidInput",
    "KeyLimitReached",
    "KeyNotFound",
    "MigrationError",
    "ModelNotAllowed",
    "ModelScanError",
    "NoCandidateLeft",
    "NoUsableKey",
    "NotEnoughEvidence",
    "NotFound",
    "NotWaiting",
    "PriceUnknown",
    "ProviderNotFound",
    "RateLimited",
    "RuleNotFound",
    "ServiceUnavailable",
    "SourceUnavailable",
    "TokenLimited",
    "TokenNotFound",
    "TooManyListeners",
    "Unauthorized",
    "UnknownIdentifier",
    "UnknownModel",
    "UnsupportedProtocol",
    "UpstreamFailed",
    "UpstreamTimedOut",
    "ValidationFailed",
    "VersionNotFound",
    "WrongEndpoint",
    "error_from_code",
]


class ModelScanError(Exception):
    """The root. `message` says what happened, `hint` what to do next, `fields` carry the particulars (JSON values).

    None of them holds a secret, whatever they quote: they reach logs, callers, the catalogue and Prefect.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", **fields: Any) -> None:
        self.message: str = redact(message)
        self.hint: str = redact(hint)
        self.fields: dict[str, Any] = redact.within(fields)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(ModelScanError):
    code = "invalid-input"


class InvalidIdentifier(InvalidInput):
    code = "invalid-identifier"


class WrongEndpoint(InvalidInput):
    code = "wrong-endpoint"


class InvalidConfiguration(InvalidInput):
    code = "invalid-configuration"


class NotFound(ModelScanError):
    code = "not-found"


class UnknownIdentifier(NotFound):
    code = "unknown-identifier"


class UnknownModel(NotFound):
    code = "model-not-found"


class AmbiguousModel(NotFound):
    code = "ambiguous-model"


class ChangeNotFound(NotFound):
    code = "change-not-found"


class DecisionNotFound(NotFound):
    code = "decision-not-found"


class DiscoveryNotFound(NotFound):
    code = "discovery-not-found"


class KeyNotFound(NotFound):
    code = "key-not-found"


class ProviderNotFound(NotFound):
    code = "provider-not-found"


class RuleNotFound(NotFound):
    code = "rule-not-found"


class TokenNotFound(NotFound):
    code = "token-not-found"


class VersionNotFound(NotFound):
    code = "version-not-found"


class Unauthorized(ModelScanError):
    code = "unauthorized"


class Forbidden(ModelScanError):
    code = "forbidden"


class ForeignHost(Forbidden):
    code = "foreign-host"


class ModelNotAllowed(Forbidden):
    code = "model-not-allowed"


class PriceUnknown(Forbidden):
    code = "price-unknown"


class BudgetSpent(ModelScanError):
    code = "insufficient_quota"


class CatalogError(ModelScanError):
    code = "catalog-error"


class CatalogBusy(CatalogError):
    code = "catalog-busy"


class MigrationError(CatalogError):
    code = "migration-error"


class DiscoveryFailed(ModelScanError):
    code = "discovery-failed"


class NotEnoughEvidence(DiscoveryFailed):
    code = "not-enough-evidence"


class UnsupportedProtocol(DiscoveryFailed):
    code = "unsupported-protocol"


class ValidationFailed(DiscoveryFailed):
    code = "validation-failed"


class DiscoveryInterrupted(DiscoveryFailed):
    code = "discovery-interrupted"


class CandidateRefused(DiscoveryFailed):
    code = "candidate-refused"


class GenerationRefused(DiscoveryFailed):
    code = "generation-refused"


class SourceUnavailable(ModelScanError):
    code = "source-unavailable"


class HostRefused(ModelScanError):
    code = "host-refused"


class NotWaiting(ModelScanError):
    code = "not-waiting"


class KeyLimitReached(ModelScanError):
    code = "key-limit-reached"


class NoUsableKey(ModelScanError):
    code = "no-usable-key"


class RateLimited(ModelScanError):
    code = "rate-limited"


class TokenLimited(RateLimited):
    code = "token-limited"


class TooManyListeners(RateLimited):
    code = "too-many-listeners"


class UpstreamFailed(ModelScanError):
    code = "upstream-failed"


class UpstreamTimedOut(UpstreamFailed):
    code = "upstream-timeout"


class NoCandidateLeft(UpstreamFailed):
    code = "no-candidate-left"


class ServiceUnavailable(ModelScanError):
    code = "service-unavailable"


class CircuitOpen(ServiceUnavailable):
    code = "circuit-open"


def _subclasses(cls: type[ModelScanError]) -> list[type[ModelScanError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _subclasses(child))]


def error_from_code(code: str, message: str, hint: str = "", fields: dict[str, Any] | None = None) -> ModelScanError:
    """The error that was stored as `code`, in a discovery or a problem document; unknown codes give the root."""
    cls = {error.code: error for error in _subclasses(ModelScanError)}.get(code, ModelScanError)
    return cls(message, hint=hint, **(fields or {}))
