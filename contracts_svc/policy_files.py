"""Where a repository says how strict it is."""

POLICY_FILE = "contracts-policy.yaml"
WAIVERS_FILE = "contracts-waivers.yaml"
"""The files at the top of a repository that hold its policy and its waivers."""
