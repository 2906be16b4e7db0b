#!/usr/bin/python3
"""What may happen beside a run, on real servers: an operator's hand, a full disk, a dead probe, a
new password. The number in a case's name is the scenario's in the engine's table of failures;
ROWS_ONLY=row_40 in the environment runs only what has that in its name.
"""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import sandbox
from cluster import Node, is_alive
from resp import ServerError
from scene import PROBED, Scene, check_proof, wait_for_exit, write_keys

TINY = "ROWS_TINY_DISK"  # the environment's name of a small file system of our own
TINY_SIZE = "32m"  # a WAL alone grows to 4 MiB before it is written back
OLD_PASSWORD, NEW_PASSWORD = "canary-old-51c07f3d", "canary-new-9a517f3d"
BACKLOG = "repl-backlog-size"
BY_HAND = "33554432"
REQUIRED = {"probe": {"rate": 2000, "required": True}, "soak_s": 1}


# What several cases do.

def soaked(scene, target="7.0"):
    """Goes up to the pause point and returns what was said on the way."""
    said = scene.run("upgrade", "demo", target, "--yes", expected=12)
    scene.wait_for_soak()
    return said


def pause_at_first_node(scene):
    """Pauses a run to 7.0 in its first replica, which is finished first; returns its name."""
    upgrade = scene.begin("upgrade", "demo", "7.0", "--yes")
    scene.cluster.wait_for(lambda: nodes_with(scene, "stop", "intended", "done"), "a node to stop")
    scene.run("pause", "demo", expected=10)
    code, said = wait_for_exit(upgrade)
    assert code == 10, (code, said)
    done = nodes_with(scene, "start", "done")
    assert done == nodes_with(scene, "stop", "done") and len(done) == 1, said
    return done[0]


def nodes_with(scene, verb, *states):
    """Names of the nodes whose step of that kind is in one of the states."""
    steps = [(step.split("/"), state) for step, state in scene.step_states().items()]
    return [words[1] for words, state in steps if words[-1] == verb and state in states]


def finish(scene, expected=0):
    """Finalizes; the run is complete, whatever is proved."""
    said = scene.run("finalize", "demo", "--yes", expected=expected)
    assert scene.snapshot()["state"] == "COMPLETE", said
    scene.cluster.wait_until_agreed()
    return said


def probe_logs(scene):
    """The probe's logs, oldest first, each as (path, its first record)."""
    found = []
    for path in scene.state.glob("demo/probe/*/*.log"):
        line = path.read_text().partition("\n")[0]
        if line:
            found.append((path, json.loads(line)))
    return sorted(found, key=lambda entry: entry[1]["started_wall_ms"])


def probe_pid(scene):
    return probe_logs(scene)[-1][1]["pid"]


def node_named(scene, name):
    return next(node for node in scene.cluster.nodes if node.name == name)


def write_something(scene, node):
    """A server that has never written refuses to hand over: its offset is 0."""
    for index in range(1000):
        try:
            return scene.cluster.call(node, "SET", f"key-{index}", "value")
        except ServerError:  # another node's slot
            pass
    raise AssertionError(f"{node.name} takes no key")


def has_sentence(sentences, *words):
    return any(all(word in sentence for word in words) for sentence in sentences)


# The cases.

def row_07_a_setting_that_the_operator_changed_is_kept(directory):
    with Scene(directory) as scene:
        scene.start()
        before = scene.settings()["node-4"][BACKLOG]
        soaked(scene)
        node = node_named(scene, "node-4")
        scene.cluster.call(node, "CONFIG", "SET", BACKLOG, BY_HAND)
        said = finish(scene)
        line = next(line for line in said.splitlines() if "somebody else" in line)
        assert "node-4" in line and BY_HAND in line and before in line, said
        settings = scene.settings()
        assert settings.pop("node-4")[BACKLOG] == BY_HAND, settings
        assert {one[BACKLOG] for one in settings.values()} == {before}, settings
        closed = {record["step"]: record["body"]["left"]
                  for record in scene.records("demo-1", "scope_closed")}
        assert closed.pop("shard-1/node-4/backlog") == "foreign", closed
        assert set(closed.values()) == {"restored"}, closed
        report = scene.report()
        assert has_sentence(report["not_checked"], "node-4", BACKLOG, BY_HAND), report


def row_08_what_was_done_by_hand_before_the_run_is_found(directory):
    with Scene(directory) as scene:
        scene.start()
        node = node_named(scene, "node-5")
        fresh = node.directory / ".server"
        fresh.symlink_to(scene.fetch("redis", "7.0")["server"])
        fresh.rename(node.link)
        said = soaked(scene)
        states = scene.step_states()
        assert states["shard-2/node-5/switch"] == "found", said
        assert states["shard-1/node-4/switch"] == "done", said
        finish(scene)
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}
        assert scene.cluster.start_counts() == {one.name: 2 for one in scene.cluster.nodes}


def row_26_a_failover_after_planning_makes_the_plan_stale(directory):
    with Scene(directory) as scene:
        scene.start()
        plan = str(scene.directory / "plan.json")
        scene.run("plan", "demo", "7.0", "-o", plan)
        cluster = scene.cluster
        replica = node_named(scene, "node-5")
        write_something(scene, node_named(scene, "node-2"))
        cluster.call(replica, "CLUSTER", "FAILOVER")
        cluster.wait_for(lambda: cluster.roles()["node-5"] == "master", "node-5 to take over")
        cluster.wait_until_agreed()
        before = scene.fingerprint()
        said = scene.run("upgrade", "--plan", plan, "--yes", expected=4)
        assert "node-5" in said and "node-2" in said and "upshift plan" in said, said
        assert scene.fingerprint() == before


def row_40_a_full_disk_ends_the_controller_and_room_lets_it_go_on(directory):
    if TINY not in os.environ:
        raise sandbox.Skip("only root can make a small file system to fill")
    with Scene(directory, policy=PROBED) as scene:
        scene.state = Path(os.environ[TINY]) / "state"
        os.environ["UPSHIFT_STATE_DIR"] = str(scene.state)
        scene.start()
        soaked(scene)
        controller = scene.snapshot()["controller_pid"]
        ballast = scene.state.parent / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            fill(file)
        scene.cluster.wait_for(lambda: not is_alive(controller), "the controller to end")
        before = scene.fingerprint()
        said = scene.run("resume", "demo", expected=7)
        assert "disk is full" in said, said
        assert scene.fingerprint() == before
        ballast.unlink()
        scene.run("resume", "demo", expected=12)
        finish(scene)
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def a_full_disk_of_a_node_stops_the_run_and_room_lets_it_go_on(directory):
    if TINY not in os.environ:
        raise sandbox.Skip("only root can make a small file system to fill")
    with Scene(directory, policy={**PROBED, "gate_timeout_s": 5, "step_timeout_s": 15}) as scene:
        port = scene.cluster.nodes[3].port
        node = Node("node-4", Path(os.environ[TINY]) / "node-4", port)
        scene.cluster.nodes[3] = node
        try:
            fill_disk_of(scene, node)
        finally:
            scene.cluster.stop_node(node)  # its folder is none of the scene's


def fill_disk_of(scene, node):
    scene.start()
    write_keys(scene.cluster, "some", count=3000)
    ballast = node.directory.parent / "node-ballast"
    upgrade = scene.begin("upgrade", "demo", "7.0", "--yes")
    scene.cluster.wait_for(lambda: "intended" in scene.step_states().values(), "an act")
    with open(ballast, "wb", buffering=0) as file:
        fill(file)
    code, said = wait_for_exit(upgrade, timeout_s=120)
    assert code == 11 and "node-4" in said, (code, said)
    ballast.unlink()
    scene.run("resume", "demo", expected=12)
    finish(scene)
    check_proof(scene.report())
    assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def fill(file):
    """Until not a byte more is taken."""
    for size in (65536, 4096, 1):
        try:
            while True:
                file.write(bytes(size))
        except OSError:
            pass


def row_45_an_old_node_that_lost_its_link_closes_the_way_back(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        soaked(scene)
        assert scene.snapshot()["way_back"] == "open"
        node = node_named(scene, "node-1")
        scene.cluster.stop_node(node)
        scene.cluster.start_node(node)
        scene.cluster.wait_for(lambda: scene.snapshot()["way_back"] == "closed",
                               "the way back to close", timeout_s=30)
        said = scene.run("status", "demo")
        assert "SOAKING" in said and "way back" in said and "closed" in said, said
        assert "node-1" in said, said
        finish(scene)
        check_proof(scene.report())
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def row_50_a_node_down_for_other_reasons_is_waited_for(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        name = pause_at_first_node(scene)
        cluster = scene.cluster
        node = node_named(scene, name)
        cluster.stop_node(node)
        resumed = scene.begin("resume", "demo")
        cluster.wait_for(lambda: name in (scene.snapshot()["waiting"] or {}).get("because", ""),
                         f"the waiting sentence to name {name}")
        assert scene.snapshot()["waiting"]["what"].startswith("stop node-"), scene.snapshot()
        time.sleep(2)  # long enough for a stop that must not come
        assert nodes_with(scene, "stop", "done") == [name], scene.step_states()
        assert [one.name for one in cluster.nodes if not one.pids()] == [name]
        cluster.start_node(node)
        code, said = wait_for_exit(resumed)
        assert code == 12, (code, said)
        finish(scene)
        check_proof(scene.report())


def row_55_a_killed_probe_leaves_a_gap_that_is_never_success(directory):
    with Scene(directory, policy=REQUIRED) as scene:
        scene.start()
        soaked(scene)
        killed_ms = time.time() * 1000
        os.kill(probe_pid(scene), signal.SIGKILL)
        scene.cluster.wait_for(lambda: len(probe_logs(scene)) == 2, "a second probe")
        gap_ms = probe_logs(scene)[1][1]["started_wall_ms"] - killed_ms
        assert 0 < gap_ms < 2000, gap_ms
        said = finish(scene, expected=16)
        assert "not proved" in said.lower(), said
        report = scene.report()
        summary = report["summary"]
        assert summary["verdict"] == "not proved", summary
        assert summary["headline"].startswith("0 failed in the "), summary
        assert summary["failed"] == 0 and summary["unobserved_ms"] >= gap_ms - 200, summary
        assert has_sentence(report["not_checked"], "in which the probe was not running"), report
        assert len(scene.records("demo-1", "probe_gap")) == 1
        check_damaged_log(scene, probe_logs(scene)[1][0])


def check_damaged_log(scene, path):
    """A line is taken out of a log by hand: said, and nothing after it counts."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10] + lines[11:]))
    report = scene.report()
    summary = report["summary"]
    assert summary["verdict"] == "not proved", summary
    assert has_sentence(summary["reasons"], path.name, "does not fit the chain"), summary
    assert summary["not_checked"] > 0, summary
    said = scene.run("report", "demo")
    assert "does not fit the chain" in said and "Not checked" in said, said
    path.write_bytes(b"".join(lines)[:-20])
    assert has_sentence(scene.report()["summary"]["reasons"], path.name, "middle of a line")


def row_56_a_stopped_probe_is_not_a_stall_of_the_cluster(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        soaked(scene)
        pid = probe_pid(scene)
        stopped_s = time.time()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)
        assert len(probe_logs(scene)) == 1, "another probe took over"
        code, said = wait_for_exit(scene.begin("finalize", "demo", "--yes"))
        report = scene.report()
        summary = report["summary"]
        stopped_ms = [moment * 1000 for moment in (stopped_s, stopped_s + 1.5)]
        errors = [error for error in report["probe"]["errors"]
                  if stopped_ms[0] <= error["at_ms"] <= stopped_ms[1]]
        assert summary["failed"] == 0 and not errors, (summary, errors)
        assert code == 0, said
        assert 900000 < summary["stalled_us"] < 2000000, summary
        assert has_sentence(report["not_checked"], "this host did not let the probe run"), report
        assert summary["longest_us"] < 500000, "its own pause counts as latency"


def row_57_a_secret_is_nowhere(directory):
    with Scene(directory, options={"password": OLD_PASSWORD}, policy=PROBED) as scene:
        scene.start()
        plan = scene.directory / "plan.json"
        scene.run("plan", "demo", "7.0", "-o", str(plan))
        page = scene.directory / "page.html"
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes")
        looks = 0
        while upgrade.poll() is None:
            assert not commands_with(OLD_PASSWORD)
            looks += 1
            time.sleep(0.02)
        code, said = wait_for_exit(upgrade)
        assert code == 12 and looks > 20, (code, looks, said)
        look_for_secret(scene, plan)  # also in the -wal, which an orderly end removes
        scene.wait_for_soak()
        said += finish(scene)
        said += scene.run("report", "demo", "-o", str(page))
        said += scene.run("run", "show", "demo-1", "--json")
        assert OLD_PASSWORD not in said
        look_for_secret(scene, plan, page)


def commands_with(secret):
    """Command lines of all processes that hold the secret."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:  # it has ended
            continue
        if secret.encode() in words:
            found.append(words)
    return found


def look_for_secret(scene, *more):
    """In all that upshift has written."""
    files = [path for path in scene.state.rglob("*") if path.is_file()]
    assert {"journal.db", "controller.log"} <= {path.name for path in files}, files
    for path in (*files, *more):
        assert OLD_PASSWORD.encode() not in path.read_bytes(), path


def row_58_what_is_edited_mid_run_counts_for_the_next_run(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        soaked(scene)
        text = json.loads(scene.inventory.read_text())
        cluster = text["clusters"]["demo"]
        cluster["policy"] = {"probe": {"mode": "off"}, "soak_s": 1000, "max_unavailable": 3}
        cluster["nodes"][0]["address"] = "127.0.0.1:1"
        cluster["nodes"][1]["server"] += "-of-another-folder"
        scene.inventory.write_text(json.dumps(text))
        os.kill(scene.snapshot()["controller_pid"], signal.SIGKILL)  # the next one reads afresh
        scene.run("resume", "demo", expected=12)
        scene.wait_for_soak()
        assert scene.snapshot()["soak"]["wanted_s"] == 1
        finish(scene)
        check_proof(scene.report())
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def row_58_a_password_is_rotated_mid_run(directory):
    with Scene(directory, options={"password": OLD_PASSWORD}, policy=PROBED) as scene:
        scene.start()
        soaked(scene)
        rotate_password(scene)
        time.sleep(1)  # fresh connections of the probe
        finish(scene)
        summary = check_proof(scene.report())
        assert summary["raw_failed"] < 50, summary
        refused = [error["text"] for error in scene.report()["probe"]["errors"]]
        assert any(text.startswith("WRONGPASS") for text in refused), "nobody met the change"
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def rotate_password(scene):
    """As an operator does it: first both are valid, in the end only the new one is."""
    cluster = scene.cluster
    for node in cluster.nodes:
        cluster.call(node, "ACL", "SETUSER", "default", f">{NEW_PASSWORD}")
    for node in cluster.nodes:
        cluster.call(node, "CONFIG", "SET", "masterauth", NEW_PASSWORD)
        node.config.write_text(node.config.read_text().replace(OLD_PASSWORD, NEW_PASSWORD))
    (cluster.directory / "password").write_text(NEW_PASSWORD)
    time.sleep(1)
    for node in cluster.nodes:
        cluster.call(node, "CONFIG", "SET", "requirepass", NEW_PASSWORD)
        cluster.options["password"] = NEW_PASSWORD if node is cluster.nodes[-1] else OLD_PASSWORD


# A file system of our own, while we are root.

def with_tiny_disk():
    """As root: runs this program again with a small file system, and takes it away after."""
    point = sandbox.BASE / f"tiny-{os.getpid()}"
    point.mkdir(parents=True)
    try:
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TINY_SIZE},mode=1777",
                               "tmpfs", str(point)], check=False, stderr=subprocess.DEVNULL)
        more = {TINY: str(point)} if made.returncode == 0 else {}
        return subprocess.run([sys.executable, *sys.argv], check=False,
                              env={**os.environ, "ROWS_STARTED": "1", **more}).returncode
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=False, stderr=subprocess.DEVNULL)
        point.rmdir()


if __name__ == "__main__":
    if os.geteuid() == 0 and "ROWS_STARTED" not in os.environ:
        sys.exit(with_tiny_disk())
    sandbox.enter()
    cases = [row_07_a_setting_that_the_operator_changed_is_kept,
             row_08_what_was_done_by_hand_before_the_run_is_found,
             row_26_a_failover_after_planning_makes_the_plan_stale,
             row_40_a_full_disk_ends_the_controller_and_room_lets_it_go_on,
             a_full_disk_of_a_node_stops_the_run_and_room_lets_it_go_on,
             row_45_an_old_node_that_lost_its_link_closes_the_way_back,
             row_50_a_node_down_for_other_reasons_is_waited_for,
             row_55_a_killed_probe_leaves_a_gap_that_is_never_success,
             row_56_a_stopped_probe_is_not_a_stall_of_the_cluster,
             row_57_a_secret_is_nowhere,
             row_58_what_is_edited_mid_run_counts_for_the_next_run,
             row_58_a_password_is_rotated_mid_run]
    wanted = os.environ.get("ROWS_ONLY", "")
    sandbox.run_cases(*[case for case in cases if wanted in case.__name__])
