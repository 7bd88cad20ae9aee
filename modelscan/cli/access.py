"""What a command works on: the settings and the running service."""

import click

from modelscan.cli.service import Service
from modelscan.cli.session import Session
from modelscan.errors import ServiceUnavailable
from modelscan.settings import Loaded, Settings, load

__all__ = ["loaded_of", "running_service_of", "service_of", "settings_of"]


def loaded_of(session: Session) -> Loaded:
    """The settings and what was wrong with them, read once a call."""
    if session.loaded is None:
        session.loaded = load(session.config_file)
    return session.loaded


def settings_of(session: Session) -> Settings:
    """The settings; what was wrong is said on stderr, once."""
    if session.loaded is None:
        for warning in loaded_of(session).warnings:
            click.secho(f"Warning: {warning}", fg="yellow", err=True)
    return loaded_of(session).settings


def service_of(session: Session) -> Service:
    """The running service; raises ServiceUnavailable where none was started."""
    return Service.found_by(settings_of(session))


def running_service_of(session: Session) -> Service | None:
    """The running service; None where none was started, or the one that was does not answer any more."""
    try:
        service = service_of(session)
        service.get("/health")
    except ServiceUnavailable:
        return None
    return service
