#!/usr/bin/python3
"""SIGKILL: of the controller at every place of a step, and of the probe. Nothing is done twice,
nothing is lost, and what nobody saw is not called a success."""
import datetime
import os
import signal
import time
from pathlib import Path

import sandbox
from scene import PROBED, Scene, check_proof, wait_for_exit

# In the order of a run; each controller but the last dies at its place.
UNTIL_PAUSE_POINT = (
    "before_intent:shard-1/node-4/stop",
    "after_intent:shard-1/node-4/switch",
    "after_send:shard-1/node-4/start",
    "after_send:shard-1/switchover",
    "before_outcome:shard-2/switchover",
)
UNTIL_END = ("after_send:shard-1/node-1/stop", "before_outcome:shard-1/node-1/start")
BACK_AT_WORK_S_MAX = 5  # of a busy machine; the goal is 1


def wall(record):
    return datetime.datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp()


def back_at_work_s(scene, started):
    """From the command to the first thing that the new controller does or decides."""
    records = scene.ask("run", "show", "demo-1")["records"]
    resumed = max(record["seq"] for record in records if record["type"] == "resumed")
    first = next((record for record in records if record["seq"] > resumed), None)
    return wall(first) - started if first else None


def go_on(scene, command, places, expected):
    """Runs a command whose controller dies, then `resume` until there is no place left."""
    for place in places:
        started = time.time()
        code, said = wait_for_exit(scene.begin(*command, UPSHIFT_KILL=place))
        assert code == 10 and "the run is safe" in said, f"{place}: {code}\n{said}"
        tell_time(scene, command, started)
        print(f"# killed {place.replace(':', ' ')}")
        command = ("resume", "demo")
    started = time.time()
    said = scene.run(*command, expected=expected)
    tell_time(scene, command, started)
    return said


def tell_time(scene, command, started):
    if command[0] == "resume":
        elapsed_s = back_at_work_s(scene, started)
        print(f"# back at work {elapsed_s:.2f} s after `upshift resume`")
        assert elapsed_s <= BACK_AT_WORK_S_MAX, elapsed_s


def the_controller_may_die_anywhere(directory):
    with Scene(directory, policy=PROBED, program="FAULTS") as scene:
        scene.start()
        cluster = scene.cluster
        starts = cluster.start_counts()
        epoch = scene.current_epoch()
        settings = scene.settings()
        stock = scene.start_stock()
        go_on(scene, ("upgrade", "demo", "7.0", "--yes"), UNTIL_PAUSE_POINT, 12)
        upgraded = ("node-4", "node-5", "node-6")
        assert cluster.start_counts() == {name: count + (name in upgraded)
                                          for name, count in starts.items()}
        run_ids = cluster.run_ids()
        os.kill(scene.snapshot()["controller_pid"], signal.SIGKILL)  # it watches the soak
        go_on(scene, ("finalize", "demo", "--yes"), UNTIL_END, 0)

        # As the servers tell it: each was started once, each shard changed its primary once.
        assert set(cluster.versions().values()) == {"redis 7.0.15"}, cluster.versions()
        assert cluster.start_counts() == {name: count + 1 for name, count in starts.items()}
        assert {name for name in run_ids if cluster.run_ids()[name] == run_ids[name]} == \
            set(upgraded)
        assert scene.current_epoch() == epoch + 3
        assert sorted(scene.shard_epochs().values()) == [epoch + 1, epoch + 2, epoch + 3]
        assert scene.settings() == settings, scene.settings()

        # As the clients tell it: the probe outlived eight controllers.
        report = scene.report()
        check_proof(report)
        assert report["journal"]["epochs"] == len(UNTIL_PAUSE_POINT) + len(UNTIL_END) + 2
        assert len(report["probe"]["incarnations"]) == 1, report["probe"]["incarnations"]
        assert report["probe"]["gaps"] == [], report["probe"]["gaps"]
        scene.check_stock(stock)


def probe_pids(scene):
    return [pid for pid in scene.processes()
            if b"internal-probe" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def a_killed_probe_leaves_a_gap_and_no_success(directory):
    policy = {**PROBED, "probe": {"rate": 2000, "required": True}}
    with Scene(directory, policy=policy) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        killed = probe_pids(scene)
        assert len(killed) == 1, killed
        os.kill(killed[0], signal.SIGKILL)
        scene.cluster.wait_for(lambda: probe_pids(scene) not in ([], killed), "a new probe")
        time.sleep(1)
        said = scene.run("finalize", "demo", "--yes", expected=16)
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}
        report = scene.report()
        summary = report["summary"]
        assert len(report["probe"]["incarnations"]) == 2
        assert len(scene.records("demo-1", "probe_gap")) == 1
        assert 0 < summary["unobserved_ms"] < 5000, summary
        assert summary["failed"] == 0 and summary["lost"] == 0, summary
        # Acknowledged, but not yet in the log of the one that died: never counted as good.
        assert summary["not_checked"] == summary["acked"] - summary["checked"], summary
        text = scene.run("report", "demo")
        assert "% observed" in text and "0 failed in the" in text, text
        assert "NOT PROVED" in text and "read what is not proved" in said, said + text


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(
        the_controller_may_die_anywhere,
        a_killed_probe_leaves_a_gap_and_no_success,
    )
