"""Candidates that wait for approval: held, judged once, and replaced by a newer one of the same provider."""

from modelscan.catalog import discoveries
from modelscan.catalog.database import Connection, Database
from modelscan.catalog.rows import json_text
from modelscan.errors import NotWaiting
from modelscan.types import Candidate, Discovery, DiscoveryError, DiscoveryState, Verdict, utc_now

__all__ = ["candidate_of", "hold", "judge", "supersede", "told", "untold", "waiting"]


def hold(database: Database, discovery_id: str, candidate: Candidate) -> Discovery:
    """Keep the candidate and let its discovery wait; one of the same provider that waited before waits no longer."""
    document = json_text(candidate.model_dump(mode="json"))
    with database.write() as connection:
        _supersede(connection, candidate.spec.provider, discovery_id)
        row = [discovery_id, candidate.spec.provider, document]
        connection.execute("INSERT OR REPLACE INTO candidates VALUES (?, ?, ?)", row)
        return discoveries.changed(
            connection,
            discovery_id,
            state=DiscoveryState.WAITING,
            digest=candidate.digest,
            changes=candidate.changes,
            gaps=candidate.gaps,
            level=candidate.report.level,
            why_not_higher=candidate.report.why_not_higher,
        )


def candidate_of(database: Database, discovery_id: str) -> Candidate | None:
    """What a discovery holds for approval, if anything."""
    with database.read() as connection:
        sql = "SELECT document FROM candidates WHERE discovery = ?"
        found = connection.execute(sql, [discovery_id]).fetchone()
    return Candidate.model_validate_json(found[0]) if found else None


def judge(
    database: Database, discovery_id: str, *, approved: bool, reason: str = "", actor: str = "", told: bool = False
) -> Discovery:
    """Approve (it is queued for publication) or refuse (it ends). `told`: the run that waits knows it already.

    Raises DiscoveryNotFound; NotWaiting where there is nothing to judge, as after another's verdict.
    """
    with database.write() as connection:
        found = discoveries.found(connection, discovery_id)
        if found.state is not DiscoveryState.WAITING:
            raise NotWaiting(
                f"The discovery {discovery_id} of {found.identifier} does not wait for approval: it is {found.state}.",
                hint="modelscan approvals lists those that do.",
                discovery=discovery_id,
                state=str(found.state),
            )
        verdict = Verdict(approved=approved, reason=reason, actor=actor, at=utc_now(), told=told)
        return _judged(connection, found, verdict)


def supersede(database: Database, provider: str, discovery_id: str) -> None:
    """Refuse what still waits of a provider: `discovery_id` is newer."""
    with database.write() as connection:
        _supersede(connection, provider, discovery_id)


def waiting(database: Database) -> tuple[Discovery, ...]:
    """The discoveries that wait for approval, oldest first."""
    with database.read() as connection:
        return discoveries.selected(connection, "state = 'waiting'")


def untold(database: Database) -> tuple[Discovery, ...]:
    """Those that were judged and whose runs do not know it yet."""
    with database.read() as connection:
        return discoveries.selected(connection, "document->>'$.verdict.told' = 'false'")


def told(database: Database, discovery_id: str, *, again: bool = False) -> Discovery:
    """The run knows; with `again` it is gone, and another one is to publish what was approved."""
    with database.write() as connection:
        found = discoveries.found(connection, discovery_id)
        verdict = found.verdict.model_copy(update={"told": True}) if found.verdict else None
        run = None if again and found.state is DiscoveryState.QUEUED else found.flow_run_id
        return discoveries.changed(connection, discovery_id, verdict=verdict, flow_run_id=run)


def _supersede(connection: Connection, provider: str, discovery_id: str) -> None:
    where = "state = 'waiting' AND id IN (SELECT discovery FROM candidates WHERE provider = ?) AND id <> ?"
    for found in discoveries.selected(connection, where, [provider, discovery_id]):
        reason = f"a newer discovery, {discovery_id}, takes its place"
        _judged(connection, found, Verdict(approved=False, reason=reason, at=utc_now()))


def _judged(connection: Connection, found: Discovery, verdict: Verdict) -> Discovery:
    if verdict.approved:
        return discoveries.changed(connection, found.id, verdict=verdict, state=DiscoveryState.QUEUED)
    error = DiscoveryError(
        code="candidate-refused",
        message=f"The candidate for {found.identifier} was refused: {verdict.reason or 'no reason was given'}.",
        hint=f"What was served is served on. Discover it anew: modelscan add {found.identifier}",
    )
    ended = {"state": DiscoveryState.FAILED, "error": error, "ended_at": verdict.at}
    return discoveries.changed(connection, found.id, verdict=verdict, **ended)
