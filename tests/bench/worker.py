# SPDX-License-Identifier: Apache-2.0
"""Section (a): nanoseconds a packet inside the worker. Runs bench_worker, which prints JSON."""

import json
import os
import pathlib
import subprocess

import measure

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FENDER_BUILD", ROOT / "build" / "release"))


def run(rounds, say):
    say("worker: in process, without kernel I/O")
    with measure.Hugepages(768) as huge:
        argv = [BUILD / "bench" / "bench_worker", "--rounds", rounds]
        argv += ["--", "--in-memory"] if huge.available else ["--", "--no-huge", "-m", "1024"]
        out = subprocess.run(
            measure.pinned(measure.proxy_cpu(), argv), capture_output=True, text=True, timeout=900
        )
    if out.returncode != 0:
        raise RuntimeError(f"bench_worker: exit {out.returncode}\n{out.stderr[-2000:]}")
    rows = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        row["spread"] = measure.spread(row["values"])
    return {"hugepages": huge.available, "rows": rows}
