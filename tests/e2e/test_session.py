#!/usr/bin/python3
"""The operator's side of a run: other processes that steer it, terminals that go away, Ctrl-C."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path

import sandbox
from scene import Scene, write_keys

SETTLE_S = 30
DRY_S = 40  # a dry start lives no longer, even when nobody ends it
# A server that is asked to end saves first, at this pace: time to press Ctrl-C twice.
SLOW_END = {"save": "3600 1", "rdb-key-save-delay": "2000"}
KEYS = 1800  # a third in each shard: 1.2 s


class Terminal:
    """upshift in a terminal of its own; use as a context manager."""

    def __init__(self, scene, *words):
        self.said = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(scene.program, [scene.program, *words])
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang_up()

    def read(self, wait_s):
        """Takes what was written within the time; False when there is nothing more to come."""
        if select.select([self.master], [], [], wait_s)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # the last process has left the terminal
                return False
            self.said += data.decode(errors="replace")
            return data != b""
        return True

    def wait_for(self, text, timeout_s=SETTLE_S):
        deadline = time.monotonic() + timeout_s
        while text not in self.text():
            assert self.read(0.05) and time.monotonic() < deadline, f"no {text!r}: {self.text()}"

    def text(self):
        """Without colours and cursor movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.said)

    def press(self, key):
        os.write(self.master, key)

    def wait(self, timeout_s=60):
        """Its exit status."""
        deadline = time.monotonic() + timeout_s
        while self.pid is not None:
            if self.master is not None:
                self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.pid = None
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, self.text()
        return None

    def hang_up(self):
        """The terminal goes away; whoever uses it gets SIGHUP."""
        if self.master is not None:
            os.close(self.master)
            self.master = None


def check_whole(scene, settings):
    """No node is down, and no temporary setting is left."""
    scene.cluster.wait_until_agreed()
    assert all(len(node.pids()) == 1 for node in scene.cluster.nodes)
    assert scene.settings() == settings, scene.settings()
    assert scene.snapshot()["scopes"] == [], scene.snapshot()["scopes"]


def other_processes_pause_resume_and_abort(directory):
    with Scene(directory) as scene:
        scene.start()
        settings = scene.settings()
        scene.run(*"upgrade demo 7.0 --yes --detach".split(), expected=18)
        scene.wait_for_state("RUNNING")
        said = scene.run("pause", "demo", expected=10)
        assert "upshift resume demo" in said, said
        done = scene.snapshot()["steps_done"]
        scene.cluster.wait_until_agreed()
        time.sleep(1)
        assert scene.snapshot()["state"] == "PAUSED"
        assert scene.snapshot()["steps_done"] == done < scene.snapshot()["steps_total"]

        scene.run("resume", "demo", "--detach", expected=18)
        scene.cluster.wait_for(lambda: scene.snapshot()["steps_done"] > done, "the run to go on")
        said = scene.run("abort", "demo", expected=14)
        assert "stands between versions" in said, said
        check_whole(scene, settings)
        scene.run("resume", "demo", expected=4)

        # Planned anew, the run does what is left, and outlives the terminal that started it.
        starts = scene.cluster.start_counts()
        old = {name for name, version in scene.cluster.versions().items() if "6.0" in version}
        with Terminal(scene, "upgrade", "demo", "7.0", "--yes") as terminal:
            terminal.wait_for("RUNNING")
            terminal.hang_up()
            code = terminal.wait()
            assert code == 18, code
        said = scene.run("watch", "demo", expected=12)
        assert "SOAKING" in said, said
        scene.run("finalize", "demo", "--yes")
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}
        assert scene.cluster.start_counts() == {name: count + (name in old)
                                                for name, count in starts.items()}
        check_whole(scene, settings)


def ctrl_c_pauses_and_a_second_one_aborts(directory):
    with Scene(directory, options={"config": SLOW_END}) as scene:
        scene.start()
        settings = scene.settings()
        write_keys(scene.cluster, "slow", count=KEYS)
        with Terminal(scene, "upgrade", "demo", "7.0", "--yes") as terminal:
            terminal.wait_for("RUNNING")
            wait_for_intent(scene, "stop", 1)
            terminal.press(b"\x03")
            terminal.wait_for("upshift resume demo")
            assert terminal.wait() == 10, terminal.text()
        assert scene.snapshot()["state"] == "PAUSED"
        scene.cluster.wait_until_agreed()

        with Terminal(scene, "resume", "demo") as terminal:
            terminal.wait_for("RUNNING")
            wait_for_intent(scene, "stop", 2)
            terminal.press(b"\x03")
            terminal.wait_for("Ctrl-C again aborts")
            terminal.press(b"\x03")
            assert terminal.wait() == 14, terminal.text()
        assert scene.snapshot()["state"] == "ABORTED"
        check_whole(scene, settings)


def processes_with(text):
    """Numbers of the processes of this user that have the text in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # gone, or somebody else's
            pass
    return found


def a_killed_plan_leaves_no_server_behind(directory):
    with Scene(directory) as scene:
        scene.start()
        folder = Path(directory) / "dry"
        folder.mkdir()
        plan = scene.begin("plan", "demo", "7.0", TMPDIR=str(folder))
        scene.cluster.wait_for(lambda: processes_with(str(folder)), "a dry-started server")
        plan.kill()
        plan.wait()
        scene.cluster.wait_for(lambda: not processes_with(str(folder)),
                               "the dry-started server to end", timeout_s=DRY_S)
        plan = scene.run("plan", "demo", "7.0")
        assert "redis 7.0.15" in plan, plan


def what_upshift_starts_hears_its_signals(directory):
    with Scene(directory, policy={"probe": {"rate": 100}, "soak_s": 0}) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        scene.cluster.wait_until_agreed()
        started = [pid for pid in scene.processes()
                   if pid != scene.snapshot()["controller_pid"]]
        names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in started}
        assert len(names) == len(scene.cluster.nodes) + 1, names  # and the probe
        for pid, name in names.items():
            status = Path(f"/proc/{pid}/status").read_text()
            blocked = int(re.search(r"^SigBlk:\s*(\w+)$", status, re.MULTILINE).group(1), 16)
            assert blocked & 1 << (signal.SIGTERM - 1) == 0, (name, hex(blocked))


def wait_for_intent(scene, ending, count):
    """Waits until that many steps of a kind have begun."""
    scene.cluster.wait_for(
        lambda: sum(record["step"].endswith(ending)
                    for record in scene.records("demo-1", "intent")) >= count,
        f"{count} steps {ending}", timeout_s=SETTLE_S)


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(
        other_processes_pause_resume_and_abort,
        ctrl_c_pauses_and_a_second_one_aborts,
        a_killed_plan_leaves_no_server_behind,
        what_upshift_starts_hears_its_signals,
    )
