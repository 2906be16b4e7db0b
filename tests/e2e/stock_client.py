#!/usr/bin/python3
"""stock_client.py - an ordinary application: the distribution's Python client, as it comes.

Threads write and read keys "stock:<id>:<n>" through redis.cluster.RedisCluster (python3-redis), or
with --master-name through redis.sentinel.Sentinel, with its own handling of redirections and retries, and count what the application would have seen.
At the end every acknowledged write is read back. It shares nothing with the probe, so the two can
be compared.

Prints one line of JSON:
    {"id", "seconds", "operations", "ok", "errors": {class: count}, "error_texts": [first 5],
     "wrong", "longest_ms", "acked", "checked", "missing", "different", "not_checked",
     "missing_keys": [first 20]}
Exit status: 0 also when operations failed; 1 when the cluster could not be reached at all.
"""

import argparse
import hashlib
import json
import logging
import os
import random
import signal
import sys
import threading
import time

try:
    from redis.cluster import ClusterNode, RedisCluster
    from redis.sentinel import Sentinel
except ImportError:
    sys.exit("stock_client.py: the package python3-redis is missing: apt-get install python3-redis")

TEXT_COUNT_MAX = 5
KEY_COUNT_MAX = 20
READ_BACK_TRIES = 5


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("nodes", nargs="+", metavar="HOST:PORT")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0,
                        help="operations per second in total; 0: as fast as they go")
    parser.add_argument("--for", type=float, dest="seconds", default=0, help="0: until stopped")
    parser.add_argument("--stop-file", help="ends when this file appears")
    parser.add_argument("--status-file", help="gets a line of JSON per second")
    parser.add_argument("--id", default=f"{os.getpid()}-{int(time.time())}")
    parser.add_argument("--ttl", type=int, default=3600, help="of the keys, in seconds")
    parser.add_argument("--user")
    parser.add_argument("--password-env", help="environment variable that holds the password")
    parser.add_argument("--ca-file", help="use TLS and trust this file")
    parser.add_argument("--master-name", help="the nodes are Sentinels; ask them for this one")
    parser.add_argument("--keep-keys", action="store_true", help="do not delete the keys at the end")
    return parser.parse_args()


def connect(arguments):
    """One client as an application would make it: nothing set but a time limit, without which
    the library waits for ever for a server that stopped."""
    nodes = []
    for text in arguments.nodes:
        host, _, port = text.rpartition(":")
        nodes.append(ClusterNode(host.strip("[]"), int(port)))
    options = {"socket_timeout": 5, "socket_connect_timeout": 5}
    if arguments.user:
        options["username"] = arguments.user
    if arguments.password_env:
        options["password"] = os.environ[arguments.password_env]
    if arguments.ca_file:
        options.update(ssl=True, ssl_ca_certs=arguments.ca_file)
    if arguments.master_name:
        asked = Sentinel([(node.host, node.port) for node in nodes], socket_timeout=1)
        return asked.master_for(arguments.master_name, **options)
    return RedisCluster(startup_nodes=nodes, **options)


def value_of(key):
    return hashlib.sha256(key.encode()).hexdigest().encode()


class Worker(threading.Thread):
    """One thread of the application, with a client of its own."""

    def __init__(self, number, arguments, stop):
        super().__init__(daemon=True)
        self.number = number
        self.arguments = arguments
        self.stop = stop
        self.client = connect(arguments)
        self.operations = 0
        self.ok = 0
        self.wrong = 0
        self.longest_s = 0.0
        self.errors = {}
        self.error_texts = []
        self.acked = []
        self.random = random.Random(number)

    def run(self):
        pace_s = self.arguments.threads / self.arguments.rate if self.arguments.rate else 0
        due = time.monotonic()
        while not self.stop.is_set():
            began = time.monotonic()
            self.operate(began)
            due = max(due + pace_s, began - 1)  # late by a second at most: no burst afterwards
            rest = due - time.monotonic()
            if rest > 0:
                self.stop.wait(rest)

    def operate(self, began):
        is_write = self.operations % 2 == 0 or not self.acked
        self.operations += 1
        try:
            if is_write:
                key = f"stock:{self.arguments.id}:{self.number}-{self.operations}"
                self.client.set(key, value_of(key))
                self.acked.append(key)
                # Apart, because 7.0 replicates a time inside SET in a form that 6.0 drops.
                self.client.expire(key, self.arguments.ttl)
            else:
                key = self.random.choice(self.acked)
                self.wrong += self.client.get(key) != value_of(key)
            self.ok += 1
        except Exception as error:  # pylint: disable=broad-except
            # Whatever the library raises is what its user sees, so it is counted by its class.
            name = type(error).__name__
            self.errors[name] = self.errors.get(name, 0) + 1
            if len(self.error_texts) < TEXT_COUNT_MAX:
                self.error_texts.append(f"{name}: {error}")
        self.longest_s = max(self.longest_s, time.monotonic() - began)


def read_again(client, key):
    """The value, None when it is not there, or False when the cluster could not be asked."""
    for attempt in range(READ_BACK_TRIES):
        try:
            return client.get(key)
        except Exception:  # pylint: disable=broad-except
            time.sleep(0.2 * (attempt + 1))
    return False


def read_back(arguments, keys, result):
    client = connect(arguments)
    for key in keys:
        value = read_again(client, key)
        if value is False:
            result["not_checked"] += 1
            continue
        result["checked"] += 1
        if value != value_of(key):
            result["missing" if value is None else "different"] += 1
            if len(result["missing_keys"]) < KEY_COUNT_MAX:
                result["missing_keys"].append(key)
        if not arguments.keep_keys:
            try:
                client.delete(key)
            except Exception:  # pylint: disable=broad-except
                pass  # it expires by itself


def summarize(workers, seconds):
    errors = {}
    for worker in workers:
        for name, count in list(worker.errors.items()):
            errors[name] = errors.get(name, 0) + count
    return {
        "id": workers[0].arguments.id,
        "seconds": round(seconds, 1),
        "operations": sum(worker.operations for worker in workers),
        "ok": sum(worker.ok for worker in workers),
        "errors": errors,
        "error_texts": [text for worker in workers for text in worker.error_texts][:TEXT_COUNT_MAX],
        "wrong": sum(worker.wrong for worker in workers),
        "longest_ms": round(max(worker.longest_s for worker in workers) * 1000, 1),
        "acked": sum(len(worker.acked) for worker in workers),
    }


def wait_for_end(arguments, workers, stop, began):
    status = open(arguments.status_file, "w", encoding="utf-8") if arguments.status_file else None
    told = began
    while not stop.wait(0.1):
        now = time.monotonic()
        if arguments.seconds and now - began >= arguments.seconds:
            break
        if arguments.stop_file and os.path.exists(arguments.stop_file):
            break
        if status and now - told >= 1:
            told += 1
            print(json.dumps(summarize(workers, now - began)), file=status, flush=True)
    stop.set()
    if status:
        status.close()


def main():
    logging.disable()  # the library logs a traceback for every redirection
    arguments = parse_arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        workers = [Worker(number, arguments, stop) for number in range(arguments.threads)]
    except Exception as error:  # pylint: disable=broad-except
        print(f"stock_client.py: cannot reach the cluster: {error}", file=sys.stderr)
        return 1
    began = time.monotonic()
    for worker in workers:
        worker.start()
    wait_for_end(arguments, workers, stop, began)
    for worker in workers:
        worker.join()
    result = summarize(workers, time.monotonic() - began)
    result.update(checked=0, missing=0, different=0, not_checked=0, missing_keys=[])
    read_back(arguments, [key for worker in workers for key in worker.acked], result)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
