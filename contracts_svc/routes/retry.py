"""When to try again, and when to leave a receiver alone for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)
LONGEST_ASKED = timedelta(hours=1)
"""A receiver may ask for a longer pause than ours (``Retry-After``), up to this."""
GIVE_UP_AFTER = timedelta(hours=24)
"""What could not be sent for so long becomes a dead letter."""
UNSURE_ATTEMPTS = 3
"""Where nobody knows whether a message arrived it is tried so often in all: repeats are noise too."""
FAILURES_TO_OPEN = 5


def pause(attempts: int, retry_after: float, share: float) -> timedelta:
    """How long to wait after so many failed attempts (1 or more).

    It doubles each time. ``share`` (0 to 1) is chance: it takes off up to half, so that what failed
    together is not tried again together. ``retry_after`` are the seconds that the receiver asks for;
    chance only adds to those.
    """
    own: timedelta = min(FIRST_PAUSE * (1 << min(attempts - 1, 20)), LONGEST_PAUSE)
    asked = min(timedelta(seconds=max(retry_after, 0.0)), LONGEST_ASKED)
    return max(own * (1 - share / 2), asked * (1 + share / 10))


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Whether a receiver is worth trying. After some failures in a row it is left alone for a while;
    then one message finds out."""

    failures: int = 0
    """In a row."""
    until: datetime | None = None
    """When it may be tried again."""

    def blocked(self, now: datetime) -> bool:
        """Whether nothing is to be sent now."""
        return self.until is not None and now < self.until

    def succeeded(self) -> Breaker:
        """It took a message."""
        return Breaker()

    def failed(self, now: datetime, retry_after: float, share: float) -> Breaker:
        """It did not, and a retry may help. Where it asks for a pause it gets it at once."""
        failures = self.failures + 1
        if failures < FAILURES_TO_OPEN and retry_after <= 0:
            return Breaker(failures=failures)
        more = max(failures - FAILURES_TO_OPEN + 3, 1)  # the first pause is of 20 seconds
        wait = pause(more, retry_after, share) if retry_after <= 0 else pause(1, retry_after, share)
        return Breaker(failures=failures, until=now + wait)
