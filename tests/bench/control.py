# SPDX-License-Identifier: Apache-2.0
"""Section (i): the control plane with 1,000 clusters and 16,000 endpoints, and how it starts over.

Sizes, reloads and scrapes at full size; forwarding with and without a scraper, interleaved; then,
with a small policy, the adoption of reloads, kill -9 of the dataplane and upgrades.
"""

import json
import os
import re
import signal
import subprocess
import time

import full
import measure
from beat import Beat
from fender import check
from full import Site
from proxies import Load, turned

RELOADS, SCRAPES, ADOPTIONS = 11, 11, 31
KILLS, UPGRADES = 10, 5
KILL_EVERY_S = 5.5  # the third death within 10 s would wait: back-off is not measured here
PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
ANSWERS = {
    "/metrics, text": ("/metrics", "text/plain"),
    "/metrics, protobuf": ("/metrics", PROTOBUF),
    "/metrics?endpoints=none": ("/metrics?endpoints=none", "text/plain"),
    "/stats": ("/stats", "application/json"),
}
STAGES = ("validate", "stage", "publish", "adopt")


def run(rounds, seconds, say):
    out = {"mix": full.MIX}
    with Site(full.full) as site:
        say("control: sizes, reloads, answers")
        out["before"] = _sizes(site)
        out["reloads"] = _reloads(site, RELOADS)
        out["answers"] = [_answer(site, name, *of) for name, of in ANSWERS.items()]
        out["after"] = _sizes(site)
        out["forwarding"] = _forwarding(site, rounds, seconds, say)
    with Site(full.small) as site:
        say("control: reloads of a small policy")
        out["adoption"] = {"idle": _reloads(site, ADOPTIONS), "loaded": _under_load(site)}
        with Beat(site.world, full.FENDER4, full.ECHO) as beat:
            out["kills"] = _kills(site, beat, say)
            out["upgrades"] = _upgrades(site, beat, say)
    return out


# -- sizes ------------------------------------------------------------------------------------


def _sizes(site):
    f = site.fender
    region = os.path.join(site.world.shm, f"fender-{f.instance}")
    pids = {"fender": f.process.pid, "fender-dataplane": f.dataplane_pid()}
    return {
        "policy_bytes": os.path.getsize(f.file),
        "region_bytes": os.path.getsize(region),
        "processes": {name: measure.memory_kib(pid) for name, pid in pids.items()},
        "predicted": _predicted(f.file),
    }


def _predicted(file):
    """What `fender check` says the policy needs."""
    text = check(file).stdout
    return {
        "image_kib": int(re.search(r"this policy fills (\d+) KiB", text)[1]),
        "region_kib": int(re.search(r"in all +(\d+) KiB", text)[1]),
        "all_mib": int(re.search(r"in all, besides code: about (\d+) MiB", text)[1]),
    }


# -- reloads ----------------------------------------------------------------------------------


def _reload(site):
    """Milliseconds of each stage."""
    f = site.fender
    site.change()
    began = time.monotonic()
    status, body = f.http("POST", "/reload")
    wall_ms = (time.monotonic() - began) * 1e3
    answer = json.loads(body)
    if status != 200 or answer["result"] != "applied":
        raise RuntimeError(f"reload: {status} {body}")
    row = {stage: answer["timings_us"][stage] / 1e3 for stage in STAGES}
    return {**row, "compile_to_publish": sum(row[s] for s in STAGES[:3]), "wall": wall_ms}


def _reloads(site, count):
    return _columns([_reload(site) for _ in range(count)])


def _columns(rows):
    return {k: _distribution([r[k] for r in rows]) for k in rows[0]}


def _distribution(values):
    return {**measure.spread(values), "max": max(values), "values": values}


def _under_load(site):
    argv = ["wrk", "-t1", "-c50", "-d60s", site.url]
    load = site.world.spawn(site.world.client, measure.pinned(measure.load_cpu(), argv))
    time.sleep(0.5)
    try:
        return _reloads(site, ADOPTIONS)
    finally:
        site.world.stop(load)


# -- answers ----------------------------------------------------------------------------------


def _curl(site, path, accept, *options):
    argv = ["curl", "-s", "-o", "/dev/null", "-H", f"Accept: {accept}"]
    return [*argv, *options, "--unix-socket", site.fender.socket, f"http://fender{path}"]


def _answer(site, name, path, accept):
    rows = []
    for _ in range(SCRAPES):
        cpu = measure.cpu_ns(site.fender.process.pid)
        argv = _curl(site, path, accept, "-w", "%{time_total} %{size_download}")
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
        cpu_ms = (measure.cpu_ns(site.fender.process.pid) - cpu) / 1e6
        rows.append({"wall_ms": float(out[0]) * 1e3, "cpu_ms": cpu_ms, "bytes": int(out[1])})
    return {"name": name, **_columns(rows)}


# -- forwarding beside a scraper --------------------------------------------------------------


class _Scraper:
    """Reads /metrics again and again, behind everybody else: a real one is on another machine."""

    def __init__(self, site, pause_s):
        self.site, self.pause_s = site, pause_s

    def __enter__(self):
        self.process = None
        if self.pause_s is not None:
            curl = " ".join(f"'{w}'" for w in _curl(self.site, "/metrics", PROTOBUF))
            loop = f"while {curl}; do sleep {self.pause_s}; done"
            argv = measure.pinned(measure.load_cpu(), ["nice", "-n", "19", "sh", "-c", loop])
            self.process = self.site.world.spawn(self.site.world.client, argv)

    def __exit__(self, *exc):
        if self.process:
            self.site.world.stop(self.process)


SCRAPERS = {"none": None, "every second": 1, "without pause": 0}


def _forwarding(site, rounds, seconds, say):
    load = Load(site, seconds)
    raw = {name: [] for name in SCRAPERS}
    load.wrk(site)
    for n in range(rounds):
        say(f"control: forwarding beside a scraper, round {n + 1} of {rounds}")
        for name in turned(list(SCRAPERS), n):
            with _Scraper(site, SCRAPERS[name]):
                raw[name].append(load.wrk(site))
    columns = {
        m: {n: [r[m] for r in rows] for n, rows in raw.items()} for m in ("rps", "p50_us", "p99_us")
    }
    return {
        "rounds": rounds,
        "seconds": seconds,
        "raw": raw,
        "spread": {m: {n: measure.spread(v) for n, v in c.items()} for m, c in columns.items()},
        "ratio": {
            m: {n: measure.paired(v, c["none"]) for n, v in c.items() if n != "none"}
            for m, c in columns.items()
        },
    }


# -- another dataplane ------------------------------------------------------------------------


def _kills(site, beat, say):
    gaps = []
    for n in range(KILLS):
        say(f"control: kill {n + 1} of {KILLS}")
        pid = site.fender.dataplane_pid()
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        time.sleep(KILL_EVERY_S / 2)
        beat.settle()
        gaps.append(beat.longest_ms(began))
        time.sleep(max(0, began + KILL_EVERY_S - time.monotonic()))
    return _distribution(gaps)


def _upgrades(site, beat, say):
    rows = []
    for n in range(UPGRADES):
        say(f"control: upgrade {n + 1} of {UPGRADES}")
        began = time.monotonic()
        status, body = site.fender.http("POST", "/upgrade")
        if status != 200:
            raise RuntimeError(f"upgrade: {status} {body}")
        beat.settle()
        rows.append({"gap": beat.longest_ms(began), "said": json.loads(body)["pause_ms"]})
    return _columns(rows)
