"""What the long tests share: where the end-to-end helpers are, and scenes of other shapes.

Each long test takes up to 20 minutes and is not part of `make test`; docs/testing.md keeps what
each printed last. `make long-kill`, `make long-nodes`, `make long-data`, `make long-writes`.
"""
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

# pylint: disable=wrong-import-position
from cluster import Cluster  # noqa: E402
from scene import Scene  # noqa: E402


class ShapedScene(Scene):
    """A scene with another number of primaries and replicas."""

    def __init__(self, directory, primaries, replicas, **more):
        super().__init__(directory, **more)
        self.cluster = Cluster(self.directory, "", primaries=primaries, replicas=replicas,
                               options=more.get("options"))
        self.write_inventory()


class Stopwatch:
    """Prints how long each part took, as a TAP comment."""

    def __init__(self):
        self.last = time.monotonic()

    def tell(self, what):
        now = time.monotonic()
        print(f"# {what}: {now - self.last:.1f} s", flush=True)
        self.last = now


def peak_memory_kib(pid):
    """The most memory that a process ever held (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError(f"process {pid} has no VmHWM")


def environment_number(name, default):
    return int(os.environ.get(name, default))
