#!/usr/bin/python3
"""Whole runs on real servers, from the first plan to the proof, and everything counted twice."""
import json
import os
import re
import subprocess
from pathlib import Path

import sandbox
from scene import PROBED, Scene, check_proof, write_keys

SECRET = "canary-7f3d9a51c0"
EXPIRING_KEYS = 5000


def check_hop(scene, target, version):
    """One hop up to the pause point and its second half, with what it may do counted."""
    cluster = scene.cluster
    settings = scene.settings()
    starts = cluster.start_counts()
    epoch = scene.current_epoch()
    shard_epochs = scene.shard_epochs()
    said = scene.run("upgrade", "demo", target, "--yes", expected=12)
    assert "is SOAKING" in said and "CLUSTER FAILOVER" in said, said
    roles = cluster.roles()
    assert sorted(name for name, is_new in is_in_version(scene, version).items() if is_new) == \
        sorted(name for name, role in roles.items() if role == "master"), roles
    said = scene.run("finalize", "demo", "--yes")
    assert "PASSED" in said and "the run is complete" in said, said
    assert set(cluster.versions().values()) == {version}, cluster.versions()
    assert cluster.start_counts() == {name: count + 1 for name, count in starts.items()}
    assert scene.current_epoch() == epoch + 3
    assert sorted(scene.shard_epochs().values()) == [epoch + 1, epoch + 2, epoch + 3]
    assert scene.shard_epochs().keys() == shard_epochs.keys()
    assert scene.settings() == settings, scene.settings()


def is_in_version(scene, version):
    return {name: found == version for name, found in scene.cluster.versions().items()}


def check_report_file(scene):
    """A report says what its data say, and a changed figure is noticed."""
    path = scene.directory / "report.json"
    scene.run("report", "demo", "-o", str(path))
    assert "The report is what its data say" in scene.run("report", "--verify", str(path))
    report = json.loads(path.read_text())
    report["summary"]["longest_us"] //= 2
    path.write_text(json.dumps(report))
    said = scene.run("report", "--verify", str(path), expected=16)
    assert "different" in said and "longest_us" in said, said


def check_history(scene):
    """Both runs are listed, newest first, and every record hangs on the one before it."""
    runs = scene.ask("run", "list")["runs"]
    assert [run["run"] for run in runs] == ["demo-2", "demo-1"], runs
    assert {run["state"] for run in runs} == {"COMPLETE"}, runs
    assert "valkey" in runs[0]["title"], runs
    for run in runs:
        records = scene.ask("run", "show", run["run"])["records"]
        assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
        assert len({record["hash"] for record in records}) == len(records)
        applied = [record["step"] for record in records if record["type"] == "intent"]
        assert len(applied) == len(set(applied)), applied
    assert "finish" in scene.run("run", "show", "demo-1")


def two_hops_under_load_lose_nothing(directory):
    # Of the file, because the default of the first is another one in Valkey.
    config = {"repl-backlog-size": "2mb", "repl-diskless-sync-delay": "3"}
    with Scene(directory, options={"config": config}, policy=PROBED) as scene:
        scene.start()
        stock = scene.start_stock()
        for target, version in (("7.0", "redis 7.0.15"), ("valkey/8.1", "valkey 8.1.1")):
            check_hop(scene, target, version)
            summary = check_proof(scene.report())
            print(f"# to {version}: {summary['intended']} operations, 0 failed, "
                  f"{summary['checked']} writes, 0 lost, longest {summary['longest_us']} us")
        counts = scene.check_stock(stock)
        print(f"# stock client: {counts['ok']} operations, 0 errors, {counts['checked']} writes, "
              f"0 missing, longest {counts['longest_ms']} ms")
        check_history(scene)
        check_report_file(scene)


def command_lines():
    """What `ps` shows to everybody."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # gone meanwhile
            pass
    return found


def files_with(secret, *folders):
    return [path for folder in folders for path in Path(folder).rglob("*")
            if path.is_file() and secret.encode() in path.read_bytes()]


def a_cluster_with_password_user_and_tls_keeps_its_secret(directory):
    options = {"password": SECRET, "user": "upshift", "tls": True}
    with Scene(directory, options=options, policy=PROBED) as scene:
        scene.start("redis", "7.0")
        stock = scene.start_stock()
        plan = scene.directory / "plan.json"
        said = scene.run("plan", "demo", "valkey/8.1", "-o", str(plan))
        viewer = scene.begin("upgrade", "demo", "valkey/8.1", "--yes")
        seen = []
        while viewer.poll() is None:
            seen += command_lines()
        said += viewer.stdout.read()
        assert viewer.returncode == 12, said
        assert any("internal-controller" in line for line in seen), "no controller was seen"
        assert not [line for line in seen if SECRET in line]
        said += scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {"valkey 8.1.1"}
        check_proof(scene.report())
        scene.check_stock(stock)
        page = scene.directory / "page.html"
        said += scene.run("report", "demo", "-o", str(page)) + scene.run("run", "show", "demo-1")
        assert SECRET not in said
        assert "somebody else changed" not in said, said  # Valkey's own default is nobody's change
        assert page.exists() and plan.exists()
        allowed = {node.config for node in scene.cluster.nodes} | {scene.directory / "password"}
        assert set(files_with(SECRET, scene.directory)) == allowed
        assert not files_with(SECRET, scene.state)


def a_reviewed_plan_runs_as_it_is_or_not_at_all(directory):
    with Scene(directory) as scene:
        scene.start()
        cluster = scene.cluster
        plan = scene.directory / "plan.json"
        before = scene.fingerprint()
        scene.run("plan", "demo", "7.0", "--exit-code", expected=8)
        scene.run("plan", "demo", "7.0", "-o", str(plan))
        scene.check_untouched(before)

        # Somebody changes a role by hand: the plan no longer fits, and says why.
        # (Redis 6.0 does not fail over before the first write.)
        replica = cluster.nodes[3]
        write_keys(cluster, "before", count=3)
        assert cluster.call(replica, "CLUSTER", "FAILOVER") == "OK"
        cluster.wait_for(lambda: cluster.roles()[replica.name] == "master", "the failover")
        cluster.wait_until_agreed()
        before = scene.fingerprint()
        said = scene.run("upgrade", "--plan", str(plan), "--yes", expected=4)
        assert "no longer fits" in said and "node-4" in said and "node-1" in said, said
        assert "role" in said and "primary" in said, said
        scene.check_untouched(before)
        assert "no runs" in scene.run("run", "list")

        digest = scene.ask("plan", "demo", "7.0", "-o", str(plan))["digest"]
        wanted = [step["id"] for phase in json.loads(plan.read_text())["phases"]
                  for step in phase["steps"]]
        scene.run("upgrade", "--plan", str(plan), "--yes", expected=12)
        scene.run("finalize", "demo", "--yes")
        assert scene.records("demo-1", "plan_body")[0]["body"]["digest"] == digest
        done = {record["step"] for record in scene.records("demo-1", "intent")}
        assert done == set(wanted), done.symmetric_difference(wanted)
        assert set(cluster.versions().values()) == {"redis 7.0.15"}


def way_back_lines(scene):
    """The commands that `status` prints for an operator to run."""
    lines = re.findall(r"^ *(redis-cli .*)$", scene.run("status", "demo"), re.MULTILINE)
    assert len(lines) == 3, lines
    return lines


def the_printed_way_back_leads_back_without_a_loss(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        cluster = scene.cluster
        roles = cluster.roles()
        stock = scene.start_stock()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        assert cluster.roles() != roles
        assert scene.snapshot()["way_back"] == "open", scene.snapshot()
        tools = Path(cluster.server_path).parent
        for line in way_back_lines(scene):
            said = subprocess.run(line, shell=True, check=True, text=True, timeout=30,
                                  stdout=subprocess.PIPE,
                                  env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
            assert said.stdout.strip() == "OK", said
            node = next(one for one in cluster.nodes if f"-p {one.port} " in line)
            # Two elections at once compete for the votes of one epoch, and one of them loses.
            cluster.wait_for(lambda one=node: cluster.info(one, "replication")["role"] == "master",
                             f"{node.name} to be primary again")
            cluster.wait_until_agreed()
        cluster.wait_for(lambda: cluster.roles() == roles, "the old primaries to be primary again")
        primaries = [name for name, role in roles.items() if role == "master"]
        assert {cluster.versions()[name] for name in primaries} == {"redis 6.0.16"}
        scene.run("abort", "demo", expected=14)
        check_proof(scene.report())
        scene.check_stock(stock)


def a_client_that_closes_the_way_back_is_noticed(directory):
    with Scene(directory) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        assert scene.snapshot()["way_back"] == "open"
        # What 6.0 does not get from 7.0.
        write_keys(scene.cluster, "session", "EX", 600, count=EXPIRING_KEYS)
        scene.cluster.wait_for(lambda: scene.snapshot()["way_back"] == "closed",
                               "upshift to see that the way back is closed", timeout_s=20)
        said = scene.run("status", "demo")
        assert "SOAKING" in said and "the way back is closed: the way back of shard-1" in said, said
        assert "CLUSTER FAILOVER" not in said, said
        scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(
        two_hops_under_load_lose_nothing,
        a_cluster_with_password_user_and_tls_keeps_its_secret,
        a_reviewed_plan_runs_as_it_is_or_not_at_all,
        the_printed_way_back_leads_back_without_a_loss,
        a_client_that_closes_the_way_back_is_noticed,
    )
