#!/usr/bin/python3
"""What upshift asks of real nodes before anything moves: each case refuses, or tells, and leaves
the cluster as it was. The last one lets policies do what they say, in a whole upgrade."""
import contextlib
import json
import os
import tempfile

import sandbox
from scene import PROBED, Scene, check_proof, write_keys

SCENE = None  # set by main()
UPGRADE = ("upgrade", "demo", "7.0", "--yes")
PLAN = ("plan", "demo", "7.0")


def refused(expected, *texts):
    """Runs an upgrade that must refuse, say these texts, and change nothing."""
    before = SCENE.fingerprint()
    said = SCENE.run(*UPGRADE, expected=expected)
    flat = " ".join(said.split())
    for text in texts:
        assert text in flat, f"{text!r} is not in:\n{said}"
    SCENE.check_untouched(before)
    return flat


def planned(*texts):
    flat = " ".join(SCENE.run(*PLAN).split())
    for text in texts:
        assert text in flat, f"{text!r} is not in:\n{flat}"
    return flat


@contextlib.contextmanager
def policy(**words):
    """The scene's inventory with more policy."""
    kept = SCENE.policy
    SCENE.policy = {**kept, **words}
    SCENE.write_inventory()
    try:
        yield
    finally:
        SCENE.policy = kept
        SCENE.write_inventory()


@contextlib.contextmanager
def live(node, **settings):
    """CONFIG SET, taken back at the end; underscores stand for dashes."""
    names = {name.replace("_", "-"): value for name, value in settings.items()}
    before = {name: SCENE.cluster.call(node, "CONFIG", "GET", name)[1].decode() for name in names}
    for name, value in names.items():
        SCENE.cluster.call(node, "CONFIG", "SET", name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            SCENE.cluster.call(node, "CONFIG", "SET", name, value)


@contextlib.contextmanager
def in_file(node, *lines, restart=False):
    """More lines in a node's file, taken out at the end; with a restart they are live as well."""
    before = node.config.read_text()
    node.config.write_text(before + "".join(f"{line}\n" for line in lines))
    if restart:
        SCENE.cluster.stop_node(node)
        SCENE.cluster.start_node(node)
        SCENE.cluster.wait_for(lambda: SCENE.cluster.call(node, "PING") == "PONG", "an answer")
    try:
        if restart:
            SCENE.cluster.wait_until_agreed()
        yield
    finally:
        node.config.write_text(before)
        if restart:
            SCENE.cluster.stop_node(node)
            SCENE.cluster.start_node(node)
            SCENE.cluster.wait_until_agreed()


def wait_for_flag(node, flag, is_wanted):
    """Until every node sees the node with that flag, or without it."""
    def flags():
        return [entry[1] for other in SCENE.cluster.nodes
                for entry in SCENE.cluster.view(other).values() if entry[0] == node.port]
    SCENE.cluster.wait_for(lambda: all((flag in seen) == is_wanted for seen in flags()),
                           f"the flag {flag} to be {is_wanted}")


def a_replica_that_may_not_become_primary_is_refused(_):
    node = SCENE.cluster.nodes[3]
    with live(node, cluster_replica_no_failover="yes"), \
            in_file(node, "cluster-replica-no-failover yes"):
        wait_for_flag(node, "nofailover", True)
        refused(4, "heir_allowed: node-4 may not become primary (cluster-replica-no-failover)")
    wait_for_flag(node, "nofailover", False)


def a_command_renamed_in_the_file_is_refused(_):
    with in_file(SCENE.cluster.nodes[4], 'rename-command CONFIG "hush-hush"'):
        said = refused(4, "commands_known:", "node-5: CONFIG")
        assert "hush" not in said, said


def a_command_that_the_server_does_not_know_is_named(_):
    node = SCENE.cluster.nodes[4]
    before = node.config.read_text()
    node.config.write_text(before + "rename-command CONFIG hush-hush\n")
    SCENE.cluster.stop_node(node)
    SCENE.cluster.start_node(node)
    try:
        SCENE.cluster.wait_until_agreed()
        said = SCENE.run(*UPGRADE, expected=6)
        assert "node-5" in said and "unknown command `CONFIG`" in said, said
        assert "rename-command" in said and "hush" not in said, said
    finally:
        node.config.write_text(before)
        SCENE.cluster.stop_node(node)
        SCENE.cluster.start_node(node)
        SCENE.cluster.wait_until_agreed()


def a_loaded_module_is_refused_until_it_is_vouched_for(_):
    if "IDLE_MODULE" not in os.environ:
        raise sandbox.Skip("IDLE_MODULE names no module")
    node = SCENE.cluster.nodes[5]
    with in_file(node, f"loadmodule {os.environ['IDLE_MODULE']}", restart=True):
        refused(4, "modules_allowed: modules are loaded on node-6: idle 7", "policy.modules: allow")
        with policy(modules="allow"):
            planned("node-6/start")


def a_module_that_only_the_server_knows_is_refused_whatever_the_policy(_):
    if "IDLE_MODULE" not in os.environ:
        raise sandbox.Skip("IDLE_MODULE names no module")
    node = SCENE.cluster.nodes[5]
    SCENE.cluster.call(node, "MODULE", "LOAD", os.environ["IDLE_MODULE"])
    try:
        with policy(modules="allow"):
            refused(4, "node-6: modules were loaded live", "idle 7")
    finally:
        SCENE.cluster.call(node, "MODULE", "UNLOAD", "idle")


def a_password_that_only_the_server_knows_is_refused_and_not_shown(_):
    node = SCENE.cluster.nodes[3]
    with live(node, masterauth="open-sesame"):
        said = refused(4, "masterauth of node-4 is (a secret) live and nothing in its file")
        assert "sesame" not in said, said


def live_values_are_not_rewritten_on_6_0_and_can_be_ignored(_):
    with live(SCENE.cluster.nodes[1], maxmemory="400mb"), policy(drift="rewrite"):
        refused(4, "maxmemory of node-2 is 419430400", "by hand")
        with policy(drift="ignore"):
            planned("node-2/stop")


def wait_for_address(node, address):
    """Until every node has a link to the node at that address."""
    def is_linked(other):
        return any(line.split()[1].startswith(f"{address}:{node.port}@")
                   and line.split()[7] == "connected"
                   for line in SCENE.cluster.call(other, "CLUSTER", "NODES").decode().splitlines())
    SCENE.cluster.wait_for(lambda: all(map(is_linked, SCENE.cluster.nodes)),
                           f"{node.name} at {address}", timeout_s=30)
    SCENE.cluster.wait_until_agreed()


def what_a_plan_tells_of_its_nodes(_):
    """Buffers, WAIT, announced addresses, users without channels and clients."""
    cluster = SCENE.cluster
    first = cluster.nodes[0]
    buffers = "normal 0 0 0 slave 1mb 1mb 60 pubsub 33554432 8388608 60"
    with live(first, client_output_buffer_limit=buffers), in_file(
            first, "client-output-buffer-limit replica 1mb 1mb 60",
            "user default on nopass ~* +@all"), cluster.connect(first) as client:
        client.call("CLIENT", "SETNAME", "billing")
        client.call("WAIT", 0, 1)
        said = planned(
            "client-output-buffer-limit of node-1 is smaller than policy.backlog",
            "the smallest of these limits is 1.0 MiB",
            "clients use WAIT on node-1",
            "users without a rule about channels are in the file of node-1",
            "clients seen: billing")
        assert "upshift:" not in said, said
    with live(first, cluster_announce_ip="127.0.0.2"), \
            in_file(first, "cluster-announce-ip 127.0.0.2"):
        wait_for_address(first, "127.0.0.2")
        planned(f"node-1 sends clients to 127.0.0.2:{first.port}, the inventory reaches it at "
                f"127.0.0.1:{first.port}")


def an_inventory_without_tls_is_told_to_have_it(directory):
    with Scene(directory, options={"tls": True}) as scene:
        scene.start()
        certificate, scene.cluster.ca_file = scene.cluster.ca_file, None
        scene.write_inventory()
        said = " ".join(scene.run(*UPGRADE, expected=6).split())
        assert "node-1" in said and "add tls: to the cluster in the inventory" in said, said
        scene.cluster.ca_file = certificate
        scene.write_inventory()
        scene.run(*PLAN)


def check_backups(scene, folder):
    """One of each shard, nobody else's to read, with all keys; the new version has loaded it."""
    records = {node.name: json.loads(path.read_text()) for node in scene.cluster.nodes
               for path in node.directory.glob("upshift-backup-*.json")}
    assert sorted(records) == ["node-4", "node-5", "node-6"], records
    files = {record["file"] for record in records.values()}
    assert files == {os.path.join(folder, name) for name in os.listdir(folder)}, files
    for record in records.values():
        assert 1000 <= record["keys"] < 1500, record  # some are the probe's
        assert os.stat(record["file"]).st_mode & 0o777 == 0o600, record
        with open(record["file"], "rb") as file:
            assert file.read(9) == b"REDIS0010"


def a_backup_that_cannot_be_written_stops_the_run_before_anything_else(directory):
    before = SCENE.fingerprint()
    with policy(backup="required", backup_dir=os.path.join(directory, "missing")):
        said = SCENE.run(*UPGRADE, expected=11)
        assert "backup" in said and "missing" in said, said
        SCENE.run("abort", "demo", "--yes", expected=14)
    SCENE.cluster.wait_until_agreed()
    SCENE.check_untouched(before)


def policies_do_what_they_say_in_a_whole_upgrade(directory):
    """7.0 to Valkey: drift goes into the files, min-replicas-to-write yields and comes back."""
    options = {"config": {"min-replicas-to-write": 1, "min-replicas-max-lag": 10}}
    backups = os.path.join(directory, "backups")
    os.mkdir(backups)
    words = {**PROBED, "drift": "rewrite", "min_replicas": "relax", "backup": "required",
             "backup_dir": backups}
    with Scene(directory, options=options, policy=words) as scene:
        scene.start(version="7.0")
        write_keys(scene.cluster, "kept", count=3000)
        scene.cluster.wait_for(lambda: set(scene.cluster.key_counts().values()) == {1000},
                               "the keys on the replicas")
        changed = [scene.cluster.nodes[0], scene.cluster.nodes[3]]
        originals = {node.name: node.config.read_bytes() for node in changed}
        for node in changed:
            scene.cluster.call(node, "CONFIG", "SET", "maxmemory", "400mb")
        scene.run("upgrade", "demo", "valkey/8.1", "--yes", expected=12)
        scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {"valkey 8.1.1"}
        check_proof(scene.report())
        for node in changed:
            kept = list(node.directory.glob("upshift-config-*.conf"))
            assert len(kept) == 1 and kept[0].read_bytes() == originals[node.name], kept
            assert kept[0].stat().st_mode & 0o777 == 0o600, kept
            assert scene.all_settings(node)["maxmemory"] == "419430400"
        check_backups(scene, backups)
        for node in scene.cluster.nodes:
            settings = scene.all_settings(node)
            assert settings["min-replicas-to-write"] == "1", (node.name, settings)
            assert "repl-backlog-size 67108864" not in node.config.read_text()


def main():
    global SCENE  # pylint: disable=global-statement
    sandbox.enter()
    options = {"config": {"bind": "127.0.0.1 127.0.0.2"}}
    with tempfile.TemporaryDirectory(prefix="upshift-") as directory, \
            Scene(directory, options=options) as scene:
        SCENE = scene
        scene.start()
        sandbox.run_cases(
            a_replica_that_may_not_become_primary_is_refused,
            a_command_renamed_in_the_file_is_refused,
            a_command_that_the_server_does_not_know_is_named,
            a_loaded_module_is_refused_until_it_is_vouched_for,
            a_module_that_only_the_server_knows_is_refused_whatever_the_policy,
            a_password_that_only_the_server_knows_is_refused_and_not_shown,
            live_values_are_not_rewritten_on_6_0_and_can_be_ignored,
            a_backup_that_cannot_be_written_stops_the_run_before_anything_else,
            what_a_plan_tells_of_its_nodes,
            an_inventory_without_tls_is_told_to_have_it,
            policies_do_what_they_say_in_a_whole_upgrade,
        )


if __name__ == "__main__":
    main()
