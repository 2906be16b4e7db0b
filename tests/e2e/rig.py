"""A cluster under load for the demo and the benchmark: six nodes, an inventory, upshift, and
clients of other kinds, all in one private folder that is removed at the end.

    with Rig(upshift_path) as rig:
        rig.start()
        clients = rig.start_clients()
        rig.upshift("upgrade", "demo", "7.0", "--yes", expected=(12,))
        stock_counts, patient_counts = rig.stop_clients(clients)

Everything that is started here, or by upshift from here, carries the folder in its environment, and
servers, which write their title over their environment, work in a folder below it: that is how
close() finds the servers, controllers and probes that outlived their parents. It ends no others.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cluster import Cluster, is_alive, send_signal

CLUSTER = "demo"
RATE = 2000  # operations per second of the probe
STOCK_RATE = 200  # the stock client stands beside the load, it is not the load
SOAK_S = 3
SUITES = {"redis": {"6.0": "bullseye", "7.0": "bookworm"}, "valkey": {"8.1": "trixie"}}
FIRST = ("redis", "6.0")
MARK = "UPSHIFT_STATE_DIR"
CLIENT_TIMEOUT_S = 120  # it reads back everything that it wrote


class CommandFailed(Exception):
    """upshift ended with an exit status that was not expected; the argument is what it said."""


class Rig:
    """See the module's text."""

    def __init__(self, upshift_path):
        self.program = str(upshift_path)
        self.directory = Path(tempfile.mkdtemp(prefix="upshift-demo-")).resolve()
        self.inventory = self.directory / "upshift.yaml"
        self.state = self.directory / "state"
        # Of this process, because the fixture starts servers with what it finds there.
        os.environ.update({MARK: str(self.state), "UPSHIFT_INVENTORY": str(self.inventory)})
        self.cluster = Cluster(self.directory, "", primaries=3, replicas=3)
        self.cluster.write_inventory(self.inventory, SUITES, policy={
            "probe": {"rate": RATE, "required": True}, "soak_s": SOAK_S})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # upshift.

    def upshift(self, *words, expected=(0,), **options):
        """Runs a command and returns what subprocess.run() returns."""
        done = subprocess.run([self.program, *words], check=False, text=True, **options)
        if done.returncode not in expected:
            raise CommandFailed(f"`upshift {' '.join(words)}` ended with {done.returncode}\n"
                                f"{done.stdout or ''}{done.stderr or ''}")
        return done

    def ask(self, *words, expected=(0,)):
        """Runs a command with --json and returns its object."""
        done = self.upshift(*words, "--json", expected=expected, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
        return json.loads(done.stdout)

    def snapshot(self):
        """The newest run as `upshift status` sees it."""
        return self.ask("status", CLUSTER)["snapshot"]

    def fetch(self, product, version):
        """Makes a version ready and returns its answer: exact version and the server's path."""
        return self.ask("datastore", "version", "fetch", product, version)

    def wait_for_soak(self, timeout_s=60):
        """Waits at the pause point until the wanted healthy time was seen."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            soak = self.snapshot().get("soak")
            if soak and soak["healthy_s"] >= soak["wanted_s"]:
                return
            time.sleep(0.2)
        raise TimeoutError(f"the cluster was not healthy for {SOAK_S} s within {timeout_s} s")

    # The cluster and its load.

    def start(self):
        """A healthy cluster in the first version."""
        self.cluster.server_path = self.fetch(*FIRST)["server"]
        self.cluster.start()
        self.cluster.create()

    def start_clients(self):
        """Starts the two clients that stand beside the probe: the stock client, and one that tries
        until it succeeds. They run until stop_clients()."""
        return (self.start_client("stock_client.py", "--rate", str(STOCK_RATE)),
                self.start_client("patient_client.py"))

    def start_client(self, name, *options):
        addresses = [f"{host}:{port}" for host, port in (n.address for n in self.cluster.nodes)]
        program = Path(__file__).resolve().parent / name
        return subprocess.Popen([sys.executable, str(program), *options, *addresses],
                                stdout=subprocess.PIPE, text=True, start_new_session=True)

    def stop_clients(self, clients, run=None):
        """Returns the counts of both. With a run's name those of the stock client are also put
        where the run's report reads them."""
        stock, patient = [stop_client(client) for client in clients]
        if run is not None:
            path = self.state / CLUSTER / "probe" / run / "stock.json"
            path.write_text(json.dumps(stock) + "\n")
        return stock, patient

    def start_probe(self, seconds):
        """Starts upshift's probe alone, as `upshift probe`."""
        return subprocess.Popen(
            [self.program, "probe", CLUSTER, "--rate", str(RATE), "--for", str(seconds), "--json",
             "--quiet"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def stop_probe(self, probe):
        """Lets it read back what it wrote and returns its final record."""
        send_signal(probe.pid, signal.SIGINT)
        output, talk = probe.communicate(timeout=180)
        try:
            return json.loads(output)["final"]
        except (ValueError, KeyError) as error:
            raise CommandFailed(f"the probe left no figures: {output}{talk}") from error

    # The end.

    def processes(self):
        """All processes that are ours, see the module's text."""
        found = [int(entry.name) for entry in Path("/proc").iterdir()
                 if entry.name.isdigit() and self.owns(entry)]
        return [pid for pid in found if pid != os.getpid() and is_alive(pid)]

    def owns(self, entry):
        mark = f"{MARK}={self.state}".encode()
        try:
            return (self.directory in Path(os.readlink(entry / "cwd")).parents
                    or mark in (entry / "environ").read_bytes().split(b"\0"))
        except OSError:  # gone, or somebody else's
            return False

    def end_processes(self):
        """Kills them: nothing that they could still write is kept. Again and again, because a
        controller may have started a server meanwhile."""
        while True:
            running = self.processes()
            if not running:
                return
            for pid in running:
                send_signal(pid, signal.SIGKILL)
            time.sleep(0.05)

    def close(self):
        """Leaves nothing behind; a second Ctrl-C does not get in the way."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.end_processes()
            shutil.rmtree(self.directory, ignore_errors=True)
        finally:
            signal.signal(signal.SIGINT, before)


def stop_client(client):
    """Its counts: one object, printed at the end."""
    send_signal(client.pid, signal.SIGTERM)
    output, _ = client.communicate(timeout=CLIENT_TIMEOUT_S)
    if not output:
        raise CommandFailed(f"{client.args[1]} could not use the cluster")
    return json.loads(output)
