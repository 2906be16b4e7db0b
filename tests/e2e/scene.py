"""A cluster of a test's own: servers, inventory and journal in one folder, and what tests ask it.

    with Scene(directory, policy={"soak_s": 0}) as scene:
        scene.start()
        scene.run("upgrade", "demo", "7.0", "--yes", expected=12)

The end of the block ends every process that was started from the folder, by anybody.
"""
import binascii
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from cluster import SLOTS, Cluster, send_signal
from rig import MARK, SUITES, Rig, stop_client

PROBED = {"probe": {"rate": 2000}, "soak_s": 1}
UNPROBED = {"probe": {"mode": "off"}, "soak_s": 0}
TEMPORARY = ("repl-backlog-size", "repl-diskless-sync-delay")  # what a run sets and takes back


class Scene(Rig):
    """See the module's text. `options` are those of Cluster, `policy` is the inventory's."""

    cluster_class = Cluster

    # pylint: disable=super-init-not-called
    # The demo's folder and policy are not a test's.
    def __init__(self, directory, options=None, policy=None, program="UPSHIFT"):
        self.program = os.environ[program]
        self.timeout_s = 120  # of one command
        self.directory = Path(directory).resolve() / "scene"
        self.directory.mkdir()
        self.inventory = self.directory / "upshift.yaml"
        self.state = self.directory / "state"
        os.environ.update({MARK: str(self.state), "UPSHIFT_INVENTORY": str(self.inventory)})
        self.cluster = self.cluster_class(self.directory, "", options=options)
        self.policy = policy or UNPROBED
        self.write_inventory()

    def write_inventory(self):
        self.cluster.write_inventory(self.inventory, SUITES, policy=self.policy)

    def start(self, product="redis", version="6.0"):
        """A healthy cluster in the given version."""
        self.cluster.server_path = self.fetch(product, version)["server"]
        self.cluster.start()
        self.cluster.create()
        self.write_inventory()  # again: it names the certificate that was made now

    # upshift.

    def run(self, *words, expected=0):
        """Runs a command and returns all it said."""
        return self.upshift(*words, expected=(expected,), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            timeout=self.timeout_s).stdout

    def begin(self, *words, **more_environment):
        """Starts a command and does not wait for it."""
        return subprocess.Popen([self.program, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={**os.environ, **more_environment}, start_new_session=True)

    def wait_for_state(self, *states, timeout_s=60):
        """Waits until the newest run is in one of these states, and returns its snapshot."""
        self.cluster.wait_for(lambda: self.snapshot()["state"] in states, f"one of {states}",
                              timeout_s=timeout_s)
        return self.snapshot()

    def step_states(self):
        """Step -> its state; nothing while there is no run yet."""
        done = subprocess.run([self.program, "status", "demo", "--json"], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
        return {step["id"]: step["state"] for step in answer.get("snapshot", {}).get("steps", [])}

    def records(self, run, kind):
        """The journal's records of one type, as objects with "step" and "body"."""
        return [record for record in self.ask("run", "show", run)["records"]
                if record["type"] == kind]

    def report(self, run=None):
        """The report of a run as `upshift report` recomputes it."""
        return self.ask("report", "demo", *([run] if run else []))["report"]

    # The cluster.

    def settings(self, names=TEMPORARY):
        """Node name -> the live values of some settings."""
        return {node.name: {name: self.cluster.call(node, "CONFIG", "GET", name)[1].decode()
                            for name in names} for node in self.cluster.nodes}

    def all_settings(self, node):
        words = [word.decode() for word in self.cluster.call(node, "CONFIG", "GET", "*")]
        return dict(zip(words[::2], words[1::2]))

    def current_epoch(self):
        """Grows by one with every change of a primary; the same on all nodes at rest."""
        epochs = {self.cluster.cluster_info(node)["cluster_current_epoch"]
                  for node in self.cluster.nodes}
        assert len(epochs) == 1, epochs
        return int(epochs.pop())

    def shard_epochs(self):
        """First slots of a shard -> the config epoch of the primary that serves it."""
        view = self.cluster.view(self.cluster.nodes[0])
        return {entry[4]: entry[3] for entry in view.values() if "master" in entry[1]}

    def lasting_view(self, node):
        """CLUSTER NODES without what a node suspects for a moment on a busy machine."""
        return {name: (entry[0], entry[1] - {"fail?"}, *entry[2:])
                for name, entry in self.cluster.view(node).items()}

    def check_untouched(self, before):
        """Compares with an earlier fingerprint and names what is different."""
        for what, values in self.fingerprint().items():
            different = {name: (value, before[what].get(name)) for name, value in values.items()
                         if value != before[what].get(name)}
            assert not different, f"{what}, now and before: {different}"

    def fingerprint(self):
        """All that a command without effect leaves as it is, read from servers and files."""
        cluster = self.cluster
        running = [node for node in cluster.nodes if node.pids()]
        return {
            "pids": {node.name: node.pids() for node in cluster.nodes},
            "run ids": {node.name: cluster.info(node, "server")["run_id"] for node in running},
            "settings": {node.name: self.all_settings(node) for node in running},
            "views": {node.name: self.lasting_view(node) for node in running},
            "links": {node.name: os.readlink(node.link) for node in cluster.nodes},
            "files": {node.name: node.config.read_bytes() for node in cluster.nodes},
        }

    # Its load.

    def start_stock(self, rate=200):
        """As the demo's, and also able to speak to a cluster with password and TLS."""
        options = self.cluster.options
        words = ["--rate", str(rate)]
        if options.get("password"):
            words += ["--password-env", "STOCK_PASSWORD"]
        if options.get("user"):
            words += ["--user", options["user"]]
        if self.cluster.ca_file:
            words += ["--ca-file", str(self.cluster.ca_file)]
        program = Path(__file__).resolve().parent / "stock_client.py"
        addresses = [f"{host}:{port}" for host, port in (n.address for n in self.cluster.nodes)]
        return subprocess.Popen(
            [sys.executable, str(program), *words, *addresses], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "STOCK_PASSWORD": options.get("password", "")},
            start_new_session=True)

    def check_stock(self, stock):
        """Ends the stock client: it has to have seen nothing but success."""
        counts = stop_client(stock)
        assert counts["operations"] > 100, counts
        assert counts["ok"] == counts["operations"] and counts["wrong"] == 0, counts
        assert counts["checked"] == counts["acked"], counts
        assert counts["missing"] == 0 and counts["different"] == 0, counts
        return counts

    # Its end.

    def close(self):
        """Servers that a test stopped are woken first: they end like the others."""
        for node in self.cluster.nodes:
            for pid in node.pids():
                send_signal(pid, signal.SIGCONT)
        super().close()


def write_keys(cluster, prefix, *options, count):
    """SET through whoever is primary now, the same number of keys in each shard."""
    roles = cluster.roles()
    for node in [node for node in cluster.nodes if roles[node.name] == "master"]:
        slots = [entry[4] for entry in cluster.view(node).values() if entry[0] == node.port][0]
        tag = tag_in(slots[0])
        with cluster.connect(node) as connection:
            for number in range(count // 3):
                assert connection.call("SET", f"{prefix}:{{{tag}}}:{number}", "x", *options) == "OK"


def tag_in(slots):
    """A hash tag in a range of slots."""
    first, last = (int(slot) for slot in slots.split("-"))
    return next(tag for tag in map(str, range(SLOTS)) if first <= key_slot(tag) <= last)


def key_slot(text):
    """CRC-16/XMODEM of the text, as Redis Cluster has it."""
    return binascii.crc_hqx(text.encode(), 0) % SLOTS


def wait_for_exit(process, timeout_s=60):
    """Returns (exit status, all it said)."""
    output, _ = process.communicate(timeout=timeout_s)
    return process.returncode, output


def check_proof(report, operations_min=1000):
    """The probe has seen all the time, and nothing but success."""
    summary = report["summary"]
    assert summary["intended"] >= operations_min, summary
    assert summary["ok"] == summary["intended"] and summary["failed"] == 0, summary
    assert summary["wrong"] == 0 and summary["lost"] == 0, summary
    assert summary["checked"] == summary["acked"] > 0, summary
    return summary
