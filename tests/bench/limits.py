# SPDX-License-Identifier: Apache-2.0
"""Section (h): what rate limits cost a packet, how fast they drop, and their memory.

Runs three programs that print a JSON object a row. The XDP program is timed by BPF_PROG_TEST_RUN.
"""

import json
import subprocess

import measure
from worker import BUILD

VETH = "ip link add fnd0 type veth peer name fnd1 && ip link set fnd0 up && ip link set fnd1 up"


def run(rounds, say):
    say("limits: the XDP program, repeated on one frame")
    rows = _rows("bench_limits", rounds)
    say("limits: librte_bpf, in process")
    worker = _rows("bench_limits_worker", rounds)
    say("limits: frames dropped behind a veth")
    drops = _rows("bench_limits_drop", "fnd0", "fnd1", rounds, network=VETH)
    return {
        "xdp": [r for r in rows if "name" in r],
        "maps": [r for r in rows if "map" in r],
        "worker": worker,
        "drops": drops,
    }


def _rows(program, *arguments, network=None):
    argv = [str(BUILD / "bench" / program), *map(str, arguments)]
    if network:  # goes with the process
        argv = ["unshare", "--net", "sh", "-c", f'{network} && exec "$@"', "sh", *argv]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    if out.returncode != 0:
        raise RuntimeError(f"{program}: exit {out.returncode}\n{out.stderr[-2000:]}")
    rows = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        row["spread"] = {k: measure.spread(v) for k, v in row.items() if isinstance(v, list)}
    return rows
