"""Who may do what: one row for each endpoint. A test holds it against the endpoints, and tries every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contracts_svc.api.access import Permission
from contracts_svc.api.problems import PREFIX


class Whose(StrEnum):
    """What of it, beside the permission. An admin may do all of it, within the tenant."""

    PUBLIC = "nobody has to say who they are"
    ANYBODY = "whoever has said who they are"
    TENANT = "what belongs to the tenant"
    OWN = "contracts of one's own squads and domains"
    SQUAD = "alerts of one's own squads"
    AGREED = "what oneself or one's own squads agreed to"
    READS = "what one's own squads read"
    CONCERNS = "contracts of one's own squads and domains, and those that they read, near or far"
    SIGNED = "whoever signs it with the secret that is set for it"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an endpoint takes. Without a permission it is public, or for anybody."""

    permission: Permission | None
    whose: Whose


_READ = Rule(Permission.READ, Whose.TENANT)
_PUBLIC = Rule(None, Whose.PUBLIC)
_CONTRACT = f"{PREFIX}/contracts/{{contract_id:path}}"
_PULL = f"{PREFIX}/github/pulls/{{owner}}/{{name}}/{{number}}"
_INCIDENT = f"{PREFIX}/incidents/{{incident_id}}"

PAGES: Mapping[tuple[str, str], Rule] = {
    ("GET", "/login/token"): _PUBLIC,
    ("POST", "/login/token"): _PUBLIC,
    ("GET", "/logout"): _PUBLIC,
    ("GET", "/web/{name}"): _PUBLIC,
    ("GET", "/"): _READ,
    ("GET", "/contracts"): _READ,
    ("GET", "/contracts/{contract_id:path}"): _READ,
    ("POST", "/contracts/{contract_id:path}/check"): Rule(Permission.PUBLISH, Whose.TENANT),
    ("GET", "/changelog"): _READ,
    ("GET", "/runs/{run_id}"): _READ,
    ("GET", "/incidents"): _READ,
    ("GET", "/incidents/{incident_id}"): _READ,
    ("POST", "/incidents/{incident_id}/acknowledge"): Rule(Permission.WRITE, Whose.CONCERNS),
    ("POST", "/incidents/{incident_id}/resolve"): Rule(Permission.WRITE, Whose.OWN),
    ("GET", "/silences"): _READ,
    ("POST", "/silences"): Rule(Permission.WRITE, Whose.SQUAD),
    ("POST", "/silences/{silence_id}/end"): Rule(Permission.WRITE, Whose.SQUAD),
    ("GET", "/dead-letters"): Rule(Permission.ADMIN, Whose.TENANT),
    ("POST", "/dead-letters/{key}/resend"): Rule(Permission.ADMIN, Whose.TENANT),
    ("GET", "/lineage"): _READ,
    ("GET", "/pulls/{owner}/{name}/{number}"): _READ,
}
"""The same of pages. What they show and do is what the API does, by the same rule."""

ENDPOINTS: Mapping[tuple[str, str], Rule] = {
    ("GET", "/health"): _PUBLIC,
    ("GET", "/ready"): _PUBLIC,
    ("GET", "/metrics"): _PUBLIC,
    ("GET", "/login"): _PUBLIC,
    ("GET", "/auth/callback"): _PUBLIC,
    ("POST", "/logout"): _PUBLIC,
    ("GET", f"{PREFIX}/me"): Rule(None, Whose.ANYBODY),
    ("GET", f"{PREFIX}/contracts"): _READ,
    ("POST", f"{PREFIX}/contracts"): Rule(Permission.WRITE, Whose.OWN),
    ("GET", _CONTRACT): _READ,
    ("GET", f"{_CONTRACT}/versions"): _READ,
    ("GET", f"{_CONTRACT}/changelog"): _READ,
    ("GET", f"{_CONTRACT}/badge.svg"): _READ,
    ("POST", f"{_CONTRACT}/retire"): Rule(Permission.WRITE, Whose.OWN),
    ("GET", f"{_CONTRACT}/subscriptions"): _READ,
    ("GET", f"{_CONTRACT}/subscriptions/{{consumer}}"): _READ,
    ("PUT", f"{_CONTRACT}/subscriptions/{{consumer}}"): Rule(Permission.WRITE, Whose.READS),
    ("DELETE", f"{_CONTRACT}/subscriptions/{{consumer}}"): Rule(Permission.WRITE, Whose.READS),
    ("GET", f"{_CONTRACT}/runs"): _READ,
    ("POST", f"{_CONTRACT}/runs"): Rule(Permission.PUBLISH, Whose.TENANT),
    ("GET", f"{_CONTRACT}/measurements"): _READ,
    ("GET", f"{PREFIX}/runs"): _READ,
    ("GET", f"{PREFIX}/runs/{{run_id}}"): _READ,
    ("GET", f"{PREFIX}/jobs"): _READ,
    ("DELETE", f"{PREFIX}/jobs/{{job_id}}"): Rule(Permission.PUBLISH, Whose.OWN),
    ("POST", f"{PREFIX}/preflight"): _READ,
    ("GET", f"{PREFIX}/waivers"): _READ,
    ("POST", f"{PREFIX}/waivers"): Rule(Permission.WRITE, Whose.CONCERNS),
    ("DELETE", f"{PREFIX}/waivers/{{waiver_id}}"): Rule(Permission.WRITE, Whose.AGREED),
    ("GET", f"{PREFIX}/incidents"): _READ,
    ("GET", _INCIDENT): _READ,
    ("POST", f"{_INCIDENT}/acknowledge"): Rule(Permission.WRITE, Whose.CONCERNS),
    ("POST", f"{_INCIDENT}/resolve"): Rule(Permission.WRITE, Whose.OWN),
    ("GET", f"{PREFIX}/datasets/{{name:path}}/gate"): _READ,
    ("POST", f"{PREFIX}/events/publish"): Rule(Permission.PUBLISH, Whose.TENANT),
    ("GET", f"{PREFIX}/data-products"): _READ,
    ("POST", f"{PREFIX}/data-products"): Rule(Permission.WRITE, Whose.READS),
    ("GET", f"{PREFIX}/data-products/{{product_id:path}}"): _READ,
    ("POST", f"{PREFIX}/data-products/{{product_id:path}}/retire"): Rule(Permission.WRITE, Whose.READS),
    ("GET", f"{PREFIX}/silences"): _READ,
    ("POST", f"{PREFIX}/silences"): Rule(Permission.WRITE, Whose.SQUAD),
    ("GET", f"{PREFIX}/silences/{{silence_id}}"): _READ,
    ("DELETE", f"{PREFIX}/silences/{{silence_id}}"): Rule(Permission.WRITE, Whose.SQUAD),
    ("GET", f"{PREFIX}/dead-letters"): Rule(Permission.ADMIN, Whose.TENANT),
    ("POST", f"{PREFIX}/dead-letters/{{key}}/resend"): Rule(Permission.ADMIN, Whose.TENANT),
    ("GET", _PULL): _READ,
    ("POST", f"{_PULL}/check"): Rule(Permission.ADMIN, Whose.TENANT),
    ("POST", f"{_PULL}/override"): Rule(Permission.ADMIN, Whose.TENANT),
    ("GET", f"{PREFIX}/github/work"): Rule(Permission.ADMIN, Whose.TENANT),
    ("POST", "/github/webhook"): Rule(None, Whose.SIGNED),
    ("POST", "/slack/interactivity"): Rule(None, Whose.SIGNED),
    ("GET", f"{PREFIX}/audit"): Rule(Permission.ADMIN, Whose.TENANT),
    ("POST", f"{PREFIX}/lineage"): Rule(Permission.LINEAGE, Whose.TENANT),
    ("POST", f"{PREFIX}/lineage/batch"): Rule(Permission.LINEAGE, Whose.TENANT),
    ("POST", f"{PREFIX}/lineage/part"): _READ,
    ("GET", f"{PREFIX}/lineage/upstream"): _READ,
    ("GET", f"{PREFIX}/lineage/downstream"): _READ,
    ("GET", f"{PREFIX}/lineage/impact"): _READ,
}
"""(method, path as the router writes it) -> who may, of the API."""

RULES: Mapping[tuple[str, str], Rule] = {**ENDPOINTS, **PAGES}
