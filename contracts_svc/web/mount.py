"""Puts the pages into the application."""

from __future__ import annotations

import secrets

from fastapi import APIRouter, FastAPI

from contracts_svc.web import contracts, incidents, lineage, login, overview, pulls, runs, silences

ROUTERS: tuple[APIRouter, ...] = (
    login.router,
    overview.router,
    contracts.router,
    runs.router,
    incidents.router,
    silences.router,
    lineage.router,
    pulls.router,
)


def prepare(app: FastAPI) -> None:
    """What forms need of the application."""
    app.state.form_secret = secrets.token_urlsafe(32)
