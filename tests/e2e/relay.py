"""Faulty links between the servers of a test: a relay in front of each node.

    with RelayedCluster(directory, "", options=...) as cluster: ...
    cluster.relays["node-4"].cut()     # connections end, new ones are refused
    cluster.relays["node-4"].freeze()  # half-open: taken, but nothing goes through
    cluster.relays["node-4"].slow(bytes_per_s)
    cluster.relays["node-4"].heal()

Each node announces its relay's ports, so clients, upshift and the other nodes all reach it through
the relay, on the port for clients and on the bus. What a node itself begins (to another node) goes
through the other one's relay.
"""
import asyncio
import threading

from cluster import BUS_OFFSET, HOST, Cluster, free_ports

CHUNK = 65536
TICK_S = 0.02


class Relay:
    """Two ports of one node. All methods may be called from any thread."""

    def __init__(self, port, target_port):
        self.port, self.target_port = port, target_port
        self.mode, self.rate = "open", 0
        self.loop = asyncio.new_event_loop()
        self.writers, self.servers = set(), []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        assert self.ready.wait(5), "the relay does not start"

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.listen())
        self.ready.set()
        self.loop.run_forever()

    async def listen(self):
        for offset in (0, BUS_OFFSET):
            async def take(reader, writer, offset=offset):
                await self.take(reader, writer, self.target_port + offset)
            self.servers.append(
                await asyncio.start_server(take, HOST, self.port + offset, reuse_address=True))

    async def take(self, reader, writer, port):
        if self.mode == "cut":
            writer.transport.abort()
            return
        try:
            other_reader, other_writer = await asyncio.open_connection(HOST, port)
        except OSError:  # the server is down: so is its relay
            writer.transport.abort()
            return
        self.writers |= {writer, other_writer}
        await asyncio.gather(self.pass_on(reader, other_writer), self.pass_on(other_reader, writer))
        self.writers -= {writer, other_writer}

    async def pass_on(self, reader, writer):
        try:
            while data := await reader.read(CHUNK):
                while self.mode == "frozen":
                    await asyncio.sleep(TICK_S)
                if self.mode == "slow":
                    await asyncio.sleep(len(data) / self.rate)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()

    # What tests do to it.

    def set_mode(self, mode, rate=0):
        self.mode, self.rate = mode, rate
        if mode == "cut":
            self.loop.call_soon_threadsafe(
                lambda: [writer.transport.abort() for writer in list(self.writers)])

    def cut(self):
        self.set_mode("cut")

    def freeze(self):
        self.set_mode("frozen")

    def slow(self, bytes_per_s):
        self.set_mode("slow", bytes_per_s)

    def heal(self):
        self.set_mode("open")

    def close(self):
        self.set_mode("cut")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


class RelayedCluster(Cluster):
    """A cluster whose nodes are known by the addresses of their relays."""

    def __init__(self, directory, server_path, primaries=3, replicas=3, options=None):
        super().__init__(directory, server_path, primaries, replicas, options)
        self.relays, self.own_ports = {}, {}
        outside = free_ports(len(self.nodes))
        for node, port in zip(self.nodes, outside):
            self.own_ports[node.name] = node.port
            self.relays[node.name] = Relay(port, node.port)
            node.port, node.address = port, (HOST, port)

    def config_text(self, node):
        own = self.own_ports[node.name]
        text = super().config_text(node).replace(f"\nport {node.port}\n", f"\nport {own}\n")
        return text + (f"cluster-announce-ip {HOST}\ncluster-announce-port {node.port}\n"
                       f"cluster-announce-bus-port {node.port + BUS_OFFSET}\n")

    def stop(self):
        super().stop()
        for relay in self.relays.values():
            relay.close()
