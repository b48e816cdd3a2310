#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Numbers of the demonstration, read from Fender's admin socket.

usage: figures.py live SOCKET SECONDS FILE    a line a second; what changed goes to FILE
       figures.py report SOCKET DIRECTORY     the story told by those files and wrk's
"""

import http.client
import json
import os
import re
import socket
import sys
import textwrap
import time

NAMES = {"10.77.2.11:80": "web1", "10.77.2.12:80": "web2", "10.77.2.13:80": "web3"}


def stats(path):
    connection = http.client.HTTPConnection("fender", timeout=5)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(5)
    connection.sock.connect(path)
    connection.request("GET", "/stats")
    return json.loads(connection.getresponse().read())


def figures(raw):
    """What the demonstration follows, as counts that only grow."""
    listeners = {x["name"]: x for x in raw["listeners"]}
    by_server = {
        NAMES[x["address"]]: x["started"] for x in raw["endpoints"] if x["address"] in NAMES
    }
    failed = dict(listeners["web"]["failed_by_reason"])
    return {
        "connections": listeners["web"]["started"],
        "dns": listeners["dns"]["succeeded"],
        "servers": by_server,
        "failed": failed,
        "retries": next(x for x in raw["clusters"] if x["name"] == "web")["policy"]["retries"],
        "packets": raw["packets"]["received"],
    }


def between(a, b):
    def minus(x, y):
        return {k: v - x.get(k, 0) for k, v in y.items() if v != x.get(k, 0)}

    return {
        "connections": b["connections"] - a["connections"],
        "dns": b["dns"] - a["dns"],
        "servers": minus(a["servers"], b["servers"]),
        "failed": minus(a["failed"], b["failed"]),
        "retries": b["retries"] - a["retries"],
        "packets": b["packets"] - a["packets"],
    }


def shares(servers):
    total = sum(servers.values()) or 1
    return "  ".join(f"{name} {100 * n / total:3.0f} %" for name, n in sorted(servers.items()))


def live(path, seconds, out):
    first = last = figures(stats(path))
    for _ in range(seconds - 1):  # wrk needs a moment to begin and one to end
        time.sleep(1)
        now = figures(stats(path))
        d = between(last, now)
        failed = ", ".join(f"{n} {reason}" for reason, n in d["failed"].items()) or "none failed"
        if d["retries"]:
            failed += f", {d['retries']} tried elsewhere"
        print(
            f"    {d['connections']:6d} connections/s   {shares(d['servers'])}   "
            f"{d['dns']:3d} DNS answers/s   {failed}",
            flush=True,
        )
        last = now
    time.sleep(1.3)
    with open(out, "w") as f:
        json.dump(between(first, figures(stats(path))), f)


def wrk(directory, phase):
    """(requests, failed, p99) as the client saw them."""
    with open(os.path.join(directory, f"wrk-{phase}.txt")) as f:
        text = f.read()
    requests = re.search(r"(\d+) requests in", text)
    errors = re.search(r"Socket errors: (.*)", text)
    failed = sum(int(n) for n in re.findall(r"\d+", errors[1])) if errors else 0
    p99 = re.search(r"^\s+99%\s+(\S+)", text, re.MULTILINE)
    return int(requests[1]) if requests else 0, failed, p99[1] if p99 else "?"


PHASES = [
    ("even", "equal weights"),
    ("weights", "web1 made 4 times as heavy, under load"),
    ("dead", "web3 dies, under load"),
    ("back", "web3 comes back, under load"),
    ("removed", "web3 taken out of the policy, under load"),
]


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) / 1024


def cpu_percent(pid, seconds=2):
    def used():
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(seconds)
    return 100 * (used() - before) / seconds


def phase_rows(directory):
    """Print a line a phase; return what the summary needs: phase -> (requests, failed, retries)."""
    print(f"    {'':42s} requests   failed      p99   who served")
    rows = {}
    for phase, title in PHASES:
        requests, failed, p99 = wrk(directory, phase)
        with open(os.path.join(directory, f"{phase}.json")) as f:
            changed = json.load(f)
        shown = shares(changed["servers"])
        print(f"    {title:42s} {requests:8d} {failed:8d} {p99:>8s}   {shown}")
        rows[phase] = requests, failed, changed["retries"]
    return rows


def packets_line(raw):
    p = raw["packets"]
    dropped = ", ".join(f"{n} {reason}" for reason, n in p["dropped"].items()) or "none"
    came = f"{p['received']} received + {p['originated']} made by Fender"
    went = f"{p['transmitted']} sent + {p['consumed']} for Fender itself + "
    went += f"{p['dropped_total']} dropped ({dropped})"
    if p["held"]:
        went += f" + {p['held']} waiting"
    law = "Every packet is accounted for" if raw["conservation"]["holds"] else "Still moving"
    return f"{law}: {came} = {went}."


def report(path, directory):
    rows = phase_rows(directory)
    raw = stats(path)
    pid = raw["dataplane"]["pid"]
    dns = next(x for x in raw["listeners"] if x["name"] == "dns")
    cluster = next(x for x in raw["clusters"] if x["name"] == "web")
    lost = sum(failed for _, failed, _ in rows.values())
    retries = rows["dead"][2] + rows["back"][2]
    lines = [
        f"{lost or 'No'} request{'s' * (lost != 1)} of {sum(n for n, _, _ in rows.values())} failed, "
        "as the client saw it. What a dying server has accepted is lost; what it has not is tried "
        "elsewhere.",
        f"When the server died {retries} connections were tried at another one; after five failures "
        f"in a row it got no more, but for a probe every 2 s, which readmitted it. "
        f"{cluster['policy']['ejections']} ejections; {cluster['retry']['amplification']:.2f} "
        "attempts a call over the whole show.",
        f"{dns['succeeded']} DNS questions were answered over UDP meanwhile.",
        packets_line(raw),
        f"With the load gone the dataplane uses {cpu_percent(pid):.1f} % of one CPU and "
        f"{resident_mib(pid):.0f} MiB of memory.",
    ]
    print()
    for line in lines:
        print(textwrap.fill(line, 96, initial_indent="    - ", subsequent_indent="      "))


if __name__ == "__main__":
    if sys.argv[1:2] == ["live"] and len(sys.argv) == 5:
        live(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    elif sys.argv[1:2] == ["report"] and len(sys.argv) == 4:
        report(sys.argv[2], sys.argv[3])
    else:
        sys.exit(__doc__)
