#!/usr/bin/python3
"""Two controllers with state directories of their own, on real servers: the second one is refused
and told who the first is; what a lost one has left is cleared or adopted by a human, and only by one.

CLAIMS_ONLY=<text> runs only the cases with that in their name.
"""
import json
import os
import shutil
import signal
import time

import sandbox
from scene import PROBED, Scene, check_proof, wait_for_exit
from test_hard import node_named, stopped_controller

CLAIM = "upshift-claim.json"
NAMED = ("for run demo-1 of cluster demo", "its journal is", "reconcile demo --clear-claim")
RESUME_S_MAX = 5  # of a busy machine; the goal is 1


class TwoSided(Scene):
    """A scene with a second operator, who knows nothing of the first one's journal."""

    def __init__(self, directory, **more):
        super().__init__(directory, program="FAULTS", **more)
        self.elsewhere = self.directory / "elsewhere"

    def other(self, *words, expected=0):
        return self.run(*words, "--state-dir", str(self.elsewhere), expected=expected)

    def claims(self):
        return {node.name: json.loads((node.directory / CLAIM).read_text())
                for node in self.cluster.nodes}

    def states(self):
        return {claim["state"] for claim in self.claims().values()}

    def is_refused(self, *said_besides):
        """The other one is refused, told why, and has changed nothing."""
        before = self.fingerprint(), self.epochs()
        said = self.other("upgrade", "demo", "7.0", "--yes", expected=5)
        for words in (*NAMED, *said_besides):
            assert words in said, (words, said)
        assert str(self.state) in said and f"pid {self.claims()['node-1']['owner']['pid']}" in said
        assert before[1] == self.epochs()
        self.check_untouched(before[0])

    def epochs(self):
        return {name: (claim["origin"], claim["epoch"]) for name, claim in self.claims().items()}

    def die_before(self, step, command="upgrade demo 7.0 --yes"):
        """Runs until right before the intent of that step and dies there."""
        code, said = wait_for_exit(
            self.begin(*command.split(), UPSHIFT_KILL=f"before_intent:{step}"), timeout_s=120)
        assert code == 10 and "the run is safe" in said, (code, said)


def a_second_controller_is_refused_while_the_first_is_paused_dead_or_soaking(directory):
    with TwoSided(directory) as scene:
        scene.start()
        scene.run(*"upgrade demo 7.0 --yes --detach".split(), expected=18)
        scene.cluster.wait_for(lambda: "done" in scene.step_states().values(), "a step")
        scene.run("pause", "demo", expected=10)
        scene.cluster.wait_for(lambda: scene.states() == {"parked"}, "the claim to be parked")
        scene.is_refused("PAUSED")
        modes = {oct((node.directory / CLAIM).stat().st_mode & 0o777)
                 for node in scene.cluster.nodes}
        assert modes == {"0o600"}, modes

        os.kill(scene.snapshot()["controller_pid"], signal.SIGKILL)
        scene.die_before("shard-2/switchover", "resume demo")
        scene.cluster.wait_until_agreed()
        assert scene.states() == {"live"}, scene.states()
        scene.is_refused("RUNNING")
        started = time.monotonic()
        scene.run("resume", "demo", "--detach", expected=18)
        elapsed_s = time.monotonic() - started
        print(f"# resume after SIGKILL took {elapsed_s:.2f} s")
        assert elapsed_s < RESUME_S_MAX, elapsed_s
        scene.wait_for_state("SOAKING")
        scene.is_refused("SOAKING")

        scene.run("finalize", "demo", "--yes")
        assert scene.states() == {"released"}, scene.states()
        said = scene.other("upgrade", "demo", "7.0", "--yes")
        assert "nothing to do" in said or "already" in said, said


def of_two_who_start_at_once_one_runs_and_the_other_exits_5(directory):
    with TwoSided(directory, policy=PROBED) as scene:
        scene.start()
        first = scene.begin("upgrade", "demo", "7.0", "--yes")
        second = scene.begin("upgrade", "demo", "7.0", "--yes",
                             "--state-dir", str(scene.elsewhere))
        ends = [wait_for_exit(process, timeout_s=120) for process in (first, second)]
        assert sorted(code for code, _ in ends) == [5, 12], ends
        refused = next(said for code, said in ends if code == 5)
        assert "of cluster demo" in refused, refused
        where = [] if ends[0][0] == 12 else ["--state-dir", str(scene.elsewhere)]
        scene.run("finalize", "demo", "--yes", *where)
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}
        check_proof(scene.ask("report", "demo", *where)["report"], operations_min=500)


def a_claim_is_cleared_only_by_its_name_and_its_owner_can_go_on_after_it(directory):
    with TwoSided(directory) as scene:
        scene.start()
        scene.die_before("shard-1/switchover")
        settings = scene.settings()
        before = scene.epochs()
        scene.other("reconcile", "demo", "--clear-claim", "orders", "--yes", expected=2)
        scene.other("reconcile", "demo", "--clear-claim", expected=2)
        assert scene.epochs() == before
        said = scene.other("reconcile", "demo", "--clear-claim", "demo", "--yes")
        assert "repl-backlog-size" in said and NAMED[0] in said, said
        assert scene.settings() == settings  # they are told, not touched
        assert scene.states() == {"released"}
        highest = max(epoch for _, epoch in before.values())
        assert {claim["epoch"] for claim in scene.claims().values()} == {highest + 1}
        assert "no run has left a claim" in scene.other(
            "reconcile", "demo", "--clear-claim", "demo", "--yes")

        scene.run("resume", "demo", expected=12)
        assert min(claim["epoch"] for claim in scene.claims().values()) > highest + 1
        scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}


def a_claim_that_is_renewed_is_not_cleared(directory):
    with TwoSided(directory) as scene:
        scene.start()
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes",
                              UPSHIFT_KILL="freeze_before_send:shard-1/switchover")
        controller = stopped_controller(scene)
        scene.cluster.wait_until_agreed()
        settle = scene.begin("reconcile", "demo", "--clear-claim", "demo", "--yes",
                             "--state-dir", str(scene.elsewhere))
        time.sleep(1)
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(settle)
        assert code == 5 and "at work" in said, (code, said)
        code, said = wait_for_exit(upgrade, timeout_s=120)
        assert code == 12, (code, said)


def row_39_adopt_restores_what_a_lost_journal_left_and_a_new_run_finishes(directory):
    with TwoSided(directory) as scene:
        scene.start()
        settings = scene.settings()
        scene.die_before("shard-1/switchover")
        assert scene.settings() != settings
        shutil.rmtree(scene.state)
        said = scene.run("upgrade", "demo", "7.0", "--yes", expected=5)
        assert "reconcile demo" in said, said
        scene.cluster.call(node_named(scene, "node-3"),
                           "CONFIG", "SET", "repl-backlog-size", "7340032")  # somebody's own
        said = scene.run("reconcile", "demo", "--adopt", "--yes")
        assert "restored" in said and "somebody has changed it" in said, said
        expected = {**settings, "node-3": {**settings["node-3"], "repl-backlog-size": "7340032"}}
        assert scene.settings() == expected, scene.settings()
        assert scene.states() == {"released"}
        scene.cluster.call(node_named(scene, "node-3"), "CONFIG", "SET", "repl-backlog-size",
                           settings["node-3"]["repl-backlog-size"])

        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}
        assert scene.settings() == settings


def row_38_an_older_copy_of_the_journal_is_refused(directory):
    with TwoSided(directory) as scene:
        scene.start()
        scene.die_before("shard-1/switchover")
        copy = scene.directory / "copy"
        shutil.copytree(scene.state, copy, ignore=shutil.ignore_patterns("sock"))
        scene.die_before("shard-2/switchover", "resume demo")
        shutil.rmtree(scene.state)
        shutil.copytree(copy, scene.state)
        before = scene.fingerprint(), scene.epochs()
        said = scene.run("resume", "demo", expected=7)
        assert "which this journal" in said and "reconcile --adopt" in said, said
        scene.check_untouched(before[0])
        assert scene.epochs() == before[1]


def row_37_a_claim_of_another_cluster_is_ignored(directory):
    with TwoSided(directory) as scene:
        scene.start()
        scene.run(*"upgrade demo 7.0 --yes --detach".split(), expected=18)
        scene.cluster.wait_for(lambda: (scene.cluster.nodes[5].directory / CLAIM).exists(),
                               "a claim")
        claim = scene.claims()["node-1"]
        scene.run("abort", "demo", expected=14)
        for node in scene.cluster.nodes:
            (node.directory / CLAIM).write_text(json.dumps({**claim, "cluster": "production"}))
        scene.other("upgrade", "demo", "7.0", "--yes", expected=12)
        assert {claim["cluster"] for claim in scene.claims().values()} == {"demo"}


def damage_is_somebodys_claim_and_can_be_cleared(directory):
    with TwoSided(directory) as scene:
        scene.start()
        path = scene.cluster.nodes[2].directory / CLAIM
        path.write_text("{")
        said = scene.run("upgrade", "demo", "7.0", "--yes", expected=5)
        assert "node-3" in said and "none that upshift" in said, said
        scene.run("reconcile", "demo", "--adopt", "--yes", expected=6)
        assert path.read_text() == "{"
        scene.run("reconcile", "demo", "--clear-claim", "demo", "--yes")
        path.unlink()
        path.symlink_to("/etc/passwd")
        said = scene.run("upgrade", "demo", "7.0", "--yes", expected=5)
        assert "node-3" in said, said
        path.unlink()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)


def row_34_a_controller_that_slept_through_a_takeover_wakes_up_on_a_dead_connection(directory):
    with TwoSided(directory) as scene:
        scene.start()
        settings = scene.settings()
        upgrade = scene.begin("upgrade", "demo", "7.0", "--yes",
                              UPSHIFT_KILL="freeze_after_look:shard-1/switchover")
        controller = stopped_controller(scene)
        scene.cluster.wait_until_agreed()
        config_epoch = scene.current_epoch()
        assert names_of(scene, "node-4") == ["upshift:demo-1:1"]
        scene.other("reconcile", "demo", "--adopt", "--yes")
        assert names_of(scene, "node-4") == []
        os.kill(controller, signal.SIGCONT)
        code, said = wait_for_exit(upgrade, timeout_s=60)
        assert code in (5, 11), (code, said)
        assert "CLEARED" in said or "ended by" in said, said
        assert scene.current_epoch() == config_epoch  # the switchover did not happen
        assert scene.settings() == settings
        assert scene.states() == {"released"}
        scene.other("upgrade", "demo", "7.0", "--yes", expected=12)


def names_of(scene, name):
    """Of upshift's connections that stand open at a node."""
    listed = scene.cluster.call(node_named(scene, name), "CLIENT", "LIST").decode()
    words = [word for line in listed.splitlines() for word in line.split()]
    return [word[5:] for word in words if word.startswith("name=upshift:demo")]


CASES = (
    a_second_controller_is_refused_while_the_first_is_paused_dead_or_soaking,
    of_two_who_start_at_once_one_runs_and_the_other_exits_5,
    a_claim_is_cleared_only_by_its_name_and_its_owner_can_go_on_after_it,
    a_claim_that_is_renewed_is_not_cleared,
    row_39_adopt_restores_what_a_lost_journal_left_and_a_new_run_finishes,
    row_38_an_older_copy_of_the_journal_is_refused,
    row_37_a_claim_of_another_cluster_is_ignored,
    damage_is_somebodys_claim_and_can_be_cleared,
    row_34_a_controller_that_slept_through_a_takeover_wakes_up_on_a_dead_connection,
)

if __name__ == "__main__":
    sandbox.enter()
    only = os.environ.get("CLAIMS_ONLY", "")
    sandbox.run_cases(*[case for case in CASES if only in case.__name__])
