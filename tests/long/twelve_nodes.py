#!/usr/bin/python3
"""Twelve nodes: four shards with two replicas each, four nodes at a time (one of each shard)."""
from places import ShapedScene, Stopwatch, peak_memory_kib

# pylint: disable=wrong-import-position
import sandbox
from scene import check_proof

POLICY = {"probe": {"rate": 2000, "required": True}, "soak_s": 1, "max_unavailable": 4}
MEMORY_KIB_MAX = 32 * 1024


def outs_at_once(scene):
    """The most nodes that were on their way at one moment, and of one shard, by the journal."""
    out, most, most_of_shard = {}, 0, 0
    for record in scene.ask("run", "show", "demo-1")["records"]:
        words = (record.get("step") or "").split("/")
        if len(words) == 3 and words[2] == "stop" and record["type"] == "intent":
            out[words[1]] = words[0]
        is_back = len(words) == 3 and record["type"] == "outcome" and (
            words[2] == "start" or record["body"]["state"] == "absent")
        if is_back:  # or never taken: a gate turned red after the intent
            out.pop(words[1], None)
        most = max(most, len(out))
        shards = list(out.values())
        of_one_shard = max(map(shards.count, shards), default=0)
        most_of_shard = max(most_of_shard, of_one_shard)
    return most, most_of_shard


def twelve_nodes_go_up_four_at_a_time_and_back_and_up_again(directory):
    with ShapedScene(directory, 4, 8, policy=POLICY) as scene:
        watch = Stopwatch()
        scene.start()
        watch.tell("cluster of twelve")
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        watch.tell("upgrade to the pause point")
        most, most_of_shard = outs_at_once(scene)
        print(f"# out at once: {most}, of one shard: {most_of_shard}", flush=True)
        assert most > 1 and most_of_shard == 1, (most, most_of_shard)
        scene.wait_for_soak()
        memory_kib = peak_memory_kib(scene.snapshot()["controller_pid"])
        print(f"# peak memory of the controller: {memory_kib} KiB", flush=True)
        assert memory_kib <= MEMORY_KIB_MAX, memory_kib
        scene.run("rollback", "demo", "--yes", expected=13)
        watch.tell("rollback")
        assert set(scene.cluster.versions().values()) == {"redis 6.0.16"}
        check_proof(scene.report())
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)
        scene.run("finalize", "demo", "--yes")
        watch.tell("upgrade again, finalized")
        assert set(scene.cluster.versions().values()) == {"redis 7.0.15"}
        check_proof(scene.report())


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(twelve_nodes_go_up_four_at_a_time_and_back_and_up_again)
