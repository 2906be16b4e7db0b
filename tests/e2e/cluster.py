"""A real Redis or Valkey Cluster on free loopback ports, for end-to-end tests and the demo.

    with Cluster(directory, server_path, primaries=3, replicas=3) as cluster:
        cluster.start()
        cluster.create()
        cluster.write_inventory(f"{directory}/upshift.yaml", {"redis": {"7.0": "bookworm"}})

Each node has a folder with redis.conf, its data, `server` (a symbolic link to the program in use),
redis.pid and server.log. Servers are found by the folder they work in, because upshift restarts
them under other process numbers; only those are ever ended.
"""
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

from resp import Connection, ServerError

HOST = "127.0.0.1"
SLOTS = 16384
BUS_OFFSET = 10000
PORTS = (12000, 20000)  # with their bus ports below what the kernel hands out to clients
BASE_CONFIG = {
    "bind": HOST,
    "daemonize": "no",
    "logfile": '""',
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": 2000,
    "appendonly": "yes",
    "save": '""',
}


class Node:
    """One server: where it is, not what it is at the moment."""

    def __init__(self, name, directory, port):
        self.name = name
        self.directory = Path(directory)
        self.port = port
        self.address = (HOST, port)
        self.config = self.directory / "redis.conf"
        self.link = self.directory / "server"
        self.pid_file = self.directory / "redis.pid"
        self.log = self.directory / "server.log"

    def pids(self):
        """The processes that work in this node's folder and run a server of ours."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.readlink(entry / "cwd") == str(self.directory):
                    found.append(int(entry.name))
            except OSError:  # gone, or somebody else's
                pass
        return found


    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines()[-8:]
        return "".join(f"{self.name}: {line}\n" for line in lines)


class Cluster:
    """See the module's text. `options`: password, user (an ACL user with that password), tls
    (true: own certificate), config (more directives for every node)."""

    topology = "cluster"
    base_config = BASE_CONFIG

    def __init__(self, directory, server_path, primaries=3, replicas=3, options=None):
        self.directory = Path(directory).resolve()
        self.server_path = str(server_path)
        self.options = options or {}
        self.primary_count = primaries
        self.ca_file = None
        ports = free_ports(primaries + replicas)
        self.nodes = [Node(f"node-{index}", self.directory / f"node-{index}", port)
                      for index, port in enumerate(ports, 1)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Making and ending it.

    def start(self):
        """Writes every node's folder and starts its server; returns when all answer."""
        if self.options.get("tls"):
            self.ca_file = make_certificate(self.directory)
        for node in self.nodes:
            node.directory.mkdir(parents=True, exist_ok=True)
            node.config.write_text(self.config_text(node))
            node.config.chmod(0o600)
            self.start_node(node, self.server_path)
        for node in self.nodes:
            self.wait_for(lambda node=node: self.call(node, "PING") == "PONG",
                          f"{node.name} to answer", node)

    def config_text(self, node):
        config = {**self.base_config, "dir": node.directory, "pidfile": node.pid_file,
                  "port": node.port}
        if self.ca_file:
            config.update({"port": 0, "tls-port": node.port, "tls-replication": "yes",
                           "tls-cluster": "yes", "tls-auth-clients": "no",
                           "tls-ca-cert-file": self.ca_file, "tls-cert-file": self.ca_file,
                           "tls-key-file": self.directory / "tls.key"})
        password = self.options.get("password")
        if password:
            config.update({"requirepass": password, "masterauth": password})
        config.update(self.options.get("config", {}))
        lines = [f"{name} {value}" for name, value in config.items()]
        if self.options.get("user"):
            lines.append(f"user {self.options['user']} on >{password} ~* +@all")
        return "".join(f"{line}\n" for line in lines)

    def start_node(self, node, server_path=None, *more):
        """Starts a node, in another version when `server_path` is given. Does not wait."""
        if server_path is not None:
            fresh = node.directory / ".server"
            fresh.symlink_to(server_path)
            fresh.rename(node.link)
        with open(node.log, "ab") as log:
            subprocess.Popen([str(node.link), str(node.config), *more], cwd=node.directory,
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             start_new_session=True)

    def stop_node(self, node, with_signal=signal.SIGTERM, timeout_s=10):
        """Ends a node and waits until it is gone; after the timeout it is killed. The signal is
        repeated: Redis 7.0 forgets a SIGTERM that comes while it writes its first append-only
        file after a full copy ("Writing initial AOF, can't exit")."""
        started = time.monotonic()
        rounds = 0
        while True:
            pids = [pid for pid in node.pids() if is_alive(pid)]
            if not pids:
                return
            elapsed_s = time.monotonic() - started
            if elapsed_s >= rounds * 0.5:
                rounds += 1
                for pid in pids:
                    send_signal(pid, with_signal if elapsed_s < timeout_s else signal.SIGKILL)
            time.sleep(0.02)

    def stop(self):
        """Ends all servers that work in this cluster's folders, whoever started them."""
        for node in self.servers():
            for pid in node.pids():
                send_signal(pid, signal.SIGTERM)
        for node in self.servers():
            self.stop_node(node)

    def servers(self):
        """All that run: the nodes, and what else a topology has."""
        return self.nodes

    def create(self):
        """Joins the nodes: the first ones are primaries, the others their replicas in turn.
        Commands that 6.0 lacks (ADDSLOTSRANGE) are not used."""
        first = self.nodes[0]
        primaries = self.nodes[:self.primary_count]
        for index, node in enumerate(self.nodes):
            self.call(node, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            self.call(first, "CLUSTER", "MEET", HOST, node.port)
        for index, node in enumerate(primaries):
            start = SLOTS * index // len(primaries)
            end = SLOTS * (index + 1) // len(primaries)
            self.call(node, "CLUSTER", "ADDSLOTS", *range(start, end))
        for node in self.nodes:
            self.wait_for(lambda node=node: len(self.view(node)) == len(self.nodes),
                          f"{node.name} to know all nodes", node)
        for index, node in enumerate(self.nodes[self.primary_count:]):
            primary = primaries[index % len(primaries)]
            self.wait_for(lambda node=node, primary=primary: self.replicate(node, primary),
                          f"{node.name} to become a replica", node)
        self.wait_until_agreed()

    def replicate(self, node, primary):
        try:
            return self.call(node, "CLUSTER", "REPLICATE",
                             self.call(primary, "CLUSTER", "MYID").decode()) == "OK"
        except ServerError:  # the role of the other node is not known here yet
            return False

    # Looking at it.

    def connect(self, node, timeout_s=5.0):
        return Connection(node.address, self.options.get("password"), self.options.get("user"),
                          self.ca_file, timeout_s)

    def call(self, node, *words):
        with self.connect(node) as connection:
            return connection.call(*words)

    def info(self, node, section="all"):
        """INFO as a dictionary of texts."""
        text = self.call(node, "INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def cluster_info(self, node):
        text = self.call(node, "CLUSTER", "INFO").decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def view(self, node):
        """CLUSTER NODES as this node sees it: id -> (port, flags, primary's id, epoch, slots)."""
        seen = {}
        for line in self.call(node, "CLUSTER", "NODES").decode().splitlines():
            words = line.split(" ")
            port = int(re.search(r":(\d+)@", words[1]).group(1))
            flags = frozenset(words[2].split(",")) - {"myself"}
            seen[words[0]] = (port, flags, words[3], int(words[6]), tuple(words[8:]))
        return seen

    def is_agreed(self):
        """Do all nodes see the same healthy cluster, with every replica attached and at rest?"""
        views = [self.view(node) for node in self.nodes]
        infos = [self.cluster_info(node) for node in self.nodes]
        links = [self.info(node, "replication").get("master_link_status", "up")
                 for node in self.nodes]
        rewrites = [self.info(node, "persistence")["aof_rewrite_in_progress"]
                    for node in self.nodes]
        flags = {flag for view in views for entry in view.values() for flag in entry[1]}
        return (all(view == views[0] for view in views) and flags <= {"master", "slave"}
                and all(info["cluster_state"] == "ok" for info in infos)
                and all(info["cluster_slots_ok"] == str(SLOTS) for info in infos)
                and len(views[0]) == len(self.nodes) and set(links) == {"up"}
                and set(rewrites) == {"0"})

    def wait_until_agreed(self, timeout_s=30):
        self.wait_for(self.is_agreed, "the nodes to agree", timeout_s=timeout_s)

    def roles(self):
        """Node name -> "master" or "slave", by its own word."""
        return {node.name: self.info(node, "replication")["role"] for node in self.nodes}

    def versions(self):
        """Node name -> "redis 7.0.15" or "valkey 8.1.1": Valkey reports a Redis version too."""
        found = {}
        for node in self.nodes:
            info = self.info(node, "server")
            found[node.name] = (f"valkey {info['valkey_version']}" if "valkey_version" in info
                                else f"redis {info['redis_version']}")
        return found

    def run_ids(self):
        """Node name -> the random id of its process."""
        return {node.name: self.info(node, "server")["run_id"] for node in self.nodes}

    def start_counts(self):
        """Node name -> how often its server came up, read from its own log."""
        return {node.name: node.log.read_text(errors="replace").count("Server initialized")
                for node in self.nodes}

    def key_counts(self):
        """Node name -> number of keys."""
        return {node.name: self.call(node, "DBSIZE") for node in self.nodes}

    def wait_for(self, condition, what, node=None, timeout_s=15):
        """Polls until the condition holds; a server that does not answer yet is "not yet"."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if condition():
                    return
                reason = "not yet so"
            except (OSError, ServerError) as error:
                reason = str(error)
            if time.monotonic() > deadline:
                logs = "".join(one.last_words() for one in ([node] if node else self.nodes))
                raise TimeoutError(f"waited {timeout_s} s for {what}: {reason}\n{logs}")
            time.sleep(0.05)

    # The inventory.

    def write_inventory(self, path, versions, name="demo", datastore="redis", policy=None):
        """Writes upshift.yaml. `versions`: {"redis": {"7.0": "bookworm"}}; `policy` as there."""
        cluster = {"datastore": datastore, "topology": self.topology, "hosts": {"via": "local"},
                   "service": {"manager": "process"}, "package": {"provider": "suite"}}
        if self.options.get("password"):
            secret = self.directory / "password"
            secret.touch(mode=0o600)
            secret.write_text(self.options["password"])
            cluster["auth"] = {"password": {"file": str(secret)}}
            if self.options.get("user"):
                cluster["auth"]["user"] = self.options["user"]
        if self.ca_file:
            cluster["tls"] = {"ca_file": str(self.ca_file)}
        cluster["nodes"] = [describe(node) for node in self.nodes]
        cluster.update(self.more_inventory())
        if policy:
            cluster["policy"] = policy
        datastores = {product: {"versions": {version: {"suite": suite}
                                             for version, suite in known.items()}}
                      for product, known in versions.items()}
        # JSON is YAML; one node a line keeps it readable.
        text = json.dumps({"datastores": datastores, "clusters": {name: cluster}}, indent=2)
        Path(path).write_text(text + "\n")
        return path


    def more_inventory(self):
        """Keys that only one topology has."""
        return {}


def describe(node):
    """A node as the inventory has it."""
    return {"name": node.name, "address": f"{HOST}:{node.port}",
            "directory": str(node.directory), "config": str(node.config),
            "server": str(node.link), "pid_file": str(node.pid_file), "log_file": str(node.log)}


def free_ports(count):
    """Ports whose bus port is free as well. Another program may still be faster: then the start
    fails and says so."""
    found = []
    candidates = list(range(*PORTS))
    random.shuffle(candidates)
    for port in candidates:
        if len(found) == count:
            break
        if is_free(port) and is_free(port + BUS_OFFSET):
            found.append(port)
    return sorted(found)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            return True
        except OSError:
            return False


def make_certificate(directory):
    """One self-signed certificate serves all nodes and is its own authority."""
    certificate = directory / "tls.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", str(directory / "tls.key"), "-out", str(certificate),
                    "-subj", "/CN=upshift test", "-addext", f"subjectAltName=IP:{HOST}"],
                   check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def is_alive(pid):
    """A child that ended but was not waited for is not alive."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False
