#!/usr/bin/python3
"""The suite that the simulated drivers pass, against real servers of three versions."""
import os
import subprocess
from pathlib import Path

import sandbox

SKIPPED = 77


def conform(product, version, suite):
    done = subprocess.run([os.environ["PREPARE_VERSION"], product, version, suite], check=True,
                          stdout=subprocess.PIPE, text=True)
    server = Path(done.stdout.strip())
    tool = server.with_name(f"{product}-cli")
    done = subprocess.run([os.environ["REDIS_CONFORMANCE"], str(server), str(tool)], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90)
    if done.returncode == SKIPPED:
        raise sandbox.Skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout


def redis_6_0_conforms(_):
    conform("redis", "6.0", "bullseye")


def redis_7_0_conforms(_):
    conform("redis", "7.0", "bookworm")


def valkey_8_1_conforms(_):
    conform("valkey", "8.1", "trixie")


if __name__ == "__main__":
    sandbox.enter()
    sandbox.run_cases(redis_6_0_conforms, redis_7_0_conforms, valkey_8_1_conforms)
