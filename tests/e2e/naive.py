"""The naive rolling restart, for comparison: what a loop in a shell would do.

One node after the other, primaries and replicas in the order of the configuration: SIGTERM, start
the new version, go on as soon as PING answers. No switchover, no look at replication, no gates.
"""
import time

from resp import ServerError

LEAD_S = 2  # of undisturbed load
PING_TIMEOUT_S = 30
LOAD_S_MAX = 300  # the probe ends then in any case


def roll(rig, server_path, say):
    """Restarts every node of the rig's cluster with another server. `say` gets a line per node."""
    for node in rig.cluster.nodes:
        say(f"restart {node.name}")
        rig.cluster.stop_node(node)
        rig.cluster.start_node(node, server_path)
        rig.cluster.wait_for(lambda node=node: answers(rig, node), f"{node.name} to answer", node,
                             PING_TIMEOUT_S)


def answers(rig, node):
    """A server that still reads its data answers as well, with an error: good enough here."""
    try:
        return rig.cluster.call(node, "PING") == "PONG"
    except ServerError:
        return True


def measure(rig, server_path, say):
    """Restarts under load. Returns (the probe's final record, the stock client's counts, the
    patient client's), taken when the cluster has come to rest."""
    clients = rig.start_clients()
    probe = rig.start_probe(LOAD_S_MAX)
    time.sleep(LEAD_S)
    roll(rig, server_path, say)
    say("wait until the nodes agree again")
    rig.cluster.wait_until_agreed(60)
    return rig.stop_probe(probe), *rig.stop_clients(clients)
