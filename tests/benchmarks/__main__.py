"""``python -m tests.benchmarks NAME [options]``"""

from __future__ import annotations

import argparse

from tests.benchmarks import checks


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure, side by side.")
    commands = parser.add_subparsers(required=True, metavar="NAME")
    checks.add_to(commands)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
