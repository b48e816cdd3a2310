# SPDX-License-Identifier: Apache-2.0
"""Section (d): CPU and memory of the programs while nothing happens."""

import time

import measure
from paths import DIRECT, Paths

SETTLE_S = 3


def run(seconds, with_fender, sidecar, say):
    say(f"footprint: {seconds} s without traffic")
    with Paths(with_fender, sidecar) as paths:
        ways = {n: w.pids() for n, w in paths.ways.items() if n != DIRECT}
        time.sleep(SETTLE_S)
        before = {p: measure.cpu_ns(p) for pids in ways.values() for p in pids}
        time.sleep(seconds)
        return {n: [_process(p, before[p], seconds) for p in pids] for n, pids in ways.items()}


def _process(pid, before_ns, seconds):
    with open(f"/proc/{pid}/comm") as f:
        name = f.read().strip()
    cpu = (measure.cpu_ns(pid) - before_ns) / (seconds * 1e9)
    return {"name": name, "cpu_percent": cpu * 100, **measure.memory_kib(pid)}
