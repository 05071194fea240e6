"""``python -m tests.benchmarks NAME [options]``"""

from __future__ import annotations

import argparse

from tests.benchmarks import compat


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure, side by side.")
    compat.add_to(parser.add_subparsers(required=True, metavar="NAME"))
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
