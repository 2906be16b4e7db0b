#!/usr/bin/python3
"""Everything that must not work, against one real cluster: one clear error with its place and a
remedy, the documented exit status, and a cluster that stays exactly as it was."""
import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile

import sandbox
from scene import Scene

SCENE = None  # set once by main(): every case leaves its cluster as it was
UPGRADE = ("upgrade", "demo", "7.0", "--yes")
UNPERSISTED = {"appendonly": "no", "save": ""}


def refused(expected, *texts, command=UPGRADE, inventory=None):
    """Runs a command that must refuse, say these texts, and change nothing."""
    before = SCENE.fingerprint()
    if inventory is not None:
        command = ("--inventory", str(inventory), *command)
    said = SCENE.run(*command, expected=expected)
    for text in texts:
        assert text in said, f"{text!r} is not in:\n{said}"
    SCENE.check_untouched(before)
    return said


def changed_inventory(directory, change):
    """A copy of the inventory with something changed in its only cluster."""
    inventory = json.loads(SCENE.inventory.read_text())
    change(inventory["clusters"]["demo"])
    path = os.path.join(directory, "changed.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(inventory, file, indent=2)
    return path


@contextlib.contextmanager
def live(settings, *nodes):
    """CONFIG SET on some nodes, taken back at the end."""
    before = SCENE.settings(settings)
    for node in nodes:
        for name, value in settings.items():
            SCENE.cluster.call(node, "CONFIG", "SET", name, value)
    try:
        yield
    finally:
        for node in nodes:
            for name, value in before[node.name].items():
                SCENE.cluster.call(node, "CONFIG", "SET", name, value)
        SCENE.cluster.wait_until_agreed()  # a file that is written anew is another process


@contextlib.contextmanager
def in_files(lines, *nodes):
    """More lines in configuration files, taken out at the end."""
    before = {node: node.config.read_text() for node in nodes}
    for node, text in before.items():
        node.config.write_text(text + "".join(f"{line}\n" for line in lines))
    try:
        yield
    finally:
        for node, text in before.items():
            node.config.write_text(text)


# Inventories and words.

def an_inventory_that_cannot_be_read(directory):
    missing = os.path.join(directory, "missing.yaml")
    refused(3, missing, "cannot", inventory=missing)
    broken = os.path.join(directory, "broken.yaml")
    with open(broken, "w", encoding="utf-8") as file:
        file.write("clusters:\n  demo: [\n")
    refused(3, f"{broken}:", inventory=broken)


def an_inventory_with_mistakes_has_all_of_them_named(directory):
    def change(cluster):
        cluster["nodez"] = cluster["nodes"]
        cluster["topology"] = "ring"
        cluster["nodes"][1]["name"] = cluster["nodes"][0]["name"]
        cluster["nodes"][3]["address"] = cluster["nodes"][2]["address"]
    path = changed_inventory(directory, change)
    said = refused(3, f"{path}:", "nodez", "ring", "node-1", "^", inventory=path)
    assert "nodes" in said.replace("nodez", ""), said  # the nearest known key
    assert SCENE.cluster.nodes[2].address[1] and str(SCENE.cluster.nodes[2].port) in said, said


def unknown_names(_):
    refused(2, "nosuch", "demo", command=("upgrade", "nosuch", "7.0", "--yes"))
    refused(2, "9.9", command=("upgrade", "demo", "9.9", "--yes"))
    refused(2, "valkey/9.0", command=("upgrade", "demo", "valkey/9.0", "--yes"))
    refused(2, "seven", command=("upgrade", "demo", "seven", "--yes"))
    refused(2, "nosuch", command=("datastore", "version", "list", "nosuch"))
    refused(2, "upgrade", command=("upgrade", "demo", "--yes"))
    refused(2, "--yes", command=("upgrade", "demo", "7.0"))


def nodes_that_are_not_the_cluster(directory):
    path = changed_inventory(directory, lambda cluster: cluster["nodes"].pop())
    refused(4, "node-1", "inventory", inventory=path)

    def add(cluster):
        stranger = dict(cluster["nodes"][0], name="node-7", address="127.0.0.1:11999")
        for key in ("directory", "config", "server", "pid_file", "log_file"):
            stranger[key] = stranger[key].replace("node-1", "node-7")
        cluster["nodes"].append(stranger)
    path = changed_inventory(directory, add)
    refused(6, "node-7", "127.0.0.1:11999", inventory=path)


def targets_that_make_no_hop(_):
    refused(0, "nothing to do", command=("upgrade", "demo", "6.0", "--yes"))
    refused(0, "nothing to do", command=("plan", "demo", "6.0", "--exit-code"))
    refused(4, "valkey", "7.0", command=("upgrade", "demo", "valkey/8.1", "--yes"))


def orders_without_a_run(_):
    for words in (("rollback",), ("rollback", "--dry-run"), ("reconcile",), ("resume", "--forward"),
                  ("resume", "--accept", "0123456789ab"), ("abort", "--abandon", "--yes")):
        refused(4, "no run", command=(words[0], "demo", *words[1:]))


def words_that_contradict_each_other(_):
    refused(2, "one of them", command=("resume", "demo", "--accept", "0123456789ab", "--forward"))
    refused(2, "one of them",
            command=("reconcile", "demo", "--adopt", "--clear-claim", "demo", "--yes"))
    refused(2, "other", command=("reconcile", "demo", "--clear-claim", "other", "--yes"))
    refused(2, "--shard", command=("switchover", "demo", "--shard", "shard-1", "--to", "node-4"))
    refused(2, "switchover", command=("plan", "demo", "7.0", "--shard", "shard-1"))
    refused(2, "usage", command=("plan", "demo", "7.0", "--restart"))
    refused(2, "usage", command=("plan", "demo"))
    refused(2, "--yes", command=("restart", "demo"))


def claims_that_nobody_has_left(_):
    refused(0, "no run has left a claim", command=("reconcile", "demo", "--adopt", "--yes"))


def switchovers_to_nowhere(_):
    refused(4, "shard-9", command=("switchover", "demo", "--shard", "shard-9", "--yes"))
    refused(4, "nosuch", command=("switchover", "demo", "--to", "nosuch", "--yes"))
    refused(4, "node-1", command=("switchover", "demo", "--to", "node-1", "--yes"))


# Clusters that are not well.

def a_wrong_password(directory):
    nodes = SCENE.cluster.nodes
    secret = os.path.join(directory, "password")
    with open(secret, "w", encoding="utf-8") as file:
        file.write("wrong-one")
    path = changed_inventory(
        directory, lambda cluster: cluster.update(auth={"password": {"file": secret}}))
    os.chmod(secret, 0o600)
    for node in nodes:
        SCENE.cluster.call(node, "CONFIG", "SET", "masterauth", "right-one")
        SCENE.cluster.call(node, "CONFIG", "SET", "requirepass", "right-one")
    SCENE.cluster.options["password"] = "right-one"
    try:
        said = refused(6, "password", "node-1", inventory=path)
        assert "wrong-one" not in said and "right-one" not in said, said
        refused(6, "NOAUTH", "add auth:")
    finally:
        for node in nodes:
            SCENE.cluster.call(node, "CONFIG", "SET", "masterauth", "")
            SCENE.cluster.call(node, "CONFIG", "SET", "requirepass", "")
        del SCENE.cluster.options["password"]


def flags_of(observer, node):
    return next(entry[1] for entry in SCENE.cluster.view(observer).values()
                if entry[0] == node.port)


def a_node_that_is_down(_):
    cluster = SCENE.cluster
    node = cluster.nodes[5]
    cluster.stop_node(node)
    try:
        cluster.wait_for(lambda: all(flags_of(other, node) == {"slave", "fail"}
                                     for other in cluster.nodes[:5]), "the others to see it")
        refused(6, "node-6", str(node.port))
    finally:
        cluster.start_node(node)
        cluster.wait_until_agreed()


def a_cluster_that_does_not_serve_all_slots(_):
    cluster = SCENE.cluster
    primary = cluster.nodes[0]
    for node in cluster.nodes:
        cluster.call(node, "CLUSTER", "DELSLOTS", 0)
    try:
        cluster.wait_for(lambda: cluster.cluster_info(primary)["cluster_state"] == "fail",
                         "the cluster to fail")
        refused(4, "slot")
    finally:
        cluster.call(primary, "CLUSTER", "ADDSLOTS", 0)
        cluster.wait_until_agreed()


def slots_on_their_way(_):
    cluster = SCENE.cluster
    source, target = cluster.nodes[0], cluster.nodes[1]
    ids = [cluster.call(node, "CLUSTER", "MYID").decode() for node in (source, target)]
    cluster.call(target, "CLUSTER", "SETSLOT", 5, "IMPORTING", ids[0])
    cluster.call(source, "CLUSTER", "SETSLOT", 5, "MIGRATING", ids[1])
    try:
        refused(4, "slot", "node-1")
    finally:
        for node in (source, target):
            cluster.call(node, "CLUSTER", "SETSLOT", 5, "STABLE")


def more_replicas_wanted_than_remain(_):
    primary = SCENE.cluster.nodes[0]
    with live({"min-replicas-to-write": "1"}, primary), \
            in_files(["min-replicas-to-write 1"], primary):
        refused(4, "min-replicas-to-write", "node-1")


def a_value_that_only_the_server_knows(_):
    with live({"maxmemory-policy": "allkeys-lru"}, SCENE.cluster.nodes[1]):
        refused(4, "maxmemory-policy", "node-2", "allkeys-lru")


def a_primary_without_persistence(_):
    primary = SCENE.cluster.nodes[2]
    with live(UNPERSISTED, primary), in_files(["appendonly no", 'save ""'], primary):
        refused(4, "node-3", "persist")


def a_directive_that_the_new_version_does_not_know(_):
    # Redis 7.0 dropped the Gopher protocol; 6.0 still takes the word.
    with in_files(["gopher-enabled no"], SCENE.cluster.nodes[4]):
        refused(4, "gopher-enabled", "node-5")


# Plans and journals.

def plan_files_that_do_not_fit(directory):
    path = os.path.join(directory, "plan.json")
    command = ("upgrade", "--plan", path, "--yes")
    refused(3, path, command=command)
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"phases": 3}\n')
    refused(3, path, command=command)
    SCENE.run("plan", "demo", "7.0", "-o", path)
    with in_files(["# changed by somebody"], SCENE.cluster.nodes[3]):
        refused(4, "node-4", "configuration file", command=command)
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    plan["phases"][0]["steps"][0]["kind"] = "service.destroy"
    with open(path, "w", encoding="utf-8") as file:
        json.dump(plan, file)
    refused(4, "service.destroy", command=command)
    SCENE.run("plan", "demo", "--restart", "-o", path)
    refused(2, "upshift restart --plan", command=command)


def a_journal_that_another_controller_holds(_):
    folder = SCENE.state / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a", encoding="utf-8") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        refused(5, "another")


def a_journal_from_a_newer_upshift(_):
    journal = SCENE.state / "demo" / "journal.db"
    SCENE.run("run", "list")
    assert journal.exists(), list(journal.parent.iterdir())
    kept = journal.with_name("kept")
    shutil.copy(journal, kept)
    with sqlite3.connect(journal) as database:
        database.execute("UPDATE schema_version SET version = version + 1000")
    database.close()
    try:
        refused(7, "newer")
        refused(7, "newer", command=("status", "demo"))
    finally:
        kept.rename(journal)


def no_room_for_the_journal(directory):
    """A small file system of one's own needs a name space of one's own; planning looks into /proc
    and has to be outside of it."""
    before = SCENE.fingerprint()
    plan = SCENE.directory / "plan.json"
    SCENE.run("plan", "demo", "7.0", "-o", str(plan))
    own = ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"]
    mount = 'mount -t tmpfs -o mode=0777,size=$1k none "$2" || exit 99; shift 2; exec "$@"'
    for size_kb in (16, 96):
        done = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(size_kb),
             directory, *own, SCENE.program, "--state-dir", directory, "upgrade", "--plan",
             str(plan), "--yes"],
            check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60)
        if done.returncode == 99 or "unshare" in done.stdout:
            raise sandbox.Skip("this host lets no user mount a small file system: " + done.stdout)
        assert done.returncode == 7, f"{size_kb} KB: {done.returncode}\n{done.stdout}"
        assert "journal" in done.stdout and "space" in done.stdout, done.stdout
        SCENE.check_untouched(before)


# After all that the cluster can still be upgraded, and then not back.

def a_downgrade(_):
    SCENE.run(*UPGRADE, expected=12)
    refused(4, "not finished", "finalize")
    refused(2, "--yes", command=("rollback", "demo"))
    refused(2, "Abandon demo-", command=("abort", "demo", "--abandon"))
    refused(4, "pause point", command=("abort", "demo", "--abandon", "--yes"))
    SCENE.run("finalize", "demo", "--yes")
    for option in ("--yes", "--dry-run"):
        refused(4, "way back is closed", command=("rollback", "demo", option))
    refused(4, "complete", command=("reconcile", "demo"))
    refused(0, "complete already", command=("finalize", "demo", "--yes"))
    refused(4, "6.0", "7.0", command=("upgrade", "demo", "6.0", "--yes"))


def main():
    global SCENE  # pylint: disable=global-statement
    sandbox.enter()
    with tempfile.TemporaryDirectory(prefix="upshift-") as directory, Scene(directory) as scene:
        SCENE = scene
        scene.start()
        sandbox.run_cases(
            an_inventory_that_cannot_be_read,
            an_inventory_with_mistakes_has_all_of_them_named,
            unknown_names,
            nodes_that_are_not_the_cluster,
            targets_that_make_no_hop,
            orders_without_a_run,
            words_that_contradict_each_other,
            claims_that_nobody_has_left,
            switchovers_to_nowhere,
            a_wrong_password,
            a_node_that_is_down,
            a_cluster_that_does_not_serve_all_slots,
            slots_on_their_way,
            more_replicas_wanted_than_remain,
            a_value_that_only_the_server_knows,
            a_primary_without_persistence,
            a_directive_that_the_new_version_does_not_know,
            plan_files_that_do_not_fit,
            a_journal_that_another_controller_holds,
            no_room_for_the_journal,
            a_downgrade,
            a_journal_from_a_newer_upshift,
        )


if __name__ == "__main__":
    main()
