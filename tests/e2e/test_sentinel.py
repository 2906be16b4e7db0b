#!/usr/bin/python3
"""One primary with replicas, watched by Sentinels or by nobody: upgrades under load on real
servers, what a naive failover loses, and what is refused."""
import json
import subprocess
import sys
from pathlib import Path

import sandbox
from replication import MASTER_NAME, Replication
from rig import stop_client
from scene import Scene, check_proof, wait_for_exit

WATCHED = {"sentinels": 3}
PROBED = {"probe": {"rate": 2000}, "soak_s": 1}
UNHURRIED = {"config": {"repl-diskless-sync-delay": 0}}
LOST_MIN = 1000


class OnePrimary(Scene):
    """A scene with one primary, and Sentinels if the options say so."""

    cluster_class = Replication

    def __init__(self, directory, options=None, policy=None):
        super().__init__(directory, options={**UNHURRIED, **(options or {})}, policy=policy)

    def start_sentinel_client(self, rate=200):
        """The stock client, told of the Sentinels only."""
        program = Path(__file__).resolve().parent / "stock_client.py"
        addresses = [f"{node.address[0]}:{node.port}" for node in self.cluster.sentinels]
        return subprocess.Popen(
            [sys.executable, str(program), "--rate", str(rate), "--master-name", MASTER_NAME,
             *addresses], stdout=subprocess.PIPE, text=True, start_new_session=True)

    def end(self, *words):
        """A command that ends a run. Not proved is fine: while the primary changes some requests
        may fail on their retry, and the report says so. What is lost is counted by the case."""
        self.upshift(*words, "--yes", expected=(0, 16), stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, timeout=self.timeout_s)

    def refusal(self, *words, expected=4):
        return " ".join(self.run("plan", "demo", "7.0", *words, expected=expected).split())


def a_bare_failover_under_load_loses_writes_and_the_probe_says_so(directory):
    with OnePrimary(directory, options=WATCHED) as scene:
        scene.start()
        cluster = scene.cluster
        probe = scene.begin("probe", "demo", "--rate", "2000", "--for", "12", "--json", "--quiet")
        cluster.wait_for(lambda: cluster.key_counts()["node-1"] > 1000, "some load")
        assert cluster.call(cluster.sentinels[0], "SENTINEL", "FAILOVER", MASTER_NAME) == "OK"
        status, said = wait_for_exit(probe, timeout_s=90)
        final = json.loads(said)["final"]
        missing = final["missing"]
        print(f"# lost {missing} of {final['checked']} acknowledged writes")
        assert missing >= LOST_MIN, final
        assert status == 16, (status, said)


def check_files(scene):
    """A restart leaves every node what it is: its file says so, and holds nothing of the run."""
    primary = scene.cluster.primary()
    for node in scene.cluster.nodes:
        text = node.config.read_text()
        wanted = f"replicaof 127.0.0.1 {primary.port}"
        assert (wanted in text) == (node is not primary), (node.name, text)
        for left in ("repl-backlog-size 64mb", "min-replicas-to-write 99", "replica-priority 1\n"):
            assert left not in text, (node.name, text)


def show_stall(report):
    summary = report["summary"]
    print(f"# {summary['intended']} operations, {summary['failed']} failed, "
          f"{summary['raw_failed']} failed once, {summary['checked']} writes checked, "
          f"{summary['lost']} lost, longest {summary['longest_us']} us")
    return summary


def check_nothing_lost(report):
    """Clients of one primary see errors while it changes; what was acknowledged is there."""
    summary = show_stall(report)
    assert summary["lost"] == 0 and summary["wrong"] == 0, summary
    assert summary["checked"] == summary["acked"] > 1000, summary


def sentinels_and_servers_go_from_6_0_to_7_0_under_load_and_lose_nothing(directory):
    with OnePrimary(directory, options=WATCHED, policy=PROBED) as scene:
        scene.start()
        cluster = scene.cluster
        settings = scene.settings()
        after_ms = {node.name: cluster.ask_sentinel(node, "MASTER", MASTER_NAME)[
            "down-after-milliseconds"] for node in cluster.sentinels}
        stock = scene.start_sentinel_client()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        assert cluster.primary().name == "node-2"
        assert cluster.versions() == {"node-1": "redis 6.0.16", "node-2": "redis 7.0.15",
                                      "node-3": "redis 7.0.15"}
        assert all(cluster.published(node) == cluster.primary().port
                   for node in cluster.sentinels)
        assert scene.snapshot()["way_back"] != "closed", scene.snapshot()["way_back_reason"]
        scene.end("finalize", "demo")
        assert set(cluster.versions().values()) == {"redis 7.0.15"}
        assert set(cluster.sentinel_versions().values()) == {"7.0.15"}
        assert scene.settings() == settings, scene.settings()
        assert {node.name: cluster.ask_sentinel(node, "MASTER", MASTER_NAME)[
            "down-after-milliseconds"] for node in cluster.sentinels} == after_ms
        check_files(scene)
        check_nothing_lost(scene.report())
        counts = stop_client(stock)
        print(f"# stock client: {counts['operations']} operations, errors {counts['errors']}")
        assert counts["missing"] == 0 and counts["different"] == 0, counts


def plain_replication_goes_to_valkey_under_load_and_tells_its_clients(directory):
    told = Path(directory) / "told"
    hook = Path(directory) / "tell"
    hook.write_text(f'#!/bin/sh\necho "$@" >>{told}\n')
    hook.chmod(0o755)
    # Of the file, because the default of the first is another one in Valkey.
    options = {"hook": [hook, "--now"],
               "config": {"repl-backlog-size": "2mb", "repl-diskless-sync-delay": 0}}
    with OnePrimary(directory, options=options, policy=PROBED) as scene:
        scene.start("redis", "7.0")
        cluster = scene.cluster
        settings = scene.settings()
        scene.run("upgrade", "demo", "valkey/8.1", "--yes", expected=12)
        primary = cluster.primary()
        assert told.read_text() == f"--now demo shard-1 127.0.0.1 {primary.port}\n"
        scene.end("finalize", "demo")
        assert set(cluster.versions().values()) == {"valkey 8.1.1"}
        assert scene.settings() == settings, scene.settings()
        check_files(scene)
        check_nothing_lost(scene.report())


def check_way_back(scene, target):
    """Up to the pause point and back again, under load: as if nothing had been."""
    cluster = scene.cluster
    before = (cluster.versions(), cluster.roles(), scene.settings())
    scene.run("upgrade", "demo", target, "--yes", expected=12)
    assert cluster.primary().name != "node-1"
    cluster.wait_until_agreed()
    scene.run("rollback", "demo", "--yes", expected=13)
    assert (cluster.versions(), cluster.roles(), scene.settings()) == before
    check_files(scene)
    check_nothing_lost(scene.report())
    aside = [path for node in cluster.nodes for path in node.directory.glob("upshift-aside*")]
    assert not aside, aside


def plain_replication_goes_back_at_the_pause_point_and_loses_nothing(directory):
    with OnePrimary(directory, policy=PROBED) as scene:
        scene.start()
        check_way_back(scene, "7.0")


def with_sentinels_the_way_back_loses_nothing_either(directory):
    with OnePrimary(directory, options=WATCHED, policy=PROBED) as scene:
        scene.start()
        check_way_back(scene, "7.0")
        cluster = scene.cluster
        assert set(cluster.sentinel_versions().values()) == {"6.0.16"}
        for node in cluster.nodes:
            assert "latency-tracking" not in node.config.read_text()


def a_primary_is_handed_over_and_restarted_without_a_loss(directory):
    with OnePrimary(directory, policy=PROBED) as scene:
        scene.start("redis", "7.0")
        cluster = scene.cluster
        scene.end("switchover", "demo", "--to", "node-3")
        assert cluster.primary().name == "node-3"
        check_files(scene)
        show_stall(scene.report())
        scene.end("restart", "demo")
        assert set(cluster.start_counts().values()) == {2}, cluster.start_counts()
        assert set(cluster.versions().values()) == {"redis 7.0.15"}
        check_files(scene)
        check_nothing_lost(scene.report())


def expect_refusal(scene, *words):
    """All of the words are among the reasons, soon: Sentinels take their time."""
    scene.cluster.wait_for(lambda: all(word in scene.refusal() for word in words), words)


def sentinels_that_would_not_do_are_refused(directory):
    with OnePrimary(directory, options=WATCHED) as scene:
        scene.start()
        cluster = scene.cluster
        replicas = cluster.nodes[1:]
        for node in replicas:
            cluster.call(node, "CONFIG", "SET", "replica-priority", 0)
        expect_refusal(scene, "Sentinels never choose node-2: its replica-priority is 0")
        for node in replicas:
            cluster.call(node, "CONFIG", "SET", "replica-priority", 100)
        scene.run("plan", "demo", "7.0")
        left_out = cluster.sentinels.pop()
        scene.write_inventory()
        expect_refusal(scene, "more Sentinels than the inventory names are known to sentinel-1",
                       "3 instead of 2")
        cluster.sentinels.append(left_out)
        scene.write_inventory()
        for node in cluster.sentinels[1:]:
            cluster.stop_node(node)
        expect_refusal(scene, "sentinel-2 cannot be read", "sentinel-1 cannot reach a quorum",
                       "NOQUORUM")
        assert cluster.start_counts() == {node.name: 1 for node in cluster.nodes}


def a_second_primary_and_a_file_that_would_make_one_are_refused(directory):
    with OnePrimary(directory) as scene:
        scene.start("redis", "7.0")
        cluster = scene.cluster
        node = cluster.nodes[2]
        text = node.config.read_text()
        node.config.write_text(text.replace("replicaof", "# replicaof"))
        said = " ".join(scene.run("plan", "demo", "valkey/8.1", expected=4).split())
        assert "its file makes it a second primary: a restart would" in said, said
        node.config.write_text(text)
        cluster.call(node, "REPLICAOF", "NO", "ONE")
        said = " ".join(scene.run("plan", "demo", "valkey/8.1", expected=4).split())
        assert "more than one node is primary and takes writes: node-1, node-3" in said, said


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(
        sentinels_and_servers_go_from_6_0_to_7_0_under_load_and_lose_nothing,
        plain_replication_goes_to_valkey_under_load_and_tells_its_clients,
        plain_replication_goes_back_at_the_pause_point_and_loses_nothing,
        with_sentinels_the_way_back_loses_nothing_either,
        a_primary_is_handed_over_and_restarted_without_a_loss,
        sentinels_that_would_not_do_are_refused,
        a_second_primary_and_a_file_that_would_make_one_are_refused,
        a_bare_failover_under_load_loses_writes_and_the_probe_says_so)
