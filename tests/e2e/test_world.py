#!/usr/bin/python3
"""The world changes while a run is under way, on real servers: each name says the expected end.

The controller is stopped (SIGSTOP) right before an act, the world changes, and it wakes up.

WORLD_ONLY=<text> runs only the cases with that in their name.
"""
import os
import shutil
import signal
import time

import sandbox
from scene import PROBED, UNPROBED, Scene, wait_for_exit
from test_hard import FREEZE, node_named, stopped_controller

POLICY = {**PROBED, "gate_timeout_s": 30}


class World(Scene):
    """A scene whose run can be stopped anywhere."""

    def __init__(self, directory, policy=None):
        super().__init__(directory, policy=policy or POLICY, program="FAULTS")

    def node(self, name):
        return node_named(self, name)

    def begin_until(self, step):
        """Starts an upgrade and returns it when its controller has stopped before that act."""
        upgrade = self.begin("upgrade", "demo", "7.0", "--yes", UPSHIFT_KILL=f"{FREEZE}:{step}")
        return upgrade, stopped_controller(self)

    def kill(self, name):
        self.cluster.stop_node(self.node(name), with_signal=signal.SIGKILL)

    def start_again(self, name):
        self.cluster.start_node(self.node(name))

    def wait_for_role(self, name, role):
        self.cluster.wait_for(
            lambda: self.cluster.info(self.node(name), "replication")["role"] == role,
            f"{name} to be {role}", timeout_s=30)

    def fail_over(self, primary, replica, is_fed=True):
        """The primary dies, the replica takes over, and the dead one comes back."""
        self.kill(primary)
        self.wait_for_role(replica, "master")
        self.start_again(primary)
        self.wait_for_role(primary, "slave")
        if is_fed:
            self.cluster.wait_until_agreed()

    def replace(self, name, primary):
        """Another server under the same address: other id, no data."""
        node = self.node(name)
        old = self.cluster.call(node, "CLUSTER", "MYID").decode()
        self.cluster.stop_node(node)
        for path in [node.directory / "nodes.conf", *node.directory.glob("appendonly*"),
                     *node.directory.glob("dump.rdb")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start_again(name)
        self.cluster.wait_for(lambda: self.cluster.call(node, "PING") == "PONG",
                              f"{name} to answer", node)
        others = [each for each in self.cluster.nodes if each is not node]
        for other in others:
            self.cluster.call(other, "CLUSTER", "FORGET", old)
        self.cluster.call(others[0], "CLUSTER", "MEET", *node.address)
        self.cluster.wait_for(lambda: self.cluster.replicate(node, self.node(primary)),
                              f"{name} to become a replica", node)
        self.cluster.wait_until_agreed()

    def finish(self, expected=0):
        self.run("finalize", "demo", "--yes", expected=expected)
        self.cluster.wait_until_agreed()
        assert set(self.cluster.versions().values()) == {"redis 7.0.15"}

    def revisions(self):
        return [record["body"]["cause"] for record in self.records("demo-1", "plan_revised")]


def a_failover_of_the_shard_in_work_is_planned_around_and_told_apart(directory):
    with World(directory) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/node-4/stop")
        scene.fail_over("node-1", "node-4")
        starts = scene.cluster.start_counts()["node-4"]
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 12, (code, said)
        assert scene.revisions(), said
        assert scene.cluster.roles()["node-1"] == "master"  # it was the replica, and rolled as one
        assert scene.cluster.start_counts()["node-4"] == starts  # the only primary was not ended
        scene.finish(expected=16)
        report = scene.report()
        taken = [(each["was"], each["node"]) for each in report["failovers"]]
        assert taken == [("node-1", "node-4")], report["failovers"]
        summary = report["summary"]
        print(f"# {summary['failed']} failed, {summary['lost_in_failovers']} lost in the failover")
        assert summary["lost"] == summary["lost_in_failovers"], summary


def a_failover_onto_an_upgraded_node_closes_the_way_back_and_asks(directory):
    with World(directory) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/switchover")
        scene.fail_over("node-3", "node-6", is_fed=False)
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 11 and "node-3" in said and "way back" in said, (code, said)
        assert scene.snapshot()["way_back"] == "closed"
        scene.run("reconcile", "demo", expected=10)  # planned anew: what is left
        scene.run("resume", "demo", expected=12)
        scene.finish(expected=16)
        assert scene.report()["failovers"], "it is told"


def a_node_that_dies_elsewhere_is_waited_for_and_taken_up_when_it_returns(directory):
    with World(directory, {**POLICY, "gate_timeout_s": 60}) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/node-4/stop")
        scene.kill("node-6")
        time.sleep(3)  # longer than the node timeout: the others call it failed
        os.kill(controller, signal.SIGCONT)
        scene.cluster.wait_for(lambda: "node-6" in str(scene.snapshot()["waiting"]),
                               "the run to wait for node-6")
        until = time.monotonic() + 3
        while time.monotonic() < until:  # no other one is taken out beside it
            down = [node.name for node in scene.cluster.nodes if not node.pids()]
            assert len(down) <= 1, down
            time.sleep(0.05)
        if not scene.node("node-6").pids():  # unless it was its turn: that one may be taken first
            scene.start_again("node-6")
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 12, (code, said)
        scene.finish()


def a_replica_replaced_under_its_address_is_asked_about(directory):
    with World(directory, {**UNPROBED, "gate_timeout_s": 30}) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/node-4/stop")
        scene.replace("node-6", "node-3")
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 11, (code, said[-2500:])
        if scene.snapshot().get("proposal") is None:  # its own steps were done, all but one
            assert "somebody else changed it" in said, said[-2500:]
            scene.run("reconcile", "demo", expected=11)
        proposal = scene.snapshot()["proposal"]
        assert any("node-6 is another node now" in line for line in proposal["diff"]), proposal
        scene.run("resume", "demo", "--accept", "0123456789ab", expected=4)
        scene.run("resume", "demo", "--accept", proposal["digest"][:12], expected=12)
        scene.finish()


def a_slot_migration_is_waited_for(directory):
    with World(directory, {**UNPROBED, "gate_timeout_s": 60}) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/node-4/stop")
        one, two = scene.node("node-1"), scene.node("node-2")
        ids = [scene.cluster.call(node, "CLUSTER", "MYID").decode() for node in (one, two)]
        scene.cluster.call(two, "CLUSTER", "SETSLOT", 0, "IMPORTING", ids[0])
        scene.cluster.call(one, "CLUSTER", "SETSLOT", 0, "MIGRATING", ids[1])
        time.sleep(1)
        os.kill(controller, signal.SIGCONT)
        scene.cluster.wait_for(lambda: "slot" in str(scene.snapshot()["waiting"]),
                               "the run to wait for the slot")
        states = scene.step_states()
        time.sleep(2)
        assert scene.step_states() == states
        for node in (one, two):
            scene.cluster.call(node, "CLUSTER", "SETSLOT", 0, "STABLE")
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 12, (code, said)
        scene.finish()


def a_configuration_broken_mid_run_stops_it_and_resume_finishes_it(directory):
    with World(directory, {**UNPROBED, "step_timeout_s": 10}) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/node-4/stop")
        config = scene.node("node-4").config
        text = config.read_text()
        config.write_text(text + "no-such-directive yes\n")
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 11 and "start node-4" in said, (code, said)
        others = [node for node in scene.cluster.nodes if node.name != "node-4"]
        assert all(node.pids() for node in others)
        config.write_text(text)
        scene.run("resume", "demo", expected=12)
        scene.finish()


def a_node_finished_by_hand_is_taken_over_by_reconcile(directory):
    with World(directory, UNPROBED) as scene:
        scene.start()
        target = scene.fetch("redis", "7.0")["server"]
        upgrade, controller = scene.begin_until("shard-1/node-4/stop")
        pause = scene.begin("pause", "demo")
        time.sleep(1.5)
        os.kill(controller, signal.SIGCONT)
        assert wait_for_exit(pause)[0] == 10
        assert wait_for_exit(upgrade)[0] == 10
        scene.cluster.stop_node(scene.node("node-4"))
        scene.cluster.start_node(scene.node("node-4"), target)
        scene.cluster.wait_until_agreed()
        starts = scene.cluster.start_counts()["node-4"]
        said = scene.run("reconcile", "demo", expected=10)
        assert "no more: stop node-4" in said, said
        scene.run("resume", "demo", expected=12)
        assert scene.cluster.start_counts()["node-4"] == starts
        scene.finish()


def a_restart_overtaken_by_a_failover_stops_and_a_new_one_finishes_it(directory):
    with World(directory, UNPROBED) as scene:
        scene.start()
        restart = scene.begin("restart", "demo", "--yes",
                              UPSHIFT_KILL=f"{FREEZE}:shard-1/node-4/stop")
        controller = stopped_controller(scene)
        scene.fail_over("node-1", "node-4")
        starts = scene.cluster.start_counts()["node-4"]
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(restart, timeout_s=120)
        assert code == 11 and "restart is not planned anew" in said, (code, said)
        assert scene.cluster.start_counts()["node-4"] == starts
        scene.run("abort", "demo", expected=14)
        scene.cluster.wait_until_agreed()
        before = scene.cluster.start_counts()
        scene.run("restart", "demo", "--yes")
        after = scene.cluster.start_counts()
        assert after == {name: count + 1 for name, count in before.items()}, (before, after)


CASES = (
    a_failover_of_the_shard_in_work_is_planned_around_and_told_apart,
    a_failover_onto_an_upgraded_node_closes_the_way_back_and_asks,
    a_node_that_dies_elsewhere_is_waited_for_and_taken_up_when_it_returns,
    a_replica_replaced_under_its_address_is_asked_about,
    a_slot_migration_is_waited_for,
    a_configuration_broken_mid_run_stops_it_and_resume_finishes_it,
    a_node_finished_by_hand_is_taken_over_by_reconcile,
    a_restart_overtaken_by_a_failover_stops_and_a_new_one_finishes_it,
)

if __name__ == "__main__":
    sandbox.enter()
    only = os.environ.get("WORLD_ONLY", "")
    sandbox.run_cases(*[case for case in CASES if only in case.__name__])
