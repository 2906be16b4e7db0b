#!/usr/bin/python3
"""One primary with replicas, watched by Sentinels or by nobody: upgrades under load on real
servers, what a naive failover loses, and what is refused."""
import json
import os
import subprocess
import sys
import time
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


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(
        a_bare_failover_under_load_loses_writes_and_the_probe_says_so)
