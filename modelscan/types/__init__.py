"""The vocabulary: every noun that ModelScan's layers pass to each other, frozen and free of I/O."""

from modelscan.types.approval import Candidate, Verdict
from modelscan.types.base import Frozen, canonical_json, digest_of, utc_now
from modelscan.types.catalogue import ApiKey, Provider, SdkVersion, UsageEvent
from modelscan.types.decision import Decision, DecisionKind
from modelscan.types.discovery import Discovery, DiscoveryError, DiscoveryState, DiscoveryStep
from modelscan.types.drift import (
    DriftEvent,
    DriftEvidence,
    DriftKind,
    DriftState,
    FeedEntry,
    Letter,
    ModelState,
    Observed,
    ProviderState,
)
from modelscan.types.evidence import Claim, Dossier, Fact, Known, ModelSummary, SourceGap, SourceRecord
from modelscan.types.health import HealthCall, HealthChange, HealthEvidence, HealthState, ProviderHealth
from modelscan.types.identifier import Identifier, ModelId, ProviderId, fits_a_path, is_model_id
from modelscan.types.listing import Listing
from modelscan.types.price import PriceSource, PriceVersion, Rates, Tariff, Tier
from modelscan.types.rediscovery import CatalogueRun, Look, Published
from modelscan.types.reprice import Reprice, RepriceAudit, RepricedModel, RepriceScope
from modelscan.types.rest import FinishReason, RestAnswer, RestMapping, RestModels, RestRequest, RestStream
from modelscan.types.spec import CUSTOM_REST, Auth, ClientSpec, Endpoint, Model, Operation, Price, Quirks
from modelscan.types.stats import Bucket, Dimension, StatsQuery, UsageStat
from modelscan.types.synthesis import AgentCall, CallOutcome, Change
from modelscan.types.token import ClientToken, TokenName, TokenRole, TokenTerms
from modelscan.types.usage import Media, Usage
from modelscan.types.validation import Attempt, CaseResult, Level, ValidationReport
from modelscan.types.verification import CaseChange, Verification
from modelscan.types.version import (
    Activation,
    ActivationKind,
    Arm,
    Canary,
    CanaryCounts,
    CanaryTerms,
    Kept,
    KnownVersion,
)

__all__ = [
    "CUSTOM_REST",
    "Activation",
    "ActivationKind",
    "AgentCall",
    "ApiKey",
    "Arm",
    "Attempt",
    "Auth",
    "Bucket",
    "CallOutcome",
    "Canary",
    "CanaryCounts",
    "CanaryTerms",
    "Candidate",
    "CaseChange",
    "CaseResult",
    "CatalogueRun",
    "Change",
    "Claim",
    "ClientSpec",
    "ClientToken",
    "Decision",
    "DecisionKind",
    "Dimension",
    "Discovery",
    "DiscoveryError",
    "DiscoveryState",
    "DiscoveryStep",
    "Dossier",
    "DriftEvent",
    "DriftEvidence",
    "DriftKind",
    "DriftState",
    "Endpoint",
    "Fact",
    "FeedEntry",
    "FinishReason",
    "Frozen",
    "HealthCall",
    "HealthChange",
    "HealthEvidence",
    "HealthState",
    "Identifier",
    "Kept",
    "Known",
    "KnownVersion",
    "Letter",
    "Level",
    "Listing",
    "Look",
    "Media",
    "Model",
    "ModelId",
    "ModelState",
    "ModelSummary",
    "Observed",
    "Operation",
    "Price",
    "PriceSource",
    "PriceVersion",
    "Provider",
    "ProviderHealth",
    "ProviderId",
    "ProviderState",
    "Published",
    "Quirks",
    "Rates",
    "Reprice",
    "RepriceAudit",
    "RepriceScope",
    "RepricedModel",
    "RestAnswer",
    "RestMapping",
    "RestModels",
    "RestRequest",
    "RestStream",
    "SdkVersion",
    "SourceGap",
    "SourceRecord",
    "StatsQuery",
    "Tariff",
    "Tier",
    "TokenName",
    "TokenRole",
    "TokenTerms",
    "Usage",
    "UsageEvent",
    "UsageStat",
    "ValidationReport",
    "Verdict",
    "Verification",
    "canonical_json",
    "digest_of",
    "fits_a_path",
    "is_model_id",
    "utc_now",
]
