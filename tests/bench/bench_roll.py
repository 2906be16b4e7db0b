#!/usr/bin/python3
"""Naive rolling restart against upshift, under the same load (`make bench`).

Alternating rounds on fresh clusters of six servers, 6.0 -> 7.0 -> Valkey 8.1 in each. The longest
operation is that of a client that tries until it succeeds; errors are those of the probe, at 2,000
operations a second. Prints medians and their ratio, as the table of docs/performance.md.

    tests/bench/bench_roll.py [--rounds N]
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "tests/e2e"))

import naive  # noqa: E402
import sandbox  # noqa: E402
from rig import CLUSTER, RATE, Rig  # noqa: E402

HOPS = (("redis", "7.0", "7.0"), ("valkey", "8.1", "valkey/8.1"))  # product, series, as typed
RATIO_WANTED = 15
EXIT_PAUSE_POINT = 12
ROWS = (
    ("longest operation, ms", "longest_ms"),
    ("failed without a retry", "raw_failed"),
    ("failed after one retry", "failed"),
    ("acknowledged writes lost", "lost"),
    ("errors of python3-redis", "stock_errors"),
)


def quiet(_):
    """The naive way tells every node; here nobody listens."""


def measure_naive(rig, product, series, _):
    final, stock, patient = naive.measure(rig, rig.fetch(product, series)["server"], quiet)
    return figures(final, final["missing"] + final["different"], stock, patient)


def measure_upshift(rig, _product, _series, target):
    clients = rig.start_clients()
    rig.upshift("upgrade", CLUSTER, target, "--yes", "--quiet", expected=(EXIT_PAUSE_POINT,),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    rig.wait_for_soak()
    rig.upshift("finalize", CLUSTER, "--yes", "--quiet", stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
    stock, patient = rig.stop_clients(clients)
    summary = rig.ask("report", CLUSTER)["report"]["summary"]
    return figures(summary, summary["lost"], stock, patient)


def figures(counts, lost, stock, patient):
    return {"longest_ms": patient["longest_ms"], "raw_failed": counts["raw_failed"],
            "failed": counts["failed"], "lost": lost + stock["missing"] + stock["different"],
            "stock_errors": sum(stock["errors"].values())}


WAYS = (("naive", measure_naive), ("upshift", measure_upshift))


def measure_round(program, measure):
    """Both hops on a fresh cluster. Returns target -> figures."""
    with Rig(program) as rig:
        rig.start()
        return {target: measure(rig, product, series, target) for product, series, target in HOPS}


def show(results):
    """Returns whether every median meets what was promised."""
    is_good = True
    for target in (hop[2] for hop in HOPS):
        print(f"\nto {target}, medians of {len(results['naive'])} rounds, {RATE:,} operations/s\n\n"
              f"| {'':25} | {'naive':>9} | {'upshift':>9} |\n|{'-' * 27}|{'-' * 10}:|{'-' * 10}:|")
        medians = {name: {key: statistics.median(one[target][key] for one in results[name])
                          for _, key in ROWS} for name, _ in WAYS}
        for label, key in ROWS:
            cells = " | ".join(f"{medians[name][key]:9,.0f}" for name, _ in WAYS)
            print(f"| {label:25} | {cells} |")
        ratio = medians["naive"]["longest_ms"] / medians["upshift"]["longest_ms"]
        print(f"\nlongest operation: 1/{ratio:.0f} of the naive one's (wanted: 1/{RATIO_WANTED})")
        is_good = (is_good and ratio >= RATIO_WANTED
                   and medians["upshift"]["failed"] == medians["upshift"]["lost"] == 0)
    return is_good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    program = os.environ["UPSHIFT"]
    sandbox.enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that rigs clean up
    results = {name: [] for name, _ in WAYS}
    for number in range(1, arguments.rounds + 1):
        for name, measure in WAYS:
            results[name].append(measure_round(program, measure))
            print(f"round {number}, {name}: {json.dumps(results[name][-1])}", flush=True)
    return 0 if show(results) else 1


if __name__ == "__main__":
    os.environ.setdefault("UPSHIFT", str(CHECKOUT / "build/src/app/upshift"))
    sys.exit(main())
