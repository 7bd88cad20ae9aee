"""A data directory in which a client of the reference provider was published."""

from pathlib import Path

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.codegen.publish import publish_files
from modelscan.codegen.render import render_client, render_test
from modelscan.types import Auth, ClientSpec, Kept, Level, Model, Price, SdkVersion, SourceRecord, ValidationReport
from modelscan.wire import WIRE_PROTOCOLS
from tests.catalogues import migrate

__all__ = ["publish"]


def publish(
    home: Path,
    provider: str = "demo",
    *,
    base_url: str = "http://127.0.0.1:9/v1",
    operator_host: bool = False,
    auth: Auth | None = None,
    name: str = "",
    keep: bool = True,
) -> SdkVersion:
    """Publish `provider` with the model `echo` into `home`/data and `home`/generated, as a discovery does."""
    record = SourceRecord.of(source="builtin", subject=provider, url="builtin:test", payload={}, trusted=True)
    model = Model(
        id="echo", context_tokens=8192, capabilities=("tool_call",), price=Price.model_validate({"input_mtok": "0.5"})
    )
    spec = ClientSpec(
        provider=provider,
        name=name or provider.title(),
        protocol=WIRE_PROTOCOLS[0].name,
        base_url=base_url,
        operator_host=operator_host,
        auth=auth or Auth(kind="none"),
        endpoints=WIRE_PROTOCOLS[0].endpoints,
        models=(model,),
        test_model="echo",
        evidence=dict.fromkeys(ClientSpec.CITED_FIELDS, record.id),
    )
    sources = Kept(render_client(spec, [record]), render_test(spec))
    files = publish_files(home / "generated", spec, *sources)
    database = Database(home / "data" / "modelscan.duckdb")
    migrate(database)
    report = ValidationReport(level=Level.CONTRACT, why_not_higher="No network.")
    return versions.publish(
        database, spec, path=files.path, sha256=files.sha256, report=report, files=sources if keep else None
    )
