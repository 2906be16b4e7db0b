"""A real primary with replicas, and Sentinels that watch it when wanted, on free loopback ports.

    with Replication(directory, server_path, options={"sentinels": 3}) as cluster:
        cluster.start()
        cluster.create()
        cluster.primary().port

It is used like cluster.Cluster and has its options, and `sentinels`: how many (0: nobody watches);
`down_after_ms`; `hook`: what the inventory's hooks.primary_changed says.
"""
from cluster import BASE_CONFIG, HOST, Cluster, Node, describe, free_ports

MASTER_NAME = "mymaster"
DOWN_AFTER_MS = 2000


class Replication(Cluster):
    """See the module's text. The first node is the primary, until somebody changes it."""

    base_config = {name: value for name, value in BASE_CONFIG.items()
                   if not name.startswith("cluster-")}

    def __init__(self, directory, server_path, replicas=2, options=None):
        super().__init__(directory, server_path, primaries=1, replicas=replicas, options=options)
        self.topology = "sentinel" if self.options.get("sentinels") else "replication"
        self.sentinels = [Node(f"sentinel-{index}", self.directory / f"sentinel-{index}", port)
                          for index, port in enumerate(
                              free_ports(self.options.get("sentinels", 0)), 1)]

    def servers(self):
        return [*self.sentinels, *self.nodes]

    def config_text(self, node):
        text = super().config_text(node)
        if node is not self.nodes[0]:
            text += f"replicaof {HOST} {self.nodes[0].port}\n"
        return text

    def sentinel_text(self, node):
        first = self.nodes[0]
        quorum = len(self.sentinels) // 2 + 1
        after_ms = self.options.get("down_after_ms", DOWN_AFTER_MS)
        lines = [f"port {node.port}", f"bind {HOST}", "daemonize no", 'logfile ""',
                 f"dir {node.directory}", f"pidfile {node.pid_file}",
                 f"sentinel monitor {MASTER_NAME} {HOST} {first.port} {quorum}",
                 f"sentinel down-after-milliseconds {MASTER_NAME} {after_ms}",
                 f"sentinel failover-timeout {MASTER_NAME} 10000"]
        if self.options.get("password"):
            lines.append(f"sentinel auth-pass {MASTER_NAME} {self.options['password']}")
            lines.append(f"requirepass {self.options['password']}")
        return "".join(f"{line}\n" for line in lines)

    def start_node(self, node, server_path=None, *more):
        """A Sentinel is the same program with another duty."""
        duty = ["--sentinel"] if node in self.sentinels else []
        super().start_node(node, server_path, *duty, *more)

    def create(self):
        """Waits for the replicas, then starts the Sentinels and waits until they know all."""
        self.wait_until_agreed()
        for node in self.sentinels:
            node.directory.mkdir(parents=True, exist_ok=True)
            node.config.write_text(self.sentinel_text(node))
            node.config.chmod(0o600)
            self.start_node(node, self.server_path)
        for node in self.sentinels:
            self.wait_for(lambda node=node: self.knows_all(node),
                          f"{node.name} to know all", node, timeout_s=30)

    # Looking at it.

    def primary(self):
        """The only node that calls itself primary."""
        found = [node for node in self.nodes if self.info(node, "replication")["role"] == "master"]
        assert len(found) == 1, found
        return found[0]

    def is_agreed(self):
        """Is there one primary, with every other node attached and at rest?"""
        infos = [self.info(node) for node in self.nodes]
        replicas = [info for info in infos if info["role"] == "slave"]
        ports = {node.port for node, info in zip(self.nodes, infos) if info["role"] == "master"}
        return (len(replicas) == len(self.nodes) - 1
                and {int(info["master_port"]) for info in replicas} == ports
                and all(info["master_link_status"] == "up" for info in replicas)
                and all(info["aof_rewrite_in_progress"] == "0" for info in infos))

    def ask_sentinel(self, node, *words):
        """SENTINEL ..., a flat list of names and values as a dictionary."""
        return named(self.call(node, "SENTINEL", *words))

    def sentinel_replicas(self, node):
        return [named(item) for item in self.call(node, "SENTINEL", "REPLICAS", MASTER_NAME)]

    def published(self, node):
        """The port of the primary that a Sentinel tells clients."""
        return int(self.call(node, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)[1])

    def knows_all(self, node):
        master = self.ask_sentinel(node, "MASTER", MASTER_NAME)
        replicas = self.sentinel_replicas(node)
        return (int(master["num-other-sentinels"]) == len(self.sentinels) - 1
                and master["flags"] == "master"
                and len(replicas) == len(self.nodes) - 1
                and all(one["flags"] == "slave" and one["master-link-status"] == "ok"
                        for one in replicas))

    def sentinel_versions(self):
        return {node.name: self.info(node, "server")["redis_version"] for node in self.sentinels}

    # The inventory.

    def more_inventory(self):
        more = {}
        if self.sentinels:
            more = {"master_name": MASTER_NAME,
                    "sentinels": [describe(node) for node in self.sentinels]}
        if self.options.get("hook"):
            more["hooks"] = {"primary_changed": [str(word) for word in self.options["hook"]]}
        return more


def named(words):
    texts = [word.decode() if isinstance(word, bytes) else str(word) for word in words]
    return dict(zip(texts[::2], texts[1::2]))
