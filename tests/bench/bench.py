#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The bench: what Fender costs and carries, beside its peers in the same run.

Sections: worker (a), rig (b), proxies (c), footprint (d), policy (e), tables (f), health (g),
limits (h), control (i).
Prints tables and writes JSON.
Timing here informs; it gates nothing.
"""

import argparse
import json
import os
import shlex
import sys
import time

import control
import decisions
import footprint
import health
import limits
import measure
import proxies
import report
import rig
import worker
import yaml

SECTIONS = (
    "worker",
    "rig",
    "proxies",
    "footprint",
    "policy",
    "tables",
    "health",
    "limits",
    "control",
)

OF_PEERS = ("rig", "proxies", "footprint")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--json", help="write all results here")
    p.add_argument("--rounds", type=int, default=7, help="interleaved rounds (7)")
    p.add_argument("--seconds", type=int, default=2, help="of each run (2)")
    p.add_argument("--only", choices=SECTIONS, action="append", help="run these sections")
    p.add_argument("--without-fender", action="store_true", help="the peers alone")
    p.add_argument(
        "--sidecar",
        type=yaml.safe_load,
        default={},
        metavar="YAML",
        help="sidecar keys for Fender, e.g. '{spin: 0us}'",
    )
    return p.parse_args()


def run(name, args):
    with_fender = not args.without_fender
    match name:
        case "worker":
            return worker.run(args.rounds, say)
        case "rig":
            return rig.run(args.rounds, args.seconds, with_fender, args.sidecar, say)
        case "proxies":
            return proxies.run(args.rounds, args.seconds, with_fender, args.sidecar, say)
        case "footprint":
            return footprint.run(10, with_fender, args.sidecar, say)
        case "policy":
            return decisions.policy(args.rounds, say)
        case "tables":
            return decisions.tables(args.rounds, say)
        case "health":
            return health.run(20, say)
        case "limits":
            return limits.run(args.rounds, say)
        case _:
            return control.run(args.rounds, args.seconds, say)


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def main():
    args = arguments()
    if os.geteuid() != 0:
        sys.exit("bench: makes network namespaces and AF_XDP sockets: run as root")
    if len(measure.cpus()) < 2:
        sys.exit("bench: needs two CPUs: one for the program under test, one for load and backend")
    results = {
        "machine": measure.describe(),
        "command": shlex.join(sys.argv),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "background_busy": measure.background(),
    }
    with_fender = not args.without_fender
    for name in args.only or SECTIONS:
        if with_fender or name in OF_PEERS:
            results[name] = run(name, args)
    print(report.text(results))
    if args.json:
        os.makedirs(os.path.dirname(args.json) or ".", exist_ok=True)
        with open(args.json, "w") as f:
            json.dump(results, f, indent=1)
            f.write("\n")
        print(f"\nwritten: {args.json}")


if __name__ == "__main__":
    main()
