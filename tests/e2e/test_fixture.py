#!/usr/bin/python3
"""The suite driver with the real archive, and the cluster fixture with real servers."""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import sandbox
from cluster import Cluster
from replication import Replication
from sandbox import run_cases

VERSIONS = (("redis", "6.0", "bullseye"), ("redis", "7.0", "bookworm"), ("valkey", "8.1", "trixie"))


def prepare(product, version, suite, **environment):
    """Returns (server path or None, what was said)."""
    done = subprocess.run([os.environ["PREPARE_VERSION"], product, version, suite],
                          env={**os.environ, **environment}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    return (done.stdout.strip() if done.returncode == 0 else None), done.stderr


def server_of(product, version, suite):
    server, said = prepare(product, version, suite)
    assert server, said
    return server


def nothing_runs_as_root(directory):
    assert os.geteuid() != 0
    assert os.stat(directory).st_uid == os.geteuid()


def each_version_is_fetched_and_runs(_):
    for product, version, suite in VERSIONS:
        server = server_of(product, version, suite)
        text = subprocess.run([server, "--version"], stdout=subprocess.PIPE, check=True).stdout
        assert re.search(rf"v={re.escape(version)}\.\d+ ".encode(), text), text


def a_fetched_version_needs_no_network(_):
    nowhere = {"http_proxy": "http://127.0.0.1:1", "PATH": "/nonexistent"}
    server, said = prepare("redis", "7.0", "bookworm", **nowhere)
    assert server, said


def an_unreachable_archive_is_named(directory):
    server, said = prepare("redis", "7.0", "bookworm", XDG_CACHE_HOME=directory,
                           http_proxy="http://127.0.0.1:1", https_proxy="http://127.0.0.1:1")
    assert server is None and "archive_unreachable: " in said, said


def a_version_that_the_suite_lacks_is_named_with_the_one_it_has(directory):
    server, said = prepare("redis", "6.2", "bookworm", XDG_CACHE_HOME=directory)
    assert server is None
    assert "version_not_in_suite: " in said and "it has 7.0." in said, said


def two_at_once_build_one_tree(directory):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(
            lambda _: prepare("redis", "7.0", "bookworm", XDG_CACHE_HOME=directory), range(2)))
    assert results[0][0] and results[0][0] == results[1][0], results
    fetched = sum("fetching redis-server" in said for _, said in results)
    assert fetched == 1, results


def check_cluster(directory, version, options):
    # Without the pause that collects replicas before a full copy: there is one replica a shard.
    options = {"config": {"repl-diskless-sync-delay": 0}, **options}
    with Cluster(directory, server_of(*version), options=options) as cluster:
        cluster.start()
        cluster.create()
        assert sorted(cluster.roles().values()) == ["master"] * 3 + ["slave"] * 3
        assert all(text.startswith(f"{version[0]} {version[1]}.")
                   for text in cluster.versions().values()), cluster.versions()
        assert set(cluster.start_counts().values()) == {1}
        assert set(cluster.key_counts().values()) == {0}
        before = cluster.run_ids()
        replica = cluster.nodes[-1]
        cluster.stop_node(replica)
        cluster.start_node(replica)
        cluster.wait_until_agreed()
        changed = [name for name, run_id in cluster.run_ids().items() if run_id != before[name]]
        assert changed == [replica.name]
        assert cluster.start_counts()[replica.name] == 2
        nodes = cluster.nodes
    assert [node.pids() for node in nodes] == [[]] * 6


def a_plain_cluster_of_6_0_comes_up_and_leaves_nothing_behind(directory):
    check_cluster(directory, VERSIONS[0], {})


def a_cluster_with_an_acl_user_comes_up(directory):
    check_cluster(directory, VERSIONS[1], {"password": "secret", "user": "upshift"})


def a_cluster_with_tls_and_password_comes_up(directory):
    check_cluster(directory, VERSIONS[2], {"tls": True, "password": "secret"})


def check_replication(directory, version, options):
    options = {"config": {"repl-diskless-sync-delay": 0}, **options}
    with Replication(directory, server_of(*version), options=options) as cluster:
        cluster.start()
        cluster.create()
        assert cluster.primary() is cluster.nodes[0]
        assert cluster.call(cluster.primary(), "SET", "key", "value") == "OK"
        cluster.wait_for(lambda: set(cluster.key_counts().values()) == {1}, "the replicas")
        assert all(cluster.published(node) == cluster.primary().port for node in cluster.sentinels)
        servers = cluster.servers()
    assert [node.pids() for node in servers] == [[]] * len(servers)
    return len(servers)


def a_primary_with_replicas_comes_up_and_leaves_nothing_behind(directory):
    assert check_replication(directory, VERSIONS[2], {"password": "secret"}) == 3


def sentinels_come_up_and_know_all(directory):
    assert check_replication(directory, VERSIONS[0], {"sentinels": 3}) == 6


if __name__ == "__main__":
    sandbox.enter()
    run_cases(nothing_runs_as_root,
              each_version_is_fetched_and_runs,
              a_fetched_version_needs_no_network,
              an_unreachable_archive_is_named,
              a_version_that_the_suite_lacks_is_named_with_the_one_it_has,
              two_at_once_build_one_tree,
              a_plain_cluster_of_6_0_comes_up_and_leaves_nothing_behind,
              a_cluster_with_an_acl_user_comes_up,
              a_cluster_with_tls_and_password_comes_up,
              a_primary_with_replicas_comes_up_and_leaves_nothing_behind,
              sentinels_come_up_and_know_all)
