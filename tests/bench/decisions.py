# SPDX-License-Identifier: Apache-2.0
"""Sections (e) and (f): what the policies cost a connection, and what their tables cost a reload.

Both run a program that prints a JSON object a row.
"""

import json
import subprocess

import measure
from worker import BUILD


def policy(rounds, say):
    say("policy: the engine's decisions, in process")
    return {"rows": _rows("bench_policy", rounds, ("start_ns", "all_ns"))}


def tables(rounds, say):
    say("tables: building and compiling, in process")
    return {"rows": _rows("bench_compile", rounds, ("table_ms", "compile_ms"))}


def _rows(program, rounds, columns):
    argv = [str(BUILD / "bench" / program), "--rounds", str(rounds)]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=900)
    if out.returncode != 0:
        raise RuntimeError(f"{program}: exit {out.returncode}\n{out.stderr[-2000:]}")
    rows = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        row["spread"] = {c: measure.spread(row[c]) for c in columns}
    return rows
