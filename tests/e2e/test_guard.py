#!/usr/bin/python3
"""Cut-overs by a guard, on real servers: who dies or stops in the middle, and what writers see.

One primary with two replicas, writers that keep their connections as ordinary clients do, and one
cut-over (tests/e2e/cutover.c) during which a process is killed or stopped at a chosen state. In
every case no acknowledged write may be missing at the end, exactly one server may take writes, and
nobody waits longer than the hold limit allows, without any human.
"""
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import sandbox
from cluster import is_alive
from replication import Replication
from resp import Connection, ServerError

HOLD_MS = 2000
MARGIN_MS = 100  # what the issue grants beyond the hold limit
SLACK_MS = 300  # two busy cores: until a writer that is told "no" has found the right server
VERSIONS = {"6.0": ("redis", "6.0", "bullseye"), "7.0": ("redis", "7.0", "bookworm"),
            "8.1": ("valkey", "8.1", "trixie")}


def server_of(name):
    done = subprocess.run([os.environ["PREPARE_VERSION"], *VERSIONS[name]],
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


class Writer(threading.Thread):
    """Writes keys of its own, one after the other, and knows which were acknowledged. `words` makes
    the command of a key and a value."""

    def __init__(self, name, nodes, words):
        super().__init__(daemon=True)
        self.prefix, self.nodes, self.words = name, nodes, words
        self.at = 0
        self.acked = {}
        self.acks = []  # when
        self.is_over = False
        self.connection = None

    def run(self):
        number = 0
        while not self.is_over:
            number += 1
            key = f"{self.prefix}:{number}"
            try:
                if self.connection is None:
                    self.connection = Connection(self.nodes[self.at].address, timeout_s=30)
                self.connection.call(*self.words(key, number))
                self.acked[key] = number
                self.acks.append(time.monotonic())
                time.sleep(0.001)
            except (ServerError, OSError):
                self.forget()

    def forget(self):
        """The next server, please."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self.at = (self.at + 1) % len(self.nodes)
        time.sleep(0.005)


def set_words(key, number):
    return ("SET", key, number)


def script_words(key, number):
    return ("EVAL", "return redis.call('SET', KEYS[1], ARGV[1])", 1, key, number)


def is_stopped(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
    except OSError:
        return False


class Scene:
    """A primary with two replicas under load, and what is needed to cut over."""

    def __init__(self, directory, version="7.0", sentinels=0, hook=None, hold_ms=HOLD_MS):
        self.directory = Path(directory)
        self.hold_ms = hold_ms
        self.cluster = Replication(self.directory / "nodes", server_of(version), options={
            "sentinels": sentinels, "hook": hook, "down_after_ms": 30000})
        self.inventory = self.directory / "upshift.yaml"
        self.guards = self.directory / "guards"
        self.cluster.write_inventory(self.inventory, {"redis": {"7.0": "bookworm"}},
                                     policy={"hold_limit_ms": hold_ms})
        self.writers = []
        self.started = []

    def __enter__(self):
        self.cluster.start()
        nodes = self.cluster.nodes
        self.cluster.call(nodes[1], "CONFIG", "SET", "replica-priority", 10)  # Sentinels choose it
        self.cluster.create()
        self.writers = [Writer("plain", nodes, set_words), Writer("more", nodes, set_words),
                        Writer("script", nodes, script_words)]
        for writer in self.writers:
            writer.start()
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
        for pid in self.guard_pids():
            os.kill(pid, signal.SIGKILL)
        self.cluster.stop()

    def start(self, word, kill=None):
        primary, heir = self.cluster.nodes[0], self.cluster.nodes[1]
        environment = {**os.environ, "UPSHIFT_KILL": kill or ""}
        process = subprocess.Popen(
            [os.environ["CUTOVER"], word, str(self.inventory), "demo", str(self.guards),
             heir.name, primary.name], stdout=subprocess.PIPE, text=True, env=environment)
        self.started.append(process)
        return process

    def act(self, word, kill=None, timeout_s=60):
        """Runs it to its end and returns what it said."""
        process = self.start(word, kill)
        output, _ = process.communicate(timeout=timeout_s)
        return json.loads(output) if output else {"code": "killed"}

    def lines(self):
        """Of all guards, in order."""
        return [json.loads(line) for path in sorted(self.guards.glob("*.log"))
                for line in path.read_text().splitlines()]

    def states(self):
        return [line["state"] for line in self.lines()]

    def guard_pids(self):
        found = []
        for path in Path("/proc").iterdir():
            try:
                if path.name.isdigit() and str(self.guards) in os.readlink(path / "fd/1"):
                    found.append(int(path.name))
            except OSError:
                pass
        return [pid for pid in found if is_alive(pid)]

    def wait_for_state(self, state, timeout_s=10):
        deadline = time.monotonic() + timeout_s
        while state not in self.states():
            assert time.monotonic() < deadline, (state, self.lines())
            time.sleep(0.005)

    def wait_for_stop(self, state, timeout_s=10):
        """The guard stops itself right after the line of that state."""
        self.wait_for_state(state, timeout_s)
        deadline = time.monotonic() + timeout_s
        while not any(is_stopped(pid) for pid in self.guard_pids()):
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.002)

    def wait_until_writable(self, timeout_s):
        """Returns after how many ms every writer was acknowledged again."""
        begun = time.monotonic()
        while not all(writer.acks and writer.acks[-1] > begun for writer in self.writers):
            assert time.monotonic() < begun + timeout_s, (self.lines(), self.roles())
            time.sleep(0.002)
        return (time.monotonic() - begun) * 1000

    def longest_gap_ms(self):
        """Without any acknowledgement to one writer, the worst of all writers."""
        gaps = [(after - before) * 1000 for writer in self.writers
                for before, after in zip(writer.acks, writer.acks[1:])]
        return max(gaps)

    def roles(self):
        return [self.cluster.info(node, "replication")["role"] for node in self.cluster.nodes]

    def fences(self):
        return [self.cluster.call(node, "CONFIG", "GET", "min-replicas-to-write")[1].decode()
                for node in self.cluster.nodes]

    def primary_is(self, index):
        """Waits until that server alone is primary, all follow it, and nobody is fenced."""
        nodes = self.cluster.nodes
        wanted = ["master" if i == index else "slave" for i in range(len(nodes))]
        self.cluster.wait_for(
            lambda: self.roles() == wanted and self.cluster.is_agreed(),
            f"{nodes[index].name} to be the only primary: {self.roles()} {self.lines()}",
            timeout_s=20)
        assert self.fences() == ["0"] * len(nodes), self.fences()

    def finish(self, gap_ms_max=None):
        """Ends the load; nothing that was acknowledged may be missing."""
        time.sleep(0.2)
        for writer in self.writers:
            writer.is_over = True
        for writer in self.writers:
            writer.join(timeout=35)
        with self.cluster.connect(self.cluster.primary()) as connection:
            missing = [key for writer in self.writers for key, number in writer.acked.items()
                       if connection.call("GET", key) != str(number).encode()]
        acked = sum(len(writer.acked) for writer in self.writers)
        gap_ms = self.longest_gap_ms()
        print(f"# {acked} acknowledged, {len(missing)} missing, longest gap {gap_ms:.0f} ms, "
              f"{' '.join(self.states())}", flush=True)
        assert not missing, missing[:10]
        assert acked > 100, acked
        if gap_ms_max is not None:
            assert gap_ms <= gap_ms_max, gap_ms


BOUND_MS = HOLD_MS + MARGIN_MS + SLACK_MS




# Without faults.

def hand_over(directory, gap_ms_max=HOLD_MS + MARGIN_MS, **options):
    with Scene(directory, **options) as scene:
        said = scene.act("apply")
        assert said["code"] is None, (said, scene.lines())
        assert scene.act("verify")["seen"] == "done"
        scene.primary_is(1)
        scene.finish(gap_ms_max)
        assert scene.states() == ["PREPARED", "ARMED", "FENCED", "PROVEN", "COMMITTED", "FLIPPED",
                                  "RELEASED"]


def a_cut_over_hands_over_without_a_lost_write(directory):
    hand_over(directory, gap_ms_max=BOUND_MS)


def valkey_hands_over_without_a_lost_write(directory):
    hand_over(directory, version="8.1", gap_ms_max=BOUND_MS)


def redis_6_0_hands_over_without_a_lost_write_of_scripts_either(directory):
    """Its pause stops everybody until it ends; its fence lets scripts through after it."""
    hand_over(directory, version="6.0", gap_ms_max=BOUND_MS)


def sentinels_hand_over_without_a_lost_write(directory):
    hand_over(directory, sentinels=3, hold_ms=5000, gap_ms_max=5000 + MARGIN_MS + SLACK_MS)


def sentinels_of_6_0_hand_over_without_a_lost_write(directory):
    hand_over(directory, version="6.0", sentinels=3, hold_ms=5000,
              gap_ms_max=5000 + MARGIN_MS + SLACK_MS)


def make_hook(directory, status):
    """A program that writes its words down and ends with that status."""
    path = Path(directory) / "hook"
    path.write_text(f'#!/bin/sh\necho "$@" >>{directory}/told\nexit {status}\n')
    path.chmod(0o755)
    return [path, "first"]


def clients_are_told_by_the_hook(directory):
    with Scene(directory, hook=make_hook(directory, 0)) as scene:
        assert scene.act("apply")["code"] is None
        told = (Path(directory) / "told").read_text()
        assert told == f"first demo shard-1 127.0.0.1 {scene.cluster.nodes[1].port}\n", told


def a_hook_that_fails_is_told_and_stops_nothing(directory):
    with Scene(directory, hook=make_hook(directory, 3)) as scene:
        said = scene.act("apply")
        assert said["code"] == "hook_failed" and "status 3" in said["text"], said
        assert scene.act("verify")["seen"] == "done"
        scene.finish(gap_ms_max=BOUND_MS)


def conforms(directory, version):
    """What the simulation passes as well: tests/unit/drivers/conformance_cutover.c."""
    with Scene(directory, version=version) as scene:
        for writer in scene.writers:
            writer.is_over = True  # a promotion of the suite is not fenced
        process = scene.start("conform")
        process.communicate(timeout=60)
        assert process.returncode == 0, process.returncode
        assert scene.cluster.primary() is scene.cluster.nodes[1]


def the_acts_of_7_0_conform(directory):
    conforms(directory, "7.0")


def the_acts_of_6_0_conform(directory):
    conforms(directory, "6.0")


# The controller.

def controller_stops(directory, kill):
    with Scene(directory) as scene:
        process = scene.start("apply", kill)
        scene.wait_for_state("RELEASED")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert scene.act("stop")["code"] is None
        assert scene.act("verify")["seen"] == "done"
        scene.primary_is(1)
        scene.finish(gap_ms_max=BOUND_MS)


def a_controller_killed_in_the_hold_is_not_missed(directory):
    controller_stops(directory, "controller:FENCED")


def a_controller_stopped_in_the_hold_is_not_missed(directory):
    controller_stops(directory, "freeze_controller:FENCED")


def a_controller_killed_after_the_commit_is_not_missed(directory):
    controller_stops(directory, "controller:COMMITTED")


# The guard.

def guard_dies(directory, state, primary):
    with Scene(directory) as scene:
        said = scene.act("apply", f"guard:{state}")
        assert said["code"] == "guard_ended" and state in said["text"], said
        assert scene.act("verify")["seen"] == ("done" if primary == 1 else "absent")
        scene.primary_is(primary)
        if primary == 0:  # and the next attempt is a clean one
            assert scene.act("apply")["code"] is None
            scene.primary_is(1)
        scene.finish(gap_ms_max=BOUND_MS)


def a_guard_killed_while_armed_leaves_nothing(directory):
    guard_dies(directory, "ARMED", 0)


def a_guard_killed_while_fenced_is_backed_by_the_controller(directory):
    guard_dies(directory, "FENCED", 0)


def a_guard_killed_while_proven_is_backed_by_the_controller(directory):
    guard_dies(directory, "PROVEN", 0)


def a_guard_killed_while_committed_is_backed_by_the_controller(directory):
    guard_dies(directory, "COMMITTED", 0)


def a_guard_killed_while_flipped_is_finished_by_the_controller(directory):
    guard_dies(directory, "FLIPPED", 1)


def a_guard_of_6_0_killed_while_fenced_is_backed_by_the_controller(directory):
    with Scene(directory, version="6.0") as scene:
        assert scene.act("apply", "guard:FENCED")["code"] == "guard_ended"
        scene.wait_until_writable(1)
        scene.primary_is(0)
        scene.finish(gap_ms_max=BOUND_MS)


def a_guard_under_sentinels_killed_while_committed_is_backed(directory):
    with Scene(directory, sentinels=3) as scene:
        assert scene.act("apply", "guard:COMMITTED")["code"] == "guard_ended"
        scene.primary_is(0)
        assert scene.act("apply")["code"] is None
        scene.primary_is(1)
        scene.finish()


# Both.

def both_die_while_fenced(directory, **options):
    with Scene(directory, **options) as scene:
        begun = time.monotonic()
        assert scene.act("apply", "both:FENCED")["code"] == "killed"
        scene.wait_until_writable(5)  # nobody does anything
        assert (time.monotonic() - begun) * 1000 < BOUND_MS + 1000  # with the process's start
        assert scene.fences()[0] == "0"
        assert scene.act("stop")["code"] is None
        assert scene.act("verify")["seen"] == "absent"
        scene.primary_is(0)
        assert scene.act("apply")["code"] is None
        scene.primary_is(1)
        scene.finish(gap_ms_max=BOUND_MS)


def when_both_die_while_fenced_the_timer_gives_the_writes_back(directory):
    both_die_while_fenced(directory)


def when_both_die_while_6_0_is_fenced_the_timer_gives_the_writes_back(directory):
    both_die_while_fenced(directory, version="6.0")


def when_both_die_after_the_commit_the_successor_decides_within_a_second(directory):
    with Scene(directory) as scene:
        assert scene.act("apply", "both:COMMITTED")["code"] == "killed"
        time.sleep(HOLD_MS / 1000 + 0.5)
        assert scene.fences()[0] == "99"  # no timer may open the old side behind a commit
        acked = sum(len(writer.acked) for writer in scene.writers)
        time.sleep(0.2)
        assert acked == sum(len(writer.acked) for writer in scene.writers)
        begun = time.monotonic()
        assert scene.act("stop")["code"] is None
        assert time.monotonic() - begun < 1
        scene.wait_until_writable(1)
        scene.primary_is(0)
        scene.finish()


def when_both_take_writes_the_one_without_permission_is_fenced_and_a_human_asked(directory):
    with Scene(directory) as scene:
        primary, heir = scene.cluster.nodes[:2]
        assert scene.act("apply", "both:COMMITTED")["code"] == "killed"
        for writer in scene.writers:
            writer.is_over = True  # what follows would lose writes, which is the point
        scene.cluster.call(heir, "REPLICAOF", "NO", "ONE")
        scene.cluster.call(primary, "CONFIG", "SET", "min-replicas-to-write", 0)
        said = scene.act("stop")
        assert said["code"] == "cutover_unclear" and "offset" in said["text"], said
        assert scene.fences()[:2] == ["99", "0"], scene.fences()


# The guard stops, and goes on.

def go_on(scene):
    for pid in scene.guard_pids():
        os.kill(pid, signal.SIGCONT)


def a_guard_that_wakes_up_behind_its_timer_goes_back(directory):
    with Scene(directory) as scene:
        process = scene.start("apply", "freeze:PROVEN")
        scene.wait_for_stop("PROVEN")
        scene.wait_until_writable(5)
        time.sleep(0.3)
        go_on(scene)
        said = json.loads(process.communicate(timeout=30)[0])
        assert said["code"] == "cutover_backed", said
        scene.primary_is(0)
        scene.finish(gap_ms_max=BOUND_MS)


def a_guard_told_to_end_after_the_commit_finishes_first(directory):
    with Scene(directory) as scene:
        process = scene.start("apply", "freeze:COMMITTED")
        scene.wait_for_stop("COMMITTED")
        for pid in scene.guard_pids():
            os.kill(pid, signal.SIGTERM)
        go_on(scene)
        assert json.loads(process.communicate(timeout=30)[0])["code"] is None
        scene.primary_is(1)
        scene.finish(gap_ms_max=BOUND_MS)


def an_heir_that_falls_behind_in_the_hold_is_not_promoted(directory):
    with Scene(directory) as scene:
        process = scene.start("apply", "freeze:ARMED")
        scene.wait_for_stop("ARMED")
        heir = scene.cluster.nodes[1].pids()[0]
        os.kill(heir, signal.SIGSTOP)
        try:
            time.sleep(0.1)
            go_on(scene)
            said = json.loads(process.communicate(timeout=30)[0])
        finally:
            os.kill(heir, signal.SIGCONT)
        assert said["code"] == "cutover_backed", said
        assert scene.lines()[-1]["held_ms"] < HOLD_MS, scene.lines()
        scene.primary_is(0)
        scene.finish(gap_ms_max=BOUND_MS)


def a_primary_that_dies_in_the_hold_is_not_replaced_by_us(directory):
    with Scene(directory) as scene:
        primary = scene.cluster.nodes[0]
        process = scene.start("apply", "freeze:FENCED")
        scene.wait_for_stop("FENCED")
        scene.cluster.stop_node(primary, signal.SIGKILL)
        go_on(scene)
        scene.wait_for_state("BACKING")
        assert "master" not in [scene.cluster.info(node, "replication")["role"]
                                for node in scene.cluster.nodes[1:]]
        scene.cluster.start_node(primary)
        said = json.loads(process.communicate(timeout=30)[0])
        assert said["code"] == "cutover_backed", said
        scene.primary_is(0)
        scene.finish()


def a_rival_in_the_hold_keeps_the_old_primary_fenced(directory):
    with Scene(directory) as scene:
        primary, heir, rival = scene.cluster.nodes
        process = scene.start("apply", "freeze:FENCED")
        scene.wait_for_stop("FENCED")
        scene.cluster.wait_for(
            lambda: scene.cluster.info(rival)["slave_repl_offset"] ==
            scene.cluster.info(primary)["master_repl_offset"], "the rival to have all", rival)
        scene.cluster.call(rival, "REPLICAOF", "NO", "ONE")
        go_on(scene)
        scene.wait_for_state("BACKING")
        scene.wait_until_writable(5)       # at the rival
        time.sleep(HOLD_MS / 1000 + 0.5)   # nor does the timer unfence
        assert scene.fences() == ["99", "0", "0"], scene.fences()
        for node in (primary, heir):
            scene.cluster.call(node, "REPLICAOF", "127.0.0.1", rival.port)
        said = json.loads(process.communicate(timeout=30)[0])
        assert said["code"] == "cutover_backed" and rival.name in said["text"], said
        assert scene.act("verify")["seen"] == "elsewhere"
        scene.primary_is(2)
        scene.finish()


# Refusals: nothing is held.

def is_refused(scene, code, *words):
    said = scene.act("apply")
    assert said["code"] == code and all(word in said["text"] for word in words), said
    assert "FENCED" not in scene.states(), scene.states()
    scene.primary_is(0)
    scene.finish(gap_ms_max=BOUND_MS)


def a_primary_that_cannot_be_fenced_is_refused(directory):
    with Scene(directory) as scene:
        scene.cluster.call(scene.cluster.nodes[0], "CONFIG", "SET", "min-replicas-max-lag", 0)
        is_refused(scene, "cutover_backed", "min-replicas-max-lag")


def a_primary_that_is_fenced_already_is_refused(directory):
    with Scene(directory) as scene:
        scene.cluster.call(scene.cluster.nodes[0], "CONFIG", "SET", "min-replicas-to-write", 99)
        said = scene.act("apply")
        assert said["code"] == "fence_unavailable", said
        assert scene.states() == []


def an_heir_that_is_detached_is_refused(directory):
    with Scene(directory) as scene:
        nodes = scene.cluster.nodes
        scene.cluster.call(nodes[1], "REPLICAOF", "127.0.0.1", nodes[2].port)
        said = scene.act("apply")
        assert said["code"] == "cutover_backed" and "attached replica" in said["text"], said
        assert scene.states() == ["PREPARED", "RELEASED_BACK"]


def a_refused_promotion_gives_the_writes_back(directory):
    with Scene(directory) as scene:
        heir = scene.cluster.nodes[1]
        scene.cluster.call(heir, "ACL", "SETUSER", "default", "-replicaof")
        said = scene.act("apply")
        assert said["code"] == "cutover_backed", said
        assert scene.states()[-3:] == ["COMMITTED", "BACKING", "RELEASED_BACK"]
        scene.cluster.call(heir, "ACL", "SETUSER", "default", "+replicaof")
        scene.primary_is(0)
        scene.finish(gap_ms_max=BOUND_MS)


def no_good_slave_gives_the_writes_back(directory):
    """Sentinels refuse: none of the replicas may become primary."""
    with Scene(directory, sentinels=3) as scene:
        for node in scene.cluster.nodes[1:]:
            scene.cluster.call(node, "CONFIG", "SET", "replica-priority", 0)
        scene.cluster.wait_for(
            lambda: all(one["slave-priority"] == "0" for sentinel in scene.cluster.sentinels
                        for one in scene.cluster.sentinel_replicas(sentinel)),
            "the Sentinels to hear of it", timeout_s=20)
        said = scene.act("apply")
        assert said["code"] == "cutover_backed" and "NOGOODSLAVE" in said["text"], said
        scene.primary_is(0)
        scene.finish(gap_ms_max=BOUND_MS)


CASES = [
    a_cut_over_hands_over_without_a_lost_write,
    valkey_hands_over_without_a_lost_write,
    redis_6_0_hands_over_without_a_lost_write_of_scripts_either,
    sentinels_hand_over_without_a_lost_write,
    sentinels_of_6_0_hand_over_without_a_lost_write,
    the_acts_of_7_0_conform,
    the_acts_of_6_0_conform,
    clients_are_told_by_the_hook,
    a_hook_that_fails_is_told_and_stops_nothing,
    a_controller_killed_in_the_hold_is_not_missed,
    a_controller_stopped_in_the_hold_is_not_missed,
    a_controller_killed_after_the_commit_is_not_missed,
    a_guard_killed_while_armed_leaves_nothing,
    a_guard_killed_while_fenced_is_backed_by_the_controller,
    a_guard_killed_while_proven_is_backed_by_the_controller,
    a_guard_killed_while_committed_is_backed_by_the_controller,
    a_guard_killed_while_flipped_is_finished_by_the_controller,
    a_guard_of_6_0_killed_while_fenced_is_backed_by_the_controller,
    a_guard_under_sentinels_killed_while_committed_is_backed,
    when_both_die_while_fenced_the_timer_gives_the_writes_back,
    when_both_die_while_6_0_is_fenced_the_timer_gives_the_writes_back,
    when_both_die_after_the_commit_the_successor_decides_within_a_second,
    when_both_take_writes_the_one_without_permission_is_fenced_and_a_human_asked,
    a_guard_that_wakes_up_behind_its_timer_goes_back,
    a_guard_told_to_end_after_the_commit_finishes_first,
    an_heir_that_falls_behind_in_the_hold_is_not_promoted,
    a_primary_that_dies_in_the_hold_is_not_replaced_by_us,
    a_rival_in_the_hold_keeps_the_old_primary_fenced,
    a_primary_that_cannot_be_fenced_is_refused,
    a_primary_that_is_fenced_already_is_refused,
    an_heir_that_is_detached_is_refused,
    a_refused_promotion_gives_the_writes_back,
    no_good_slave_gives_the_writes_back,
]

if __name__ == "__main__":
    sandbox.enter()
    chosen = [case for case in CASES if not sys.argv[1:] or case.__name__ in sys.argv[1:]]
    sandbox.run_cases(*chosen, at_a_time=2)
