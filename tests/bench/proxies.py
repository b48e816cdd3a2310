# SPDX-License-Identifier: Apache-2.0
"""Section (c): Fender against HAProxy in tcp mode and nginx stream, one thread each."""

import json
import re

import measure
from paths import DIRECT, FENDER, Paths

CONNECTIONS = 50
TABLE = 65536  # room for what rests of a test without keep-alive
STEAL_MAX = 0.01
OTHERS_MAX = 0.02
TRIES = 3

UNIT_US = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7}


def _us(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNIT_US[unit]


class Load:
    """The load generators, run from the client's namespace on the load CPU."""

    def __init__(self, paths, seconds):
        self.paths, self.seconds = paths, seconds

    def _run(self, argv):
        argv = measure.pinned(measure.load_cpu(), argv)
        return self.paths.world.client.run(argv, timeout=self.seconds + 30).stdout

    def wrk(self, way, headers=()):
        argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.seconds}s", "--latency"]
        for h in headers:
            argv += ["-H", h]
        out = self._run([*argv, way.url])
        errors = re.search(r"Socket errors: .*", out)
        return {
            "rps": float(re.search(r"Requests/sec: *([\d.]+)", out)[1]),
            "p50_us": _us(re.search(r"50% +(\S+)", out)[1]),
            "p99_us": _us(re.search(r"99% +(\S+)", out)[1]),
            "errors": errors[0] if errors else None,
        }

    def requests(self, way):
        return self.wrk(way)

    def connections(self, way):
        return self.wrk(way, ["Connection: close"])

    def throughput(self, way):
        out = self._run(
            ["iperf3", "-c", way.ip, "-p", str(way.iperf), "-t", str(self.seconds), "-J"]
        )
        return {"gbps": json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e9}

    def fixed(self, way, rate):
        """CPU of the whole machine a request at an offered rate."""
        per_client = rate / CONNECTIONS
        argv = ["h2load", "--h1", f"-c{CONNECTIONS}", f"--rps={per_client:g}"]
        clock = measure.Machine()
        out = self._run([*argv, f"-D{self.seconds}", way.url])
        e = clock.elapsed()
        done = int(re.search(r"(\d+) succeeded", out)[1])
        return {
            "cpu_us": e["busy_s"] * 1e6 / done if done else None,
            "achieved": done / self.seconds,
        }


def sample(paths, run, way):
    """One run; again when the hypervisor or other programs took CPU time meanwhile. None if
    they keep to it: no number is better than theirs."""
    for _ in range(TRIES):
        clock = measure.Machine([p for w in paths.ways.values() for p in w.pids()])
        result = run(way)
        e = clock.elapsed()
        if e["steal"] <= STEAL_MAX and e["others"] <= OTHERS_MAX:
            return result
    return None


def turned(ways, by):
    """The ways in an order that changes every round."""
    by %= len(ways)
    return ways[by:] + ways[:by]


def offered_rates(load, ways):
    """Three rates up to half of what the slowest peer can do, in steps of one per client."""
    slowest = min(load.requests(w)["rps"] for w in ways if w.name not in (DIRECT, FENDER))
    return [max(1, int(slowest * share / CONNECTIONS)) * CONNECTIONS for share in (0.125, 0.25, 0.5)]


def run(rounds, seconds, with_fender, sidecar, say):
    with Paths(with_fender, {"connections": TABLE, **sidecar}) as paths:
        load = Load(paths, seconds)
        ways = list(paths.ways.values())
        for way in ways:
            load.requests(way)
        rates = offered_rates(load, ways)
        tests = {
            "requests": load.requests,
            "connections": load.connections,
            "throughput": load.throughput,
            **{f"fixed_{r}": (lambda way, r=r: load.fixed(way, r)) for r in rates},
        }
        raw = {t: {w.name: [] for w in ways} for t in tests}
        for n in range(rounds):
            say(f"proxies: round {n + 1} of {rounds}")
            for test, measurement in tests.items():
                for way in turned(ways, n):
                    raw[test][way.name].append(sample(paths, measurement, way))
        return {"rates": rates, "seconds": seconds, "rounds": rounds, "raw": raw, **summary(raw, rates)}


def column(samples, field):
    return [s[field] if s else None for s in samples]


def added(raw, rate, name):
    """CPU a request above the direct path, round by round."""
    direct = column(raw[f"fixed_{rate}"][DIRECT], "cpu_us")
    mine = column(raw[f"fixed_{rate}"][name], "cpu_us")
    return [a - b if a is not None and b is not None else None for a, b in zip(mine, direct, strict=True)]


def summary(raw, rates):
    names = list(raw["requests"])
    metrics = {}
    for test, field in (
        ("requests", "rps"),
        ("requests", "p50_us"),
        ("requests", "p99_us"),
        ("connections", "rps"),
        ("throughput", "gbps"),
    ):
        columns = {n: column(raw[test][n], field) for n in names}
        metrics[f"{test}_{field}"] = _row(columns)
    for rate in rates:
        metrics[f"added_cpu_us_at_{rate}"] = _row(
            {n: added(raw, rate, n) for n in names if n != DIRECT}
        )
        metrics[f"cpu_us_at_{rate}"] = _row(
            {n: column(raw[f"fixed_{rate}"][n], "cpu_us") for n in names}
        )
    return {"metrics": metrics}


def _row(columns):
    row = {"spread": {n: spread for n, c in columns.items() if (spread := measure.spread(c))}}
    if FENDER in columns:
        row["ratio_to_fender"] = {
            n: measure.paired(c, columns[FENDER]) for n, c in columns.items() if n != FENDER
        }
    return row
