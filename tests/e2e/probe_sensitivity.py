#!/usr/bin/python3
"""The probe against a real cluster: each thing done to it shows in the record, and nothing else.

Needs UPSHIFT (the program) and PREPARE_VERSION, as the other end-to-end tests do.
"""
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import sandbox
from cluster import HOST, Cluster

RATE = 500
SECONDS = 5
TTL_S = 600
CLUSTER = None  # set once by main(): every case uses it, and leaves it as it was


class Probe:
    """One run of the probe as the controller starts it; use as a context manager."""

    def __init__(self, directory, rate=RATE, seconds=SECONDS):
        self.directory = Path(directory) / "probe"
        config = {"run": "none", "cluster": "e2e", "mode": "write", "rate": rate,
                  "keys_max": 1000000, "ttl_s": TTL_S, "linger_s": 60, "seconds": seconds,
                  "nodes": [f"{HOST}:{node.port}" for node in CLUSTER.nodes],
                  "directory": str(self.directory), "incarnation": "e2e"}
        self.process = subprocess.Popen([os.environ["UPSHIFT"], "internal-probe"],
                                        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(config))
        self.process.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def lines(self, kind):
        path = self.directory / "e2e.log"
        found = []
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                record = json.loads(line)
            except ValueError:  # half written
                continue
            if record["kind"] == kind:
                found.append(record)
        return found

    def wait(self):
        """Its final line, with the sums that only the blocks have."""
        status = self.process.wait(timeout=60)
        assert status == 0, self.process.stderr.read()
        final = self.lines("final")[0]
        for name in ("redirected", "fresh", "stalled_us", "writes"):
            final[name] = sum(block[name] for block in self.lines("block"))
        return final


def primaries():
    roles = CLUSTER.roles()
    return [node for node in CLUSTER.nodes if roles[node.name] == "master"]


def some_key(node):
    """A key of the probe that was written a while ago."""
    _, keys = CLUSTER.call(node, "SCAN", 0, "MATCH", "upshift:p:*", "COUNT", 1000)
    assert keys, "the probe has not written yet"
    return keys[0].decode()


def assert_no_failure(final):
    assert final["raw_failed"] == 0 and final["failed"] == 0, final
    assert final["ok"] == final["intended"] >= RATE * (SECONDS - 1), final


def assert_nothing_lost(final):
    assert final["checked"] == final["acked"] == final["writes"], final
    assert final["missing"] == final["different"] == final["not_checked"] == 0, final
    assert final["keys_left"] == 0, final
    assert sum(CLUSTER.key_counts().values()) == 0


def a_quiet_cluster_has_nothing_to_report(directory):
    with Probe(directory) as probe:
        final = probe.wait()
    assert_no_failure(final)
    assert_nothing_lost(final)
    assert final["wrong"] == 0 and final["fresh"] > 0


def one_deleted_key_is_the_one_missing(directory):
    with Probe(directory) as probe:
        time.sleep(SECONDS - 1)
        key = some_key(primaries()[0])
        assert 0 < CLUSTER.call(primaries()[0], "TTL", key) <= TTL_S
        assert CLUSTER.call(primaries()[0], "DEL", key) == 1
        final = probe.wait()
        readback = probe.lines("readback")[-1]
    assert_no_failure(final)
    assert final["missing"] == 1 and final["different"] == 0, final
    assert readback["missing_keys"] == [key], readback


def one_changed_value_is_the_one_different(directory):
    with Probe(directory) as probe:
        time.sleep(SECONDS - 1)
        key = some_key(primaries()[1])
        assert CLUSTER.call(primaries()[1], "SET", key, "other", "KEEPTTL") == "OK"
        final = probe.wait()
        readback = probe.lines("readback")[-1]
    assert_no_failure(final)
    assert final["missing"] == 0 and final["different"] == 1, final
    assert readback["missing_keys"] == [key], readback


def a_stall_of_300_ms_is_latency_and_no_failure(directory):
    with Probe(directory) as probe:
        time.sleep(2)
        pid = primaries()[0].pids()[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(0.3)
        finally:
            os.kill(pid, signal.SIGCONT)
        final = probe.wait()
    assert_no_failure(final)
    assert_nothing_lost(final)
    assert 280_000 <= final["latency_max_us"] <= 600_000, final
    assert final["stalled_us"] < 250_000, final


def rejected_connections(node):
    return int(CLUSTER.info(node, "stats")["rejected_connections"])


def a_refused_connection_is_one_raw_failure(directory):
    """The node refuses new connections for moments, shorter than the pause before a retry."""
    node = primaries()[0]
    before = rejected_connections(node)
    with Probe(directory, rate=2000) as probe, CLUSTER.connect(node) as admin:
        allowed = admin.call("CONFIG", "GET", "maxclients")[1].decode()
        time.sleep(1)
        deadline = time.monotonic() + 3
        while rejected_connections(node) == before and time.monotonic() < deadline:
            admin.call("CONFIG", "SET", "maxclients", 1)
            time.sleep(0.01)
            admin.call("CONFIG", "SET", "maxclients", allowed)
        final = probe.wait()
        errors = probe.lines("error")
    refused = rejected_connections(node) - before
    assert refused > 0, "no connection fell into the moments of refusal"
    assert final["raw_failed"] == len(errors) == refused, (final, errors, refused)
    assert final["failed"] == 0, final
    assert all(error["is_fresh"] and error["node"] == f"{HOST}:{node.port}" for error in errors)
    assert_nothing_lost(final)


def a_planned_failover_is_redirections_and_no_failure(directory):
    with Probe(directory) as probe:
        time.sleep(2)
        replica = next(node for node in CLUSTER.nodes if node not in primaries())
        assert CLUSTER.call(replica, "CLUSTER", "FAILOVER") == "OK"
        final = probe.wait()
    CLUSTER.wait_until_agreed()
    assert final["redirected"] > 0, final
    assert final["failed"] == 0, final
    assert_nothing_lost(final)


def main():
    global CLUSTER
    sandbox.enter()
    done = subprocess.run([os.environ["PREPARE_VERSION"], "redis", "7.0", "bookworm"],
                          stdout=subprocess.PIPE, text=True, check=True)
    with tempfile.TemporaryDirectory(prefix="upshift-") as directory, \
            Cluster(directory, done.stdout.strip()) as CLUSTER:
        CLUSTER.start()
        CLUSTER.create()
        sandbox.run_cases(
            a_quiet_cluster_has_nothing_to_report,
            one_deleted_key_is_the_one_missing,
            one_changed_value_is_the_one_different,
            a_stall_of_300_ms_is_latency_and_no_failure,
            a_refused_connection_is_one_raw_failure,
            a_planned_failover_is_redirections_and_no_failure,
        )


if __name__ == "__main__":
    main()
