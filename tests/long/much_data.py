#!/usr/bin/python3
"""Six nodes with at least one GiB of data a shard: up, back, up again, under load.

DATA_MIB=<n> takes less data a shard.
"""
import os
import socket
import shutil

from places import ShapedScene, Stopwatch, environment_number

# pylint: disable=wrong-import-position
import sandbox
from scene import check_proof, tag_in

POLICY = {"probe": {"rate": 1000, "required": True}, "soak_s": 1, "step_timeout_s": 600,
          "gate_timeout_s": 600, "backlog": "256MiB"}
VALUE_SIZE = 64 * 1024
BATCH = 64
COMMAND_S = 1200


def fill(scene, mib):
    """Writes straight to each primary, values that do not compress."""
    cluster = scene.cluster
    roles = cluster.roles()
    count = mib * 1024 * 1024 // VALUE_SIZE
    for node in [node for node in cluster.nodes if roles[node.name] == "master"]:
        slots = [entry[4] for entry in cluster.view(node).values() if entry[0] == node.port][0]
        tag = tag_in(slots[0])
        with socket.create_connection(node.address) as link, link.makefile("rb") as answers:
            for first in range(0, count, BATCH):
                value = os.urandom(VALUE_SIZE)
                link.sendall(b"".join(
                    b"*3\r\n$3\r\nSET\r\n" + bulk(f"big:{{{tag}}}:{n}".encode()) + bulk(value)
                    for n in range(first, first + BATCH)))
                for _ in range(BATCH):
                    assert answers.readline() == b"+OK\r\n"


def bulk(data):
    return b"$%d\r\n%s\r\n" % (len(data), data)


def a_gibibyte_a_shard_goes_up_and_back_and_up_again(directory):
    mib = environment_number("DATA_MIB", 1024)
    if shutil.disk_usage(directory).free < 20 * mib * 1024 * 1024:
        raise sandbox.Skip(f"needs {20 * mib} MiB of disk")
    with ShapedScene(directory, 3, 3, policy=POLICY) as scene:
        scene.timeout_s = COMMAND_S
        watch = Stopwatch()
        scene.start()
        fill(scene, mib)
        watch.tell(f"{mib} MiB a shard written")
        counts = scene.cluster.key_counts()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        watch.tell("upgrade to the pause point")
        scene.run("rollback", "demo", "--yes", expected=13)
        watch.tell("rollback")
        assert set(scene.cluster.versions().values()) == {"redis 6.0.16"}
        check_proof(scene.report())
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        scene.run("finalize", "demo", "--yes")
        watch.tell("upgrade again, finalized")
        check_proof(scene.report())
        now = scene.cluster.key_counts()
        assert all(now[name] >= count for name, count in counts.items()), (counts, now)


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(a_gibibyte_a_shard_goes_up_and_back_and_up_again)
