#!/usr/bin/python3
"""Hard cases on real servers, mostly of the network: each name says the end that is expected.

HARD_ONLY=<text> runs only the cases with that in their name.
"""
import os
import signal
import subprocess
import time

import sandbox
from relay import RelayedCluster
from scene import PROBED, Scene, check_proof, wait_for_exit, write_keys

QUICK = {"probe": {"rate": 500}, "soak_s": 1, "gate_timeout_s": 10, "step_timeout_s": 15}
FREEZE = "freeze_before_send"


class RelayedScene(Scene):
    """A scene whose nodes are reached through relays."""

    def __init__(self, directory, **more):
        super().__init__(directory, **more)
        self.cluster = RelayedCluster(self.directory, "", options=more.get("options"))
        self.write_inventory()

    def relay(self, name):
        return self.cluster.relays[name]


def node_named(scene, name):
    return next(node for node in scene.cluster.nodes if node.name == name)


def finish(scene, version="redis 7.0.15"):
    """Finalizes what is soaking; everything was seen and nothing was lost."""
    scene.run("finalize", "demo", "--yes")
    scene.cluster.wait_until_agreed()
    assert set(scene.cluster.versions().values()) == {version}
    return check_proof(scene.report(), operations_min=500)


def finish_whatever_clients_saw(scene):
    """As finish(), where operations may have run into a time limit of theirs."""
    scene.upshift("finalize", "demo", "--yes", expected=(0, 16),
                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    summary = scene.report()["summary"]
    assert summary["lost"] == 0 and summary["wrong"] == 0, summary
    assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def a_replica_that_never_catches_up_pauses_the_run_and_resume_finishes_it(directory):
    with RelayedScene(directory, policy=QUICK) as scene:
        scene.start()
        write_keys(scene.cluster, "bulk" * 200, count=6000)
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes")
        scene.cluster.wait_for(lambda: "stop" in str(scene.step_states()), "the run to begin")
        scene.relay("node-1").slow(20000)  # what its replica copies comes through here
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 11, (code, said)
        assert "node-4" in said and "resume" in said, said
        scene.relay("node-1").heal()
        roles = {name: scene.cluster.info(node_named(scene, name), "replication")["role"]
                 for name in ("node-1", "node-2", "node-3")}
        assert set(roles.values()) == {"master"}, roles
        scene.run("resume", "demo", expected=12)
        finish_whatever_clients_saw(scene)


def a_switchover_that_times_out_is_tried_again_and_done(directory):
    with Scene(directory, policy=PROBED, program="FAULTS") as scene:
        scene.start()
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes",
                              UPSHIFT_KILL=f"{FREEZE}:shard-1/switchover")
        controller = stopped_controller(scene)
        primary = node_named(scene, "node-1").pids()[0]
        os.kill(primary, signal.SIGSTOP)  # the replica asks it to pause, and hears nothing
        os.kill(controller, signal.SIGCONT)
        time.sleep(1)  # less than what makes the others call it failed
        os.kill(primary, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 12, (code, said)
        assert scene.cluster.roles()["node-4"] == "master"
        finish_whatever_clients_saw(scene)


def stopped_controller(scene, timeout_s=60):
    """Waits until the controller has stopped itself, and returns its number."""
    found = []

    def is_stopped():
        found[:] = [pid for pid in scene.processes() if is_controller(pid) and state_of(pid) == "T"]
        return len(found) == 1

    scene.cluster.wait_for(is_stopped, "the controller to stop itself", timeout_s=timeout_s)
    return found[0]


def is_controller(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"internal-controller" in file.read()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(") ", 1)[1][0]


def a_primary_without_a_synced_replica_is_refused_and_untouched(directory):
    with RelayedScene(directory, policy=QUICK) as scene:
        scene.start()
        scene.cluster.call(node_named(scene, "node-4"), "CONFIG", "SET", "masterauth", "wrong")
        scene.relay("node-1").cut()
        time.sleep(0.2)
        scene.relay("node-1").heal()
        time.sleep(2)
        before = {node.name: node.pids() for node in scene.cluster.nodes}
        said = scene.run("upgrade", "demo", "7.0", "--yes", expected=4)
        assert "node-4" in said and "link" in said, said
        assert before == {node.name: node.pids() for node in scene.cluster.nodes}


def a_link_cut_in_the_soak_is_healed_by_the_backlog_and_nothing_is_lost(directory):
    with RelayedScene(directory, policy=QUICK) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        scene.relay("node-4").cut()  # the new primary: the old one is fed through here
        scene.cluster.wait_for(lambda: scene.snapshot()["way_back"] != "open",
                               "the way back to be called closing")
        scene.relay("node-4").heal()
        scene.cluster.wait_for(lambda: scene.snapshot()["way_back"] == "open"
                               and scene.snapshot()["waiting"] is None,
                               "the way back to be open again", timeout_s=30)
        scene.cluster.wait_until_agreed()
        fulls = scene.cluster.info(node_named(scene, "node-4"), "stats")["sync_full"]
        assert fulls == "0", f"{fulls} full copies"
        finish_whatever_clients_saw(scene)


def stops_begun(scene):
    return [step for step, state in scene.step_states().items()
            if step.endswith("/stop") and state != "pending"]


def half_open_links_to_a_node_hold_the_run_and_it_goes_on_by_itself(directory):
    policy = {**QUICK, "gate_timeout_s": 60}
    with RelayedScene(directory, policy=policy) as scene:
        scene.start()
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes")
        scene.cluster.wait_for(lambda: "intended" in scene.step_states().values(),
                               "the first act", timeout_s=60)
        scene.relay("node-6").freeze()  # a replica
        time.sleep(3)  # what was begun has ended, or waits
        stops = stops_begun(scene)
        assert len(stops) <= 1, stops
        time.sleep(4)
        assert stops_begun(scene) == stops
        assert scene.snapshot()["waiting"] is not None
        scene.relay("node-6").heal()
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 12, (code, said)
        finish(scene)


def config_epochs_in_conflict_are_waited_out_and_the_plan_follows_the_roles(directory):
    with Scene(directory, policy={"probe": {"mode": "off"}, "soak_s": 0}) as scene:
        scene.start()
        scene.run(*"upgrade demo 7.0 --yes --detach".split(), expected=18)
        scene.cluster.wait_for(lambda: stops_begun(scene), "the first node")
        scene.run("pause", "demo", expected=10)
        for name in ("node-5", "node-6"):  # both take the next epoch without asking anybody
            assert scene.cluster.call(node_named(scene, name),
                                      "CLUSTER", "FAILOVER", "TAKEOVER") == "OK"
        said = scene.run("resume", "demo", expected=12)
        epochs = list(scene.shard_epochs().values())
        assert len(set(epochs)) == len(epochs), epochs
        assert scene.snapshot()["revision"] >= 1, said
        scene.run("finalize", "demo", "--yes")
        scene.cluster.wait_until_agreed()
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


CASES = (
    a_replica_that_never_catches_up_pauses_the_run_and_resume_finishes_it,
    a_switchover_that_times_out_is_tried_again_and_done,
    a_primary_without_a_synced_replica_is_refused_and_untouched,
    a_link_cut_in_the_soak_is_healed_by_the_backlog_and_nothing_is_lost,
    half_open_links_to_a_node_hold_the_run_and_it_goes_on_by_itself,
    config_epochs_in_conflict_are_waited_out_and_the_plan_follows_the_roles,
)

if __name__ == "__main__":
    sandbox.enter()
    only = os.environ.get("HARD_ONLY", "")
    sandbox.run_cases(*[case for case in CASES if only in case.__name__])
