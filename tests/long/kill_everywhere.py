#!/usr/bin/python3
"""A fresh real run per crash place: the controller is killed once, at one place of one kind of
step, on the way there and on the way back, and resumed; nothing is done twice and nothing is lost.

KILL_ONLY=<text> runs only the places with that in their name.
"""
import os
import signal

from places import Stopwatch, ShapedScene

# pylint: disable=wrong-import-position
import sandbox
from scene import PROBED, check_proof, wait_for_exit

PLACES = ("before_intent", "after_intent", "after_send", "before_outcome")
FORWARD = ("shard-1/node-1/backlog", "shard-1/node-4/stop", "shard-1/node-4/switch",
           "shard-1/node-4/start", "shard-1/switchover")
FINAL = ("shard-1/node-1/stop", "shard-1/node-1/switch", "shard-1/node-1/start")
BACK_KINDS = ("repl.switchover", "service.stop", "data.set_aside", "package.switch",
              "service.start", "data.drop_aside")


def two_shards(directory):
    """As few nodes as make a Redis Cluster that can vote."""
    return ShapedScene(directory, 3, 3, policy=PROBED, program="FAULTS")


def run_with_crash(scene, words, place, expected):
    """Runs a command whose controller dies once, then resumes it to its end."""
    code, said = wait_for_exit(scene.begin(*words, UPSHIFT_KILL=place), timeout_s=180)
    assert code == 10 and "the run is safe" in said, f"{place} was not reached: {code}\n{said}"
    return scene.run("resume", "demo", expected=expected)


def crash_forward(place, directory):
    with two_shards(directory) as scene:
        scene.start()
        starts = scene.cluster.start_counts()
        run_with_crash(scene, ("upgrade", "demo", "7.0", "--yes"), place, 12)
        assert total(scene.cluster.start_counts()) == total(starts) + 3
        scene.run("finalize", "demo", "--yes")
        check_end(scene, starts, "redis 7.0.15", 1)


def crash_final(place, directory):
    with two_shards(directory) as scene:
        scene.start()
        starts = scene.cluster.start_counts()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        os.kill(scene.snapshot()["controller_pid"], signal.SIGKILL)  # the next one has the fault
        run_with_crash(scene, ("finalize", "demo", "--yes"), place, 0)
        check_end(scene, starts, "redis 7.0.15", 1)


def crash_back(kind, place, directory):
    with two_shards(directory) as scene:
        scene.start()
        starts = scene.cluster.start_counts()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        way_back = scene.ask("rollback", "demo", "--dry-run")["plan"]
        step = next(step["id"] for phase in way_back["phases"] for step in phase["steps"]
                    if step["kind"] == kind)
        os.kill(scene.snapshot()["controller_pid"], signal.SIGKILL)  # the next one has the fault
        run_with_crash(scene, ("rollback", "demo", "--yes"), f"{place}:{step}", 13)
        upgraded = {"node-4", "node-5", "node-6"}
        assert scene.cluster.start_counts() == {
            name: count + 2 * (name in upgraded) for name, count in starts.items()}
        check_end(scene, None, "redis 6.0.16", 0)


def check_end(scene, starts, version, more):
    scene.cluster.wait_until_agreed()
    assert set(scene.cluster.versions().values()) == {version}, scene.cluster.versions()
    if starts is not None:
        assert scene.cluster.start_counts() == {
            name: count + more for name, count in starts.items()}
    report = scene.report()
    check_proof(report)


def total(counts):
    return sum(counts.values())


def case(name, function):
    def run(directory):
        watch = Stopwatch()
        function(directory)
        watch.tell(name)
    run.__name__ = name
    return run


def cases():
    found = []
    for place in PLACES:
        for step in FORWARD:
            where = f"{place}:{step}"
            found.append(case(f"killed at {where}",
                              lambda directory, where=where: crash_forward(where, directory)))
        for step in FINAL:
            where = f"{place}:{step}"
            found.append(case(f"killed at {where}, finalizing",
                              lambda directory, where=where: crash_final(where, directory)))
        for kind in BACK_KINDS:
            found.append(case(f"killed at {place} of the first {kind} of a rollback",
                              lambda directory, kind=kind, place=place:
                              crash_back(kind, place, directory)))
    only = os.environ.get("KILL_ONLY", "")
    return [one for one in found if only in one.__name__]


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(*cases())
