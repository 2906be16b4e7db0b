#!/usr/bin/python3
"""patient_client.py - a client that tries until it succeeds, to measure how long that takes.

Workers write one key after the other; a write that fails is tried again 5 ms later, at whatever
node the cluster points to, until it is acknowledged. So an outage is seen as one long operation,
where a client that gives up sees many short failures. Runs until SIGTERM; prints a line of JSON:
    {"operations", "failed_attempts", "longest_ms", "unfinished"}
"""
import argparse
import binascii
import json
import os
import random
import signal
import sys
import threading
import time

from resp import Connection, ServerError

SLOTS = 16384
KEYS = 64  # of each worker, written over and over
RETRY_S = 0.005
TIMEOUT_S = 2.0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("nodes", nargs="+", metavar="HOST:PORT")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rate", type=float, default=400, help="operations a second in total")
    return parser.parse_args()


def address_of(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


class Worker(threading.Thread):
    """One thread with connections of its own."""

    def __init__(self, number, arguments, stop):
        super().__init__(daemon=True)
        self.nodes = [address_of(text) for text in arguments.nodes]
        self.pace_s = arguments.workers / arguments.rate
        self.stop = stop
        self.keys = [f"patient:{os.getpid()}:{number}-{index}" for index in range(KEYS)]
        self.connections = {}
        self.owners = {}  # slot -> address, learnt from redirections
        self.random = random.Random(number)
        self.operations = self.failed_attempts = self.unfinished = 0
        self.longest_s = 0.0

    def run(self):
        while not self.stop.is_set():
            began = time.monotonic()
            self.finish("SET", self.random.choice(self.keys), str(self.operations))
            self.stop.wait(max(0.0, began + self.pace_s - time.monotonic()))
        for key in self.keys:
            try:
                self.attempt("DEL", key)
            except (OSError, ServerError):
                pass

    def finish(self, *words):
        """One operation, as long as it takes."""
        began = time.monotonic()
        while True:
            try:
                self.attempt(*words)
                self.operations += 1
                break
            except (OSError, ServerError):
                self.failed_attempts += 1
            if self.stop.is_set():
                self.unfinished += 1
                break
            time.sleep(RETRY_S)
        self.longest_s = max(self.longest_s, time.monotonic() - began)

    def attempt(self, *words):
        """Follows redirections, which are answers and not failures."""
        slot = binascii.crc_hqx(words[1].encode(), 0) % SLOTS
        for _ in range(len(self.nodes)):
            address = self.owners.get(slot) or self.random.choice(self.nodes)
            try:
                return self.connection(address).call(*words)
            except ServerError as error:
                if not str(error).startswith("MOVED "):
                    raise
                self.owners[slot] = address_of(str(error).split()[2])
            except OSError:
                self.forget(address, slot)
                raise
        raise ServerError("the nodes send one around in circles")

    def connection(self, address):
        if address not in self.connections:
            self.connections[address] = Connection(address, timeout_s=TIMEOUT_S)
        return self.connections[address]

    def forget(self, address, slot):
        self.owners.pop(slot, None)
        connection = self.connections.pop(address, None)
        if connection is not None:
            connection.close()


def main():
    arguments = parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    workers = [Worker(number, arguments, stop) for number in range(arguments.workers)]
    for worker in workers:
        worker.start()
    stop.wait()
    for worker in workers:
        worker.join()
    print(json.dumps({
        "operations": sum(worker.operations for worker in workers),
        "failed_attempts": sum(worker.failed_attempts for worker in workers),
        "longest_ms": round(max(worker.longest_s for worker in workers) * 1000, 1),
        "unfinished": sum(worker.unfinished for worker in workers)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
