#!/usr/bin/python3
"""Runs that change no version, on real servers under load: restart, and switchovers alone."""
import sandbox
from scene import PROBED, Scene, check_proof


def roles(scene):
    return {node.name: scene.cluster.call(node, "ROLE")[0].decode()
            for node in scene.cluster.nodes}


def every_node_is_restarted_once_and_nothing_is_lost(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        starts = scene.cluster.start_counts()
        versions = scene.cluster.versions()
        said = scene.run("restart", "demo", "--yes", expected=0)
        scene.cluster.wait_until_agreed()
        assert scene.cluster.versions() == versions, said
        assert scene.cluster.start_counts() == {
            name: count + 1 for name, count in starts.items()}, said
        assert scene.snapshot()["scopes"] == []
        check_proof(scene.report(), operations_min=100)


def one_shard_hands_over_and_nobody_is_restarted(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        starts = scene.cluster.start_counts()
        scene.run("switchover", "demo", "--to", "node-5", "--yes", expected=0)
        scene.cluster.wait_until_agreed()
        assert {name for name, role in roles(scene).items() if role == "master"} == {
            "node-1", "node-5", "node-3"}, roles(scene)
        assert scene.cluster.start_counts() == starts
        check_proof(scene.report(), operations_min=1)


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(every_node_is_restarted_once_and_nothing_is_lost,
                      one_shard_hands_over_and_nobody_is_restarted)
