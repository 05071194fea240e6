"""The modes of compatibility, with the meaning that schema registries give them."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Who must be able to go on after a change.

    BACKWARD: data written under the old contract satisfies the new one. FORWARD: readers of the old
    contract can go on with data written under the new one. FULL: both. A ``_TRANSITIVE`` mode asks
    it of every active version and not only of the last one. NONE: nothing is asked, so what changed
    is told but never an error. Terms: Confluent Schema Registry, "Schema Evolution and Compatibility".
    """

    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    NONE = "NONE"

    @classmethod
    def _missing_(cls, value: object) -> Mode | None:
        """Any case and either separator: ``full-transitive`` is FULL_TRANSITIVE."""
        if not isinstance(value, str):
            return None
        return cls.__members__.get(value.upper().replace("-", "_"))

    @property
    def transitive(self) -> bool:
        """Whether all active versions count, and not only the last."""
        return self.value.endswith("_TRANSITIVE")

    @property
    def direct(self) -> Mode:
        """The mode between two versions: without ``_TRANSITIVE``."""
        return Mode(self.value.removesuffix("_TRANSITIVE"))
