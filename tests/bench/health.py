# SPDX-License-Identifier: Apache-2.0
"""Section (g): what health checks of 10,000 endpoints cost the control plane.

    [fender]  10.77.2.1 fb ---- eth0  10.77.2.11    [server]   Fender's own, idle
              10.79.0.1 probe - probe 10.79.0.2                the kernel's: probes go here

The server's kernel takes all of 10.80.0.0/16 as its own addresses, so two sockets answer for
every endpoint: one is closed when it is accepted, the other answers an HTTP request first.
"""

import collections
import socket
import threading
import time

import measure
import policies
from paths import World

ENDPOINTS = 10_000
INTERVAL_S = 10
SOURCE, GATEWAY, NETWORK = "10.79.0.1", "10.79.0.2", "10.80.0.0/16"
TCP_PORT, HTTP_PORT = 80, 81
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
# None: the same policy without checks.
TYPES = {
    None: None,
    "tcp": {"type": "tcp"},
    "http": {"type": "http", "path": "/", "port": HTTP_PORT},
}


def run(seconds, say):
    rows = []
    for name, check in TYPES.items():
        say(f"health: {ENDPOINTS} endpoints, {name or 'no'} checks")
        rows.append({"type": name or "none", **_row(check, seconds)})
    return {"endpoints": ENDPOINTS, "interval_s": INTERVAL_S, "rows": rows}


class Answers:
    """Takes connections to every address of the namespace and counts them by port."""

    def __init__(self, ns):
        self.count = collections.Counter()
        self.sockets = []
        for port, answer in ((TCP_PORT, None), (HTTP_PORT, OK)):
            with ns:
                s = socket.create_server(("", port), backlog=8192)
            self.sockets.append(s)
            threading.Thread(target=self._serve, args=(s, port, answer), daemon=True).start()

    def _serve(self, listening, port, answer):
        while True:
            try:
                c, _ = listening.accept()
            except OSError:
                return
            self.count[port] += 1
            with c:
                if answer:
                    self._answer(c, answer)

    @staticmethod
    def _answer(c, answer):
        try:
            c.settimeout(1)
            c.recv(4096)
            c.sendall(answer)
        except OSError:
            pass  # a probe that was given up; it counts as one all the same

    def total(self):
        return self.count.total()

    def close(self):
        for s in self.sockets:
            s.shutdown(socket.SHUT_RDWR)
            s.close()


def _link(world):
    """The kernel's own way to the endpoints, beside Fender's interfaces."""
    world.gateway.ip(
        f"link add probe type veth peer name probe netns {world.server.name}",
        f"addr add {SOURCE}/24 dev probe",
        "link set probe up",
    )
    world.server.ip(
        f"addr add {GATEWAY}/24 dev probe",
        "link set probe up",
        f"route add local {NETWORK} dev lo",
    )
    world.gateway.ip(f"route add {NETWORK} via {GATEWAY}")


def _policy(check):
    policy = policies.base(
        workers=1, cpus=[measure.proxy_cpu()], max_endpoints=ENDPOINTS, policy_slot="16MiB"
    )
    policies.interface(policy, "servers", routes=[{"to": NETWORK, "via": "10.77.2.11"}])
    addresses = [f"10.80.{1 + i // 250}.{1 + i % 250}:{TCP_PORT}" for i in range(ENDPOINTS)]
    keys = {}
    if check:
        keys["health_check"] = {**check, "interval": f"{INTERVAL_S}s", "source": SOURCE}
    policies.cluster(policy, "web", addresses, **keys)
    return policies.listener(policy, "web", "10.77.1.1:80", "web")


def _row(check, seconds):
    """A sample a second, after each endpoint was probed at least once."""
    world = World(ipv6=False)
    try:
        _link(world)
        answers = Answers(world.server)
        fender = world.fender(_policy(check))
        pid = fender.process.pid
        time.sleep(1.3 * INTERVAL_S)
        user = _user_s(pid)
        samples = [_sample(pid, answers) for _ in range(seconds)]
        user = _user_s(pid) - user
        if check:
            _must_be_healthy(fender.stats())
        memory = measure.memory_kib(pid)
        answers.close()
    finally:
        world.destroy()
    probes = sum(s["probes"] for s in samples)
    cpu_s = sum(s["cpu_s"] for s in samples)
    return {
        "samples": samples,
        "probes_rate": probes / seconds,
        "probes_rate_peak": max(s["probes"] for s in samples),
        "cpu_percent": 100 * cpu_s / seconds,
        "cpu_percent_peak": 100 * max(s["cpu_s"] for s in samples),
        "cpu_us_a_probe": cpu_s * 1e6 / probes if probes else None,
        "user_us_a_probe": user * 1e6 / probes if probes else None,
        "rss_kib": memory["rss"],
    }


def _sample(pid, answers):
    """One second: probes that arrived, CPU time of the control plane."""
    cpu, probes = measure.cpu_ns(pid), answers.total()
    time.sleep(1)
    return {"cpu_s": (measure.cpu_ns(pid) - cpu) / 1e9, "probes": answers.total() - probes}


def _user_s(pid):
    """CPU time outside the kernel, which carries both ends of the veth for a probe."""
    with open(f"/proc/{pid}/stat") as f:
        return int(f.read().rpartition(")")[2].split()[11]) * measure.TICK_S


def _must_be_healthy(stats):
    """Otherwise the numbers are those of failing probes."""
    states = collections.Counter(e["health"]["state"] for e in stats.raw["endpoints"])
    if states != {"healthy": ENDPOINTS}:
        raise RuntimeError(f"health: endpoints are {dict(states)}")
