#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts the daemon with 10,000 lazy connections, and prints how long it takes to answer and what it keeps resident.
usage: bench/daemon_start.py POLYPOOL_COMMAND"""
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

COUNT, ROUNDS = 10_000, 5


def write_configuration(path, count):
    lines = ["polypool:", "  lazy_connect: true", "  server: {port: 0}", "  default_connection: p0", "  connections:"]
    for i in range(count):
        lines += [f"    p{i}:", "      type: postgres", f"      host: db-{i % 50}.internal", f"      user: app_{i}",
                  f"      password: secret-{i}", f"      database: project_{i}"]
    path.write_text("\n".join(lines) + "\n")


def start(command, configuration):
    """Seconds until /health/live answers, and resident bytes then."""
    begun = time.monotonic()
    daemon = subprocess.Popen([command, "serve", "--config", configuration], stdout=subprocess.PIPE, text=True)
    try:
        for line in daemon.stdout:
            if "/health" in line:
                url = line.split()[0]
                break
        urllib.request.urlopen(url + "/live", timeout=5).read()
        took = time.monotonic() - begun
        status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
        resident = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        return took, resident
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(timeout=30)


def main():
    with tempfile.TemporaryDirectory() as folder:
        many, few = pathlib.Path(folder, "many.yaml"), pathlib.Path(folder, "few.yaml")
        write_configuration(many, COUNT)
        write_configuration(few, 1)
        big = [start(sys.argv[1], many) for _ in range(ROUNDS)]
        small = [start(sys.argv[1], few) for _ in range(ROUNDS)]
    seconds = statistics.median(each[0] for each in big)
    per_connection = (statistics.median(e[1] for e in big) - statistics.median(e[1] for e in small)) / (COUNT - 1)
    print(f"daemon with {COUNT} connections: answers after {seconds * 1000:.0f} ms (median of {ROUNDS}); "
          f"with one: {statistics.median(e[0] for e in small) * 1000:.0f} ms; {per_connection:.0f} bytes resident each")


if __name__ == "__main__":
    main()
