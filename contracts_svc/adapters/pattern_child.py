"""The child process of :mod:`contracts_svc.adapters.pattern_process`: compares languages by automata.

Called with the megabytes and the seconds of processor time that it may use. Every line on standard
input is a pair of patterns in full-match form, ``{"old": ..., "new": ...}``; every line on standard
output says how they compare.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from interegular import FSM, InvalidSyntax, Unsupported, parse_pattern
from interegular.fsm import Alphabet
from interegular.patterns import REFlags

_NO_FLAGS = REFlags(0)
_DEEPEST = 10_000
_NAMES = {
    (True, True): "equal",
    (True, False): "wider",
    (False, True): "narrower",
    (False, False): "different",
}
"""Whether the new one holds the old one, and the other way round."""


def main(megabytes: int, cpu_seconds: int) -> None:
    """Answer every line until there are no more."""
    bound(megabytes, cpu_seconds)
    sys.setrecursionlimit(_DEEPEST)
    for line in sys.stdin:
        pair = json.loads(line)
        print(json.dumps(answer(pair["old"], pair["new"], megabytes)), flush=True)


def answer(old: str, new: str, megabytes: int) -> dict[str, str]:
    """How two patterns compare, or why that is undecided."""
    try:
        return {"inclusion": inclusion(old, new)}
    except MemoryError:
        return {"undecided": f"it takes more than {megabytes:,} MB of memory to compare them"}
    except RecursionError:
        return {"undecided": "they are nested too deep"}
    except (Unsupported, InvalidSyntax) as error:
        return {"undecided": f"the patterns cannot be turned into automata: {error}"}


def inclusion(old: str, new: str) -> str:
    """``equal``, ``wider``, ``narrower`` or ``different``: what the new pattern is to the old one."""
    parsed = [parse_pattern(p) for p in (old, new)]
    alphabet, _ = Alphabet.union(*(p.get_alphabet(_NO_FLAGS) for p in parsed))
    before, after = (p.to_fsm(alphabet) for p in parsed)
    return _NAMES[_holds(after, before), _holds(before, after)]


def _holds(outer: FSM, inner: FSM) -> bool:
    return bool((inner - outer).empty())


def bound(megabytes: int, cpu_seconds: int) -> None:
    """Let this process use this much memory and time, where the system can bound it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        for kind, wanted in (
            (resource.RLIMIT_AS, megabytes * 1_000_000),
            (resource.RLIMIT_CPU, cpu_seconds),
        ):
            _, hard = resource.getrlimit(kind)
            resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
