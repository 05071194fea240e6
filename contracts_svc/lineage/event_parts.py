"""The objects and texts in an event, and what is to be told where something else is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts_svc.errors import Location, Problem
from contracts_svc.model import Json

MAX_PROBLEMS = 1_000
"""Most problems told of one file; what follows is only counted."""


@dataclass(slots=True)
class EventParts:
    """Looks things up in the events of ``file``, and gathers what is wrong with them."""

    file: str
    number: int = field(default=1, init=False)
    """The line of the event in the file."""
    problems: dict[Problem, None] = field(default_factory=dict, init=False)
    untold: int = field(default=0, init=False)

    def facet(self, facets: Mapping[str, Json], name: str) -> Mapping[str, Json]:
        """A facet, empty where it is missing or was deleted."""
        facet = self.object_in(facets, name)
        return {} if facet.get("_deleted") is True else facet

    def job_facet(self, job: Mapping[str, Json], name: str) -> Mapping[str, Json]:
        return self.facet(self.object_in(job, "facets"), name)

    def object_in(self, parent: Mapping[str, Json], key: str) -> Mapping[str, Json]:
        """The object under a key; empty, and a problem, where something else is there."""
        value = parent.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.problem(f"{key} is no object")
        return {}

    @staticmethod
    def text_in(parent: Mapping[str, Json], key: str) -> str:
        value = parent.get(key)
        return value if isinstance(value, str) else ""

    def problem(self, message: str, hint: str = "", column: int = 1, line: int = 0) -> None:
        """Tell what is wrong. ``line`` counts from the first of the event."""
        problem = Problem(Location(self.file, self.number + line, column), message, hint)
        if len(self.problems) < MAX_PROBLEMS or problem in self.problems:
            self.problems.setdefault(problem)
        else:
            self.untold += 1
