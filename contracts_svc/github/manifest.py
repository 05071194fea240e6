"""The App manifest with the least permissions that the check needs.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
"""

from __future__ import annotations

from typing import Any

PERMISSIONS = {
    "metadata": ("read", "GitHub asks for it with any other"),
    "contents": ("read", "contracts, lineage and policy at the exact commits"),
    "checks": ("write", "the check run, its annotations and its button"),
    "pull_requests": ("write", "its state, its reviews, and the one comment"),
    "members": ("read", "who is of the teams that must agree"),
    "merge_queues": ("read", "to hear of merge groups"),
}
"""Permission -> what is asked for, and why. Writing a comment on a pull request takes ``pull_requests``
alone (https://docs.github.com/en/rest/issues/comments#create-an-issue-comment)."""

EVENTS = ("check_run", "check_suite", "merge_group", "pull_request", "pull_request_review", "push")
"""Those that an App must ask for; ``installation`` and ``installation_repositories`` come anyway."""


def manifest(name: str, url: str) -> dict[str, Any]:
    """The manifest of an App of this name, for the service at this address (https://host)."""
    base = url.rstrip("/")
    return {
        "name": name,
        "url": base,
        "hook_attributes": {"url": f"{base}/github/webhook", "active": True},
        "description": "Data contracts: a pull request knows whom it breaks, and who must agree.",
        "public": False,
        "default_permissions": {key: level for key, (level, _) in PERMISSIONS.items()},
        "default_events": list(EVENTS),
    }
