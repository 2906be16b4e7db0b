#!/usr/bin/python3
"""Does tests/run count right? A runner that overlooks a failure makes every other test worthless."""
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

LOADER = SourceFileLoader("run", str(Path(__file__).resolve().parent.parent / "run"))
run = module_from_spec(spec_from_loader("run", LOADER))
sys.modules["run"] = run  # dataclasses look their module up
sys.dont_write_bytecode = True
LOADER.exec_module(run)
P, S, F = run.PASSED, run.SKIPPED, run.FAILED

# What a program printed, its exit status, and the states of its cases.
CASES = (
    ("all pass", "1..2\nok 1 - a\nok 2 - b\n", 0, [P, P]),
    ("one fails", "1..2\nok 1 - a\nnot ok 2 - b\n", 1, [P, F]),
    ("cmocka writes a skip as not ok", "1..2\nok 1 - a\nnot ok 2 # SKIP b\n", 0, [P, S]),
    ("a skip has a reason", "1..1\nok 1 - a # SKIP no network\n", 0, [S]),
    ("everything is skipped", "1..0 # SKIP no servers\n", 0, [S]),
    ("stops early", "1..3\nok 1 - a\n", 0, [P, F]),
    ("crashes after its first case", "1..2\nok 1 - a\n", -11, [P, F]),
    ("leaks after its last case", "1..1\nok 1 - a\n", 1, [P, F]),
    ("has no plan", "ok 1 - a\n", 0, [P, F]),
    ("two groups", "1..1\nok 1 - a\n1..1\nok 1 - b\n", 0, [P, P]),
    ("speaks no TAP and ends well", "hello\n", 0, [P]),
    ("speaks no TAP and fails", "", 1, [F]),
    ("speaks no TAP and cannot run here", "", 77, [S]),
)


def is_closed_well(strict, states, line, status):
    """Does a report over these states end with this line and exit status?"""
    report = run.Report(strict)
    said = []
    run.print = lambda *words, **_: said.append(" ".join(map(str, words)))
    build = run.BUILDS[0]
    report.add(build, "unit", "x", run.Outcome([(str(i), s, "") for i, s in enumerate(states)]))
    found = report.close()
    del run.print
    return said[-1] == line and found == status


CLOSINGS = (
    ("green", False, [P, P], "2 passed, 0 failed", 0),
    ("skips are told", False, [P, S], "1 passed, 0 failed, 1 skipped", 0),
    ("a skip fails when strict", True, [P, S], "1 passed, 1 failed", 1),
    ("red", False, [P, F], "1 passed, 1 failed", 1),
    ("nothing ran", False, [], "0 passed, 0 failed", 1),
)


def main():
    results = [(name, [state for _, state, _ in run.judge(text, status)] == wanted)
               for name, text, status, wanted in CASES]
    results += [(f"closing line: {name}", is_closed_well(*rest)) for name, *rest in CLOSINGS]
    print(f"1..{len(results)}")
    for number, (name, is_good) in enumerate(results, 1):
        print(f"{'ok' if is_good else 'not ok'} {number} - {name}")
    return 0 if all(is_good for _, is_good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
