"""The benchmarks run; what they measure is read by people."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks.__main__ import main


def test_comparing_contracts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    options = "compat --columns 20 --repeat 1 --sizes 10,20 --versions 2,3"
    monkeypatch.setattr(sys, "argv", ["benchmarks", *options.split()])
    main()
    said = capsys.readouterr().out
    for row in (
        "contracts diff",
        "datacontract breaking",
        "ratio",
        "diff and rules, first",
        "versions of 30",
    ):
        assert row in said
