"""``python -m tests.benchmarks NAME [options]``: measurements that tests do not make, since they take time."""

from __future__ import annotations

import sys

from tests.benchmarks import checks, compat, keys, lineage, service

BENCHMARKS = {
    "checks": checks.main,
    "compat": compat.main,
    "keys": keys.main,
    "lineage": lineage.main,
    "service": service.main,
}


def main() -> None:
    name, *arguments = sys.argv[1:] or [""]
    if name not in BENCHMARKS:
        sys.exit(f"name one of: {', '.join(BENCHMARKS)}")
    BENCHMARKS[name](arguments)


if __name__ == "__main__":
    main()
