"""The child process of :mod:`contracts_svc.adapters.engines.datacontract_cli`: measures one table.

Called with the path that the answer goes to; the task is JSON on standard input. It imports nothing of ours,
so that it also runs in an environment that holds datacontract-cli and drivers only.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

NOT_INSTALLED = "backend is not installed"


def main(answer: str) -> None:
    """Measure what the task names and write the answer."""
    task = json.load(sys.stdin)
    _bound_memory(int(task["megabytes"]))
    try:
        found = _measured(task)
    except MemoryError:
        found = {"error": f"it needs more than {task['megabytes']:,} MB of memory"}
    Path(answer).write_text(json.dumps(found, default=str), encoding="utf-8")


def _measured(task: dict[str, Any]) -> dict[str, Any]:
    try:
        from datacontract.data_contract import DataContract
    except ImportError as error:
        return {"error": f"a package is missing: {error}", "hint": "pip install datacontract-cli"}
    contract = DataContract(
        data_contract_str=json.dumps(task["contract"]),
        server=task["server"],
        schema_name=task["table"],
        # No variable of the environment is written into what the contract says.
        untrusted_contract=True,
        include_failed_samples=False,
    )
    run = contract.test()
    checks = [
        {
            "type": c.type,
            "field": c.field,
            "rule": c.qualityId,
            "result": c.result.value if c.result is not None else None,
            "reason": c.reason,
            "figures": c.diagnostics or {},
        }
        for c in run.checks or ()
    ]
    for check in checks:
        reason = str(check["reason"] or "")
        if NOT_INSTALLED in reason:
            cause, _, hint = reason.partition(" Install it with: ")
            return {"error": cause.rstrip("."), "hint": hint}
        # A check of no column, table or rule of ours tells that nothing could be measured.
        if check["type"] in ("general", "lint", "schema") and check["result"] != "passed":
            return {"error": reason or "the engine gave no reason"}
    return {"checks": checks}


def _bound_memory(megabytes: int) -> None:
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == -1 else min(wanted, hard), hard))


if __name__ == "__main__":
    main(sys.argv[1])
