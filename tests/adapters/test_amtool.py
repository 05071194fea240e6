"""Routes against Alertmanager's own tool: our cases, and trees that are made up at random."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from contracts_svc.errors import UserMistake
from contracts_svc.routes.read import read
from tests.core.test_routes_own import ROUTES, file_of, labels_of
from tests.support import program

AMTOOL = program("amtool", "install the Debian package prometheus-alertmanager")

NAMES = ("severity", "squad", "team", "env", "x")
VALUES = ("error", "warning", "menu", "menu-ops", "prod", "a.b", "A", "1", "é")
PATTERNS = ("menu|prod", "menu.*", ".*", "(?i)a", ".+", "a.b", "[a-z]+", "^menu$", "men", "")


def receivers(folder: Path, text: str, labels: Mapping[str, str]) -> str:
    """Who gets an alert, as amtool says; it takes a label's value as a JSON text."""
    file = folder / "alertmanager.yml"
    file.write_text(text, encoding="utf-8")
    given = [f"{k}={json.dumps(v, ensure_ascii=False)}" for k, v in labels.items()]
    done = subprocess.run(
        [AMTOOL, "config", "routes", "test", f"--config.file={file}", *given],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ours(text: str, labels: Mapping[str, str]) -> str:
    return ",".join(r.receiver for r in read(text.encode(), "routes.yaml", {}).routes(labels))


def test_our_cases_are_alertmanagers(tmp_path: Path) -> None:
    for about, tree, cases in ROUTES:
        for labels, who in cases:
            assert receivers(tmp_path, file_of(tree), labels_of(labels)) == who, (about, labels)


def tree_of(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    route: dict[str, Any] = {}
    kind = chance.random() if depth else 1.0
    if kind < 0.6:
        route["matchers"] = [matcher(chance) for _ in range(chance.choice([1, 1, 2]))]
    elif kind < 0.75:
        route["match"] = {chance.choice(NAMES): chance.choice(VALUES)}
    elif kind < 0.9:
        route["match_re"] = {chance.choice(NAMES): chance.choice(PATTERNS)}
    if depth and chance.random() < 0.4:
        route["continue"] = True
    if not depth or chance.random() < 0.7:
        route["receiver"] = chance.choice("abcde")
    if depth < 3 and chance.random() < 0.7:
        route["routes"] = [tree_of(chance, depth + 1) for _ in range(chance.choice([1, 2, 3]))]
    return route


def matcher(chance: random.Random) -> str:
    op, space = chance.choice(["=", "!=", "=~", "!~"]), chance.choice(["", "", " "])
    value = chance.choice((*VALUES, "") if "~" not in op else PATTERNS)
    return f'{chance.choice(NAMES)}{space}{op}{space}"{value}"'


def test_random_trees_are_walked_as_alertmanager_walks_them(tmp_path: Path) -> None:
    wrong = []
    for seed in range(100):
        chance = random.Random(seed)
        document = {"route": tree_of(chance), "receivers": [{"name": n} for n in "abcde"]}
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        labels = {n: chance.choice(VALUES) for n in NAMES if chance.random() < 0.6}
        if ours(text, labels) != (told := receivers(tmp_path, text, labels)):
            wrong.append(f"{labels}: {ours(text, labels)}, not {told}\n{text}")
    assert not wrong, "\n".join(wrong)


FILES = (
    *(f"group_wait: {d}" for d in ("0s", "0", "5m", "1h30m", "1d", "1y", "5", "1.5h", "-5m", "1m1h")),
    *(f"group_interval: {d}" for d in ("0s", "5m", "1w2d")),
    *(f"group_by: {g}" for g in ("['...']", "['...', x]", "[x, x]", "[x]", "[]")),
    "continue: true",
    "matchers: [a=b]",
    "foo: 1",
    "mute_time_intervals: [unknown]",
    "routes: [{receiver: unknown}]",
    "routes: [{match_re: {a: '['}}]",
    *(f"routes: [{{matchers: ['{m}']}}]" for m in ("a=b", "a==b", "a", "{a=b,c=d}", "a=b,", 'a="b', "a=~(?=b)")),
)  # fmt: skip
INTERVALS = (
    *(f"{{days_of_month: ['{d}']}}" for d in ("31", "32", "0", "-31", "-32", "5:1", "-1:1", "31:-1", "30:-1")),
    *(f"{{days_of_month: ['{d}']}}" for d in ("15:-16", "15:-17", "1:-1", "-1:-5", "a", "1:2:3")),
    *(f"{{weekdays: ['{w}']}}" for w in ("monday", "Monday", "mon", "friday:monday", "sunday:saturday", "monday:")),
    *(f"{{months: ['{m}']}}" for m in ("january", "jan", "3", "march:january", "january:3")),
    *(f"{{years: ['{y}']}}" for y in ("2026", "2028:2026", "2026:2028")),
    *(f"{{times: [{{start_time: '{s}', end_time: '{e}'}}]}}"
      for s, e in (("09:00", "17:00"), ("17:00", "09:00"), ("00:00", "24:00"), ("9:00", "17:00"), ("09:00", "25:00"))),
)  # fmt: skip


def test_what_is_no_route_file_is_none_for_either(tmp_path: Path) -> None:
    texts = [f"receivers: [{{name: a}}]\nroute:\n  receiver: a\n  {line}\n" for line in FILES]
    texts += [
        f"receivers: [{{name: a}}]\nroute: {{receiver: a}}\n"
        f"time_intervals: [{{name: t, time_intervals: [{interval}]}}]\n"
        for interval in INTERVALS
    ]
    wrong = []
    for text in texts:
        file = tmp_path / "alertmanager.yml"
        file.write_text(text, encoding="utf-8")
        done = subprocess.run([AMTOOL, "check-config", str(file)], capture_output=True, check=False)
        try:
            read(text.encode(), "routes.yaml", {})
            good = True
        except UserMistake:
            good = False
        if good is not (done.returncode == 0):
            wrong.append(f"{text}: ours {good}, {done.stdout.decode()[-200:]}")
    assert not wrong, "\n".join(wrong)
