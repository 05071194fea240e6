"""Wires what people do about alerts into a running service: the route file, silences, buttons in Slack."""

from __future__ import annotations

import os
from dataclasses import replace

from contracts_svc.api.deps import acting_of
from contracts_svc.api.service import Service
from contracts_svc.app_alerts import Alerting
from contracts_svc.app_slack import SlackPart, slack_part
from contracts_svc.settings import Settings


class PeoplePart:
    """What of a service people act by. :attr:`service` is the service with it."""

    def __init__(self, settings: Settings, service: Service) -> None:
        """Raises UserMistake for a route file or a file of people with mistakes."""
        self.alerting = Alerting(settings, os.environ)
        service = replace(
            service,
            routes=self.alerting.routes,
            warnings=self._warnings,
            public_url=settings.public_url,
        )
        # What a button leads to is sent by the loop that sends everything, within a second or so.
        self.slack: SlackPart | None = slack_part(
            settings,
            acting_of(service),
            service.store,
            token_of=self.alerting.slack_token,
        )
        self.service = replace(service, slack=self.slack.desk) if self.slack else service

    def start(self) -> None:
        """Begin to listen; returns at once."""
        if self.slack is not None:
            self.slack.start()

    def stop(self) -> None:
        """Listen no more, and do what was asked for."""
        if self.slack is not None:
            self.slack.stop()

    def _warnings(self) -> tuple[str, ...]:
        """Files that were changed and are not taken as they are now."""
        self.alerting.routes()
        mistakes = [self.alerting.mistake, self.slack.people_mistake() if self.slack else None]
        return tuple(str(m) for m in mistakes if m is not None)
