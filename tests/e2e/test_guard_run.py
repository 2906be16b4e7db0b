#!/usr/bin/python3
"""Whole runs in whose cut-over somebody dies: writes flow without anybody, and the run goes on."""
import os
import subprocess
import time

import sandbox
from resp import ServerError
from test_sentinel import OnePrimary

HOLD_MS = 3000
POLICY = {"probe": {"rate": 500}, "soak_s": 0, "hold_limit_ms": HOLD_MS}


def wait_until_written(scene):
    """Until some server takes a write: seconds from now."""
    begun = time.monotonic()
    while time.monotonic() < begun + 30:
        for node in scene.cluster.nodes:
            try:
                with scene.cluster.connect(node, timeout_s=10) as connection:
                    if connection.call("SET", "upshift-test", 1) == "OK":
                        return time.monotonic() - begun
            except (ServerError, OSError):
                pass
    raise TimeoutError("no server takes a write")


def run_with(directory, kill, check):
    with OnePrimary(directory, policy=POLICY) as scene:
        scene.program = os.environ["FAULTS"]
        scene.start("redis", "7.0")
        upgrade = scene.begin("upgrade", "demo", "valkey/8.1", "--yes", UPSHIFT_KILL=kill,
                              UPSHIFT_KILL_ONCE=str(scene.directory / "once"))
        check(scene, upgrade)
        assert scene.cluster.primary().name == "node-2"
        fences = scene.settings(("min-replicas-to-write",))
        assert all(values["min-replicas-to-write"] == "0" for values in fences.values()), fences
        # Where writers had to wait for the end of the hold some gave up: said, and not "proved".
        scene.upshift("finalize", "demo", "--yes", expected=(0, 16), stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
        assert set(scene.cluster.versions().values()) == {"valkey 8.1.1"}
        summary = scene.report()["summary"]
        print(f"# {summary['intended']} operations, {summary['failed']} failed, "
              f"{summary['lost']} lost, longest {summary['longest_us']} us", flush=True)
        assert summary["lost"] == 0, summary


def wait_for_death(scene):
    """Of whoever is to die."""
    scene.cluster.wait_for((scene.directory / "once").exists, "the cut-over", timeout_s=60)


def writes_flow_and_resume_goes_on(scene, upgrade):
    wait_for_death(scene)
    assert wait_until_written(scene) * 1000 <= HOLD_MS + 100 + 500  # until the server is found
    upgrade.wait(timeout=30)
    scene.run("resume", "demo", expected=12)


def the_run_goes_on_by_itself(_, upgrade):
    assert upgrade.wait(timeout=90) == 12, upgrade.stdout.read()


def a_controller_killed_in_the_cut_over_is_resumed(directory):
    run_with(directory, "controller:FENCED", writes_flow_and_resume_goes_on)


def when_both_die_in_the_cut_over_the_resumed_run_does_it_again(directory):
    run_with(directory, "both:FENCED", writes_flow_and_resume_goes_on)


def when_both_die_after_the_commit_the_resumed_run_does_it_again(directory):
    def resume_at_once(scene, upgrade):
        wait_for_death(scene)
        upgrade.wait(timeout=30)
        scene.run("resume", "demo", expected=12)
    run_with(directory, "both:COMMITTED", resume_at_once)


def a_guard_killed_in_the_cut_over_is_replaced(directory):
    run_with(directory, "guard:COMMITTED", the_run_goes_on_by_itself)


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(
        a_controller_killed_in_the_cut_over_is_resumed,
        when_both_die_in_the_cut_over_the_resumed_run_does_it_again,
        when_both_die_after_the_commit_the_resumed_run_does_it_again,
        a_guard_killed_in_the_cut_over_is_replaced)
