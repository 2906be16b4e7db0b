#!/usr/bin/python3
"""Ways back on real servers under load: from every kind of step and every pause point, with nothing
lost; refused when the way is closed; by policy when a step fails.

ROLLBACK_ONLY=<text> runs only the cases with that in their name.
"""
import os
import signal
import time

import sandbox
from scene import PROBED, Scene, check_proof, wait_for_exit
from test_hard import FREEZE, node_named, stopped_controller

OLD, NEW = "redis 6.0.16", "redis 7.0.15"
STEPS = ("shard-1/node-1/backlog", "shard-1/node-4/stop", "shard-1/node-4/switch",
         "shard-2/node-5/start", "shard-1/switchover", "shard-3/switchover")
FIRST_STEPS = ("shard-1/node-4/stop", "shard-2/node-5/start", "shard-3/switchover")


def check_back(scene, before):
    """Every node is what it was: version, id, slots, settings; nothing set aside is left."""
    cluster = scene.cluster
    cluster.wait_until_agreed()
    assert set(cluster.versions().values()) == {OLD}, cluster.versions()
    assert identities(scene) == before["ids"], (identities(scene), before["ids"])
    assert scene.settings() == before["settings"], scene.settings()
    assert scene.snapshot()["scopes"] == [], scene.snapshot()["scopes"]
    left = [str(path) for node in cluster.nodes for path in node.directory.glob("upshift-aside*")]
    assert left == [], left
    counts = cluster.key_counts()
    for primary, replica in (("node-1", "node-4"), ("node-2", "node-5"), ("node-3", "node-6")):
        assert abs(counts[primary] - counts[replica]) < 50, counts
    return check_proof(scene.report(), operations_min=100)


def identities(scene):
    return {node.name: scene.cluster.call(node, "CLUSTER", "MYID").decode()
            for node in scene.cluster.nodes}


def remember(scene):
    return {"ids": identities(scene), "settings": scene.settings()}


def rolled_back_in_step(scene, step):
    """The rollback is asked for while the step has been decided and not yet been done."""
    upgrade = scene.begin("upgrade", "demo", "7.0", "--yes", UPSHIFT_KILL=f"{FREEZE}:{step}")
    controller = stopped_controller(scene)
    rollback = scene.begin("rollback", "demo", "--yes")
    time.sleep(0.5)
    os.kill(controller, signal.SIGCONT)
    code, said = wait_for_exit(rollback, timeout_s=120)
    assert code == 13, f"{step}: {code}\n{said}"
    code, said = wait_for_exit(upgrade)
    assert code == 13, f"{step}: {code}\n{said}"
    state = scene.snapshot()
    assert state["state"] == "ROLLED_BACK" and state["direction"] == "back", state["state"]


def rollback_while_each_kind_of_step_is_in_flight_loses_nothing(directory):
    with Scene(directory, policy=PROBED, program="FAULTS") as scene:
        scene.start()
        before = remember(scene)
        stock = scene.start_stock()
        for step in STEPS if "ROLLBACK_ALL" in os.environ else FIRST_STEPS:
            rolled_back_in_step(scene, step)
            summary = check_back(scene, before)
            print(f"# in {step}: {summary['acked']} acknowledged, {summary['lost']} lost",
                  flush=True)
        assert sorted(set(scene.cluster.roles().items())) == [
            (f"node-{n}", "master" if n <= 3 else "slave") for n in range(1, 7)]
        scene.check_stock(stock)


def rollback_at_each_pause_point_loses_nothing(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        before = remember(scene)
        stock = scene.start_stock()
        starts = scene.cluster.start_counts()

        # SOAKING: everything was switched over.
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        plan = scene.ask("rollback", "demo", "--dry-run")["plan"]
        assert plan["direction"] == "back" and plan["request"]["action"] == "rollback", plan
        assert scene.snapshot()["state"] == "SOAKING"
        said = scene.run("rollback", "demo", "--yes", expected=13)
        assert "ROLLED_BACK" in said, said
        check_back(scene, before)
        upgraded = {"node-4", "node-5", "node-6"}
        assert scene.cluster.start_counts() == {
            name: count + 2 * (name in upgraded) for name, count in starts.items()}

        # PAUSED by the operator, some nodes in.
        scene.run(*"upgrade demo 7.0 --yes --detach".split(), expected=18)
        scene.cluster.wait_for(lambda: "shard-1/node-4/stop" in scene.step_states()
                               and "done" in scene.step_states().values(), "a step")
        scene.run("pause", "demo", expected=10)
        scene.run("rollback", "demo", "--yes", expected=13)
        check_back(scene, before)

        # ABORTED between versions; a controller is started for it.
        scene.run(*"upgrade demo 7.0 --yes --detach".split(), expected=18)
        scene.cluster.wait_for(
            lambda: [state for step, state in scene.step_states().items()
                     if step.endswith("start") and state == "done"], "a node", timeout_s=60)
        scene.run("abort", "demo", expected=14)
        scene.run("rollback", "demo", "--yes", expected=13)
        check_back(scene, before)
        scene.check_stock(stock)


def rollback_is_refused_when_finalize_has_closed_the_way(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        scene.run("finalize", "demo", "--yes")
        before = scene.fingerprint()
        said = scene.run("rollback", "demo", "--yes", expected=4)
        assert "COMPLETE" in said or "complete" in said, said
        scene.check_untouched(before)


def rollback_is_refused_when_an_old_node_was_restarted_and_says_so_at_once(directory):
    with Scene(directory, policy=PROBED) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        node = node_named(scene, "node-2")
        scene.cluster.stop_node(node)
        scene.cluster.start_node(node)
        scene.cluster.wait_for(lambda: scene.snapshot()["way_back"] == "closed",
                               "the way back to close", timeout_s=30)
        said = scene.run("rollback", "demo", "--yes", expected=4)
        assert "node-2" in said and "finalize" in said and "load a backup" in said, said
        assert scene.snapshot()["state"] == "SOAKING"
        scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {NEW}


def a_version_that_does_not_start_is_rolled_back_by_policy(directory):
    policy = {**PROBED, "on_failure": "rollback", "step_timeout_s": 10, "gate_timeout_s": 10}
    with Scene(directory, policy=policy) as scene:
        scene.start()
        before = remember(scene)
        node = node_named(scene, "node-4")
        spoiled = node.directory / "appendonlydir"  # where 7.0 wants to make a folder
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes")
        scene.cluster.wait_for(lambda: scene.step_states() != {}, "the run to begin")
        spoiled.write_text("in the way\n")
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 13, (code, said)
        spoiled.unlink(missing_ok=True)
        check_back(scene, before)


def a_rollback_may_be_turned_again(directory):
    with Scene(directory, policy=PROBED, program="FAULTS") as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        plan = scene.ask("rollback", "demo", "--dry-run")["plan"]
        step = next(step["id"] for phase in plan["phases"] for step in phase["steps"]
                    if step["kind"] == "package.switch")
        controller = scene.snapshot()["controller_pid"]
        os.kill(controller, signal.SIGKILL)
        rollback = scene.begin("rollback", "demo", "--yes", UPSHIFT_KILL=f"{FREEZE}:{step}")
        stopped = stopped_controller(scene)
        pause = scene.begin("pause", "demo")
        time.sleep(0.5)
        os.kill(stopped, signal.SIGCONT)
        code, said = wait_for_exit(pause)
        assert code == 15, (code, said)
        code, said = wait_for_exit(rollback)
        assert code == 15, (code, said)
        said = scene.run("resume", "demo", "--forward", expected=12)
        assert scene.snapshot()["direction"] == "forward", said
        scene.run("finalize", "demo", "--yes")
        scene.cluster.wait_until_agreed()
        assert set(scene.cluster.versions().values()) == {NEW}
        check_proof(scene.report())


CASES = (
    rollback_while_each_kind_of_step_is_in_flight_loses_nothing,
    rollback_at_each_pause_point_loses_nothing,
    rollback_is_refused_when_finalize_has_closed_the_way,
    rollback_is_refused_when_an_old_node_was_restarted_and_says_so_at_once,
    a_version_that_does_not_start_is_rolled_back_by_policy,
    a_rollback_may_be_turned_again,
)

if __name__ == "__main__":
    sandbox.enter()
    only = os.environ.get("ROLLBACK_ONLY", "")
    sandbox.run_cases(*[case for case in CASES if only in case.__name__])
