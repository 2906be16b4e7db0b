#!/usr/bin/python3
"""A million acknowledged writes during one run: up, back, up again, finalized; none is lost.

WRITES=<n> takes another number.
"""
import time

from places import ShapedScene, Stopwatch, environment_number

# pylint: disable=wrong-import-position
import sandbox
from scene import check_proof

RATE = 10000
POLICY = {"probe": {"rate": RATE, "keys_max": 4000000, "ttl_s": 86400, "required": True},
          "soak_s": 1}
WAIT_S = 900


def wait_for_writes(scene, count):
    deadline = time.monotonic() + WAIT_S
    while scene.snapshot()["probe"]["acked"] < count:
        assert time.monotonic() < deadline, scene.snapshot()["probe"]
        time.sleep(1)


def a_million_acknowledged_writes_are_all_there(directory):
    wanted = environment_number("WRITES", 1000000)
    with ShapedScene(directory, 3, 3, policy=POLICY) as scene:
        scene.timeout_s = WAIT_S
        watch = Stopwatch()
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        wait_for_writes(scene, wanted // 2)
        watch.tell("upgrade, and half of the writes at the pause point")
        scene.run("rollback", "demo", "--yes", expected=13)
        first = check_proof(scene.report())
        watch.tell("rollback and its read-back")
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        wait_for_writes(scene, wanted - first["acked"])
        scene.run("finalize", "demo", "--yes")
        second = check_proof(scene.report())
        watch.tell("upgrade again, finalized, and its read-back")
        acked = first["acked"] + second["acked"]
        checked = first["checked"] + second["checked"]
        print(f"# {acked} acknowledged, {checked} read back, "
              f"{first['lost'] + second['lost']} lost", flush=True)
        assert acked >= wanted and checked == acked


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(a_million_acknowledged_writes_are_all_there)
