# SPDX-License-Identifier: Apache-2.0
"""The ways from a client to a server that are compared: direct, HAProxy, nginx, Fender.

    client 10.77.1.2 -- [fender]  10.77.1.1 | 10.77.2.1 -- 10.77.2.11 server
           10.77.5.2 -- [proxies] 10.77.5.1 | 10.77.6.1 -- 10.77.6.11
           10.77.7.2 ---------------------------------- -- 10.77.7.11

Client and server are the same namespaces for all; each way has its own veths, so that all
stand at once and runs can alternate. HAProxy and nginx share the namespace `proxies`.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import measure  # noqa: E402
import policies  # noqa: E402
from netns import Namespace  # noqa: E402
from world import FENDER4, SERVERS4, World, wait_for  # noqa: E402

DIRECT, HAPROXY, NGINX, FENDER = "direct", "haproxy", "nginx", "fender"
CLIENT_NET, SERVER_NET, DIRECT_NET = 5, 6, 7

BACKEND = """
daemon off; worker_processes 1; user root; pid {dir}/backend.pid; error_log {dir}/backend.err;
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
    server {{ listen 80 backlog=8192; location / {{ return 200 "fender bench\\n"; }} }}
}}
"""

STREAM = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; worker_processes 1; user root; pid {dir}/stream.pid; error_log {dir}/stream.err;
events {{ worker_connections 20000; }}
stream {{
    server {{ listen 10.77.5.1:8082 backlog=8192; proxy_pass 10.77.6.11:80; }}
    server {{ listen 10.77.5.1:5203; proxy_pass 10.77.6.11:5201; }}
}}
"""

HAPROXY_CFG = """
global
    nbthread 1
    maxconn 8000
defaults
    mode tcp
    backlog 8192
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen web
    bind 10.77.5.1:8081
    server s1 10.77.6.11:80
listen iperf
    bind 10.77.5.1:5202
    server s1 10.77.6.11:5201
"""


class Way:
    """One way: where its web server and its iperf3 server appear, and its processes."""

    def __init__(self, name, ip, web, iperf, process=None):
        self.name, self.ip, self.web, self.iperf = name, ip, web, iperf
        self.process = process

    @property
    def url(self):
        return f"http://{self.ip}:{self.web}/"

    def pids(self):
        return measure.processes_of([self.process.pid]) if self.process else []


class FenderWay(Way):
    """Fender's dataplane may not be a child of its control plane: both are looked up."""

    def __init__(self, fender):
        super().__init__(FENDER, FENDER4, 80, 5201)
        self.fender = fender

    def pids(self):
        return [self.fender.process.pid, self.fender.dataplane_pid()]


class Paths:
    """Everything up; `ways` by name. A context manager."""

    def __init__(self, with_fender=True, sidecar=None):
        self.with_fender, self.sidecar = with_fender, sidecar or {}

    def __enter__(self):
        self.world = World(ipv6=False)
        try:
            self.proxies = Namespace("proxies")
            self.world.namespaces.append(self.proxies)
            self._links()
            self.ways = {DIRECT: self._direct()}
            self.ways[HAPROXY] = self._haproxy()
            self.ways[NGINX] = self._nginx()
            if self.with_fender:
                self.ways[FENDER] = self._fender()
            for way in self.ways.values():
                self._wait(way)
        except BaseException:
            self.world.destroy()
            raise
        return self

    def __exit__(self, *exc):
        self.world.destroy()

    def _link(self, a, b, net_a, net_b, dev):
        """A veth between namespaces; dev is its name on both sides. Addresses .2 and .11 are
        the client's and the server's, .1 the proxy's."""
        a.ip(f"link add {dev} type veth peer name {dev} netns {b.name}", f"link set {dev} up")
        b.ip(f"link set {dev} up")
        a.ip(f"addr add {net_a}/24 dev {dev}")
        b.ip(f"addr add {net_b}/24 dev {dev}")

    def _links(self):
        client, server = self.world.client, self.world.server
        self._link(client, self.proxies, "10.77.5.2", "10.77.5.1", "proxy0")
        self._link(self.proxies, server, "10.77.6.1", "10.77.6.11", "proxy1")
        self._link(client, server, "10.77.7.2", "10.77.7.11", "direct")
        for ns in (client, server, self.proxies):
            ns.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
            ns.sysctl("net.ipv4.tcp_tw_reuse", 1)
            ns.sysctl("net.core.somaxconn", 16384)
            ns.sysctl("net.ipv4.tcp_max_syn_backlog", 16384)

    def _config(self, name, text):
        file = self.world.path(name)
        with open(file, "w") as f:
            f.write(text)
        return file

    def _spawn(self, ns, cpu, argv):
        return self.world.spawn(ns, measure.pinned(cpu, argv), log=f"{argv[0]}.log")

    def _direct(self):
        conf = self._config("backend.conf", BACKEND.format(dir=self.world.tmp))
        load = measure.load_cpu()
        self._spawn(self.world.server, load, ["nginx", "-c", conf])
        self._spawn(self.world.server, load, ["iperf3", "-s", "-p", "5201"])
        return Way(DIRECT, "10.77.7.11", 80, 5201)

    def _haproxy(self):
        conf = self._config("haproxy.cfg", HAPROXY_CFG)
        p = self._spawn(self.proxies, measure.proxy_cpu(), ["haproxy", "-db", "-f", conf])
        return Way(HAPROXY, "10.77.5.1", 8081, 5202, p)

    def _nginx(self):
        conf = self._config("stream.conf", STREAM.format(dir=self.world.tmp))
        p = self._spawn(self.proxies, measure.proxy_cpu(), ["nginx", "-c", conf])
        return Way(NGINX, "10.77.5.1", 8082, 5203, p)

    def _fender(self):
        policy = policies.base(
            workers=1, **{"cpus": [measure.proxy_cpu()], **self.sidecar}
        )
        policies.interface(policy, "servers", snat={"ports": "1024-65535"})
        for port in (80, 5201):
            policies.cluster(policy, f"p{port}", [f"{SERVERS4[0]}:{port}"])
            policies.listener(policy, f"p{port}", f"{FENDER4}:{port}", f"p{port}")
        return FenderWay(self.world.fender(policy))

    def _wait(self, way):
        def answers():
            argv = ["curl", "-s", "-o", "/dev/null", "-m", "1", way.url]
            return self.world.client.run(argv, check=False).returncode == 0

        answers.__name__ = f"{way.name} answers at {way.url}"
        wait_for(answers, 10)
