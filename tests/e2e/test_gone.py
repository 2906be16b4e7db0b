#!/usr/bin/python3
"""A node that dies during a run and never comes back, on real servers: each name says the end.

The controller is stopped (SIGSTOP) right before an act, a replica dies, and it wakes up.

GONE_ONLY=<text> runs only the cases with that in their name.
"""
import functools
import os
import signal
import time

import sandbox
from cluster import Cluster
from scene import UNPROBED, wait_for_exit
from test_world import World

POLICY = {**UNPROBED, "gate_timeout_s": 10}
FIRST = "shard-1/node-1/backlog"  # before any node is stopped
FAILED_AFTER_S = 3  # longer than the node timeout: the others call it failed


class Small(World):
    """Three shards with one replica each."""

    def __init__(self, directory):
        super().__init__(directory, POLICY)

    def lose(self, upgrade, controller, name):
        """The node dies for good while the controller stands; the run waits, then asks."""
        self.kill(name)
        time.sleep(FAILED_AFTER_S)
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 11 and name in said and "upshift reconcile" in said, (code, said[-2500:])

    def forget(self, name):
        """The operator takes the node out of the cluster."""
        lost = self.node(name)
        first = self.cluster.nodes[0]
        gone = [node_id for node_id, entry in self.cluster.view(first).items()
                if entry[0] == lost.port]
        assert len(gone) == 1, gone
        for node in self.cluster.nodes:
            if node is not lost:
                self.cluster.call(node, "CLUSTER", "FORGET", gone[0])
        self.cluster.nodes.remove(lost)
        self.cluster.wait_until_agreed()


class Larger(Small):
    """The first shard has two replicas, node-4 and node-7."""

    cluster_class = functools.partial(Cluster, replicas=4)


def a_replica_that_is_gone_for_good_is_left_out_by_reconcile(directory):
    with Larger(directory) as scene:
        scene.start()
        upgrade, controller = scene.begin_until(FIRST)
        scene.lose(upgrade, controller, "node-7")
        said = scene.run("reconcile", "demo", expected=10)
        assert "is gone" not in said, said  # down, and still a member
        scene.forget("node-7")
        said = scene.run("reconcile", "demo", expected=10)
        assert "without node-7: it is gone" in said, said
        assert "no more: stop node-7" in said, said
        scene.run("resume", "demo", expected=12)
        scene.finish()


def the_heir_that_is_gone_is_replaced_by_another_replica(directory):
    with Larger(directory) as scene:
        scene.start()
        upgrade, controller = scene.begin_until("shard-1/switchover")
        scene.lose(upgrade, controller, "node-4")  # with settings of the run
        scene.forget("node-4")
        said = scene.run("reconcile", "demo", expected=10)
        assert "node-7 takes over shard-1 from node-1, instead of: node-4" in said, said
        scene.run("resume", "demo", expected=12)
        scene.finish()


def a_shard_that_lost_its_only_replica_is_not_planned_on(directory):
    with Small(directory) as scene:
        scene.start()
        upgrade, controller = scene.begin_until(FIRST)
        scene.lose(upgrade, controller, "node-6")
        scene.forget("node-6")
        said = scene.run("reconcile", "demo", expected=11)
        assert "shard-3 of node-3 has no replica left to hand over to" in said, said
        starts = scene.cluster.start_counts()
        scene.run("resume", "demo", expected=11)
        assert scene.cluster.start_counts() == starts


def a_replica_that_the_servers_send_to_the_bare_shard_is_asked_about(directory):
    with Larger(directory) as scene:  # Redis Cluster does that by itself: replica migration
        scene.start()
        upgrade, controller = scene.begin_until(FIRST)
        scene.lose(upgrade, controller, "node-6")
        scene.forget("node-6")
        scene.cluster.wait_for(
            lambda: scene.cluster.info(scene.node("node-3"), "replication")["connected_slaves"]
            == "1", "another replica of shard-3", timeout_s=30)
        scene.run("reconcile", "demo", expected=11)
        proposal = scene.snapshot()["proposal"]
        assert "without node-6: it is gone" in proposal["diff"], proposal
        scene.run("resume", "demo", "--accept", proposal["digest"][:12], expected=12)
        scene.finish()


CASES = (
    a_replica_that_is_gone_for_good_is_left_out_by_reconcile,
    the_heir_that_is_gone_is_replaced_by_another_replica,
    a_shard_that_lost_its_only_replica_is_not_planned_on,
    a_replica_that_the_servers_send_to_the_bare_shard_is_asked_about,
)

if __name__ == "__main__":
    sandbox.enter()
    only = os.environ.get("GONE_ONLY", "")
    sandbox.run_cases(*[case for case in CASES if only in case.__name__])
