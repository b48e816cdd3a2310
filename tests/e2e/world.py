# SPDX-License-Identifier: Apache-2.0
"""A small network for one test:

    client 10.77.1.2 -- fa [fender] fb -- server 10.77.2.11, .12, ... .18
           fd77:1::2                             fd77:2::11, ...

Fender's ends, fa and fb, are exclusive AF_XDP interfaces in the namespace `fender`: the
kernel has no address there. A router may stand on either side (see add_router), and the kernel
may have a path of its own to the servers (see probe_path).
"""

import os
import pathlib
import shutil
import tempfile
import time

from fender import Fender
from netns import Namespace, end_processes, mount_bpf, unique, unmount_bpf

CLIENT4, CLIENT6 = "10.77.1.2", "fd77:1::2"
FENDER4, FENDER6 = "10.77.1.1", "fd77:1::1"
SNAT4, SNAT6 = "10.77.2.1", "fd77:2::1"
BACKENDS4 = [f"10.77.2.{i}" for i in range(11, 19)]
BACKENDS6 = [f"fd77:2::{i}" for i in range(11, 19)]
SERVERS4, SERVERS6 = BACKENDS4[:3], BACKENDS6[:3]
PROBER4, PROBER6 = "10.77.9.1", "fd77:9::1"
RESOLVER4 = "10.77.9.2"
SERVICE4, SERVICE6 = "10.96.0.20", "fd96::20"
TOOLS = pathlib.Path(__file__).resolve().parents[1] / "tools"


def at(ip, port):
    """ip:port as policies and URLs write it."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


class World:
    def __init__(self, queues=1, ipv6=True, mtu=1500, vlan=0):
        self.queues, self.ipv6, self.vlan = queues, ipv6, vlan
        self.tmp = tempfile.mkdtemp(prefix=unique("t") + "-", dir="/tmp")
        os.chmod(self.tmp, 0o755)  # servers that change their user read files here
        self.shm = tempfile.mkdtemp(prefix=unique("s") + "-", dir="/dev/shm")
        self.bpf = mount_bpf(self.tmp)
        self.processes = []
        self.fenders = []
        self.namespaces = []
        try:
            self._build(mtu)
        except BaseException:
            self.destroy()
            raise

    # -- building ---------------------------------------------------------

    def _build(self, mtu):
        self.client = self._namespace("client")
        self.gateway = self._namespace("fender")
        self.server = self._namespace("server")
        self._link(self.client, "fa", mtu, self.vlan)
        self._link(self.server, "fb", mtu, 0)
        self.address(self.client, [CLIENT4], [CLIENT6])
        self.address(self.server, BACKENDS4, BACKENDS6)
        self._routes(self.client, [SERVICE4, SERVICE6], FENDER4, FENDER6)

    def _namespace(self, role):
        ns = Namespace(role)
        self.namespaces.append(ns)
        ns.sysctl("net.ipv6.conf.default.accept_ra", 0)
        ns.sysctl("net.ipv6.conf.default.accept_dad", 0)
        if role == "fender" or not self.ipv6:
            for where in ("default", "all"):
                ns.sysctl(f"net.ipv6.conf.{where}.disable_ipv6", 1)
        ns.sysctl("net.ipv4.ping_group_range", "0 2147483647")
        return ns

    def _link(self, ns, end, mtu, vlan):
        """A veth from ns (eth0; with vlan a tagged interface on top of it) to Fender's end."""
        q = f"numtxqueues {self.queues} numrxqueues {self.queues}"
        self.gateway.ip(
            f"link add {end} mtu {mtu} {q} type veth peer name eth0 mtu {mtu} {q} netns {ns.name}",
            f"link set {end} up",
        )
        ns.ip("link set eth0 up")
        if vlan:
            self._tagged(ns, vlan, mtu)

    def _tagged(self, ns, vlan, mtu):
        """An interface `tagged` on top of eth0, by a relay: not every kernel has 802.1Q."""
        mac = "02:00:00:00:42:01"
        ns.ip("tuntap add dev tagged mode tap", f"link set tagged address {mac} mtu {mtu} up")
        ns.ip("link set eth0 promisc on")
        ns.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
        self.spawn(ns, ["/usr/bin/python3", TOOLS / "vlan_relay.py", "eth0", "tagged", vlan])

        def relay_has_opened_the_device():
            return "LOWER_UP" in ns.ip_json("link", "show", "tagged")[0]["flags"]

        wait_for(relay_has_opened_the_device)

    def device(self, ns):
        return "tagged" if self.vlan and ns is self.client else "eth0"

    def address(self, ns, ipv4=(), ipv6=(), dev=None):
        dev = dev or self.device(ns)
        lines = [f"addr add {ip}/24 dev {dev}" for ip in ipv4]
        if self.ipv6:
            lines += [f"addr add {ip}/64 dev {dev} nodad" for ip in ipv6]
        ns.ip(*lines)

    def _routes(self, ns, targets, via4, via6):
        lines = []
        for to in targets:
            if ":" not in to:
                lines.append(f"route replace {to} via {via4}")
            elif self.ipv6:
                lines.append(f"route replace {to} via {via6}")
        ns.ip(*lines)

    def add_router(self, side, mtu=1500):
        """Put a router between Fender and a new host on that side.

        The host is 10.77.3.2 / fd77:3::2 (server side) or 10.77.4.2 / fd77:4::2 (client
        side); the router is .254 / ::fe on both of its networks. The router's link to the host
        has the given MTU, the host believes in 1500: the router has to say "too big".
        """
        near, net = (self.server, 3) if side == "server" else (self.client, 4)
        near_net = 2 if side == "server" else 1
        host = self._namespace(f"{side}-host")
        near.ip(
            f"link add far mtu {mtu} type veth peer name eth0 mtu 1500 netns {host.name}",
            "link set far up",
        )
        host.ip("link set eth0 up")
        self.address(near, [f"10.77.{near_net}.254"], [f"fd77:{near_net}::fe"])
        self.address(near, [f"10.77.{net}.254"], [f"fd77:{net}::fe"], dev="far")
        self.address(host, [f"10.77.{net}.2"], [f"fd77:{net}::2"], dev="eth0")
        host.ip(
            f"route add default via 10.77.{net}.254", f"route add default via fd77:{net}::fe"
        )
        near.sysctl("net.ipv4.ip_forward", 1)
        near.sysctl("net.ipv6.conf.all.forwarding", 1)
        return host

    def probe_path(self):
        """A link of the kernel's own from Fender's namespace to the servers, 10.77.9.1 and
        fd77:9::1 at this end: what health checks and name resolution go over."""
        self.gateway.ip(
            f"link add probe type veth peer name probe netns {self.server.name}",
            "link set probe up",
        )
        self.server.ip("link set probe up")
        self.gateway.sysctl("net.ipv6.conf.probe.disable_ipv6", 0)
        self.address(self.gateway, [PROBER4], [PROBER6], dev="probe")
        self.address(self.server, [RESOLVER4], ["fd77:9::2"], dev="probe")
        self.gateway.ip("route add 10.77.2.0/24 via 10.77.9.2")
        if self.ipv6:
            self.gateway.ip("route add fd77:2::/64 via fd77:9::2")

    def kernel_gateway(self):
        """Let the kernel forward in Fender's place: tells a fault of the world from one of
        Fender's."""
        g = self.gateway
        for where in ("all", "default", "fa", "fb"):
            g.sysctl(f"net.ipv6.conf.{where}.disable_ipv6", 0)
            g.sysctl(f"net.ipv6.conf.{where}.accept_dad", 0)
        self.address(g, [FENDER4], [FENDER6], dev="fa")
        self.address(g, [SNAT4], [SNAT6], dev="fb")
        g.sysctl("net.ipv4.ip_forward", 1)
        g.sysctl("net.ipv6.conf.all.forwarding", 1)
        for ns, v4, v6 in ((self.client, FENDER4, FENDER6), (self.server, SNAT4, SNAT6)):
            self._routes(ns, ["default"], v4, v6)
            self._routes(ns, ["::/0"], v4, v6)

    # -- running ----------------------------------------------------------

    def path(self, name):
        return os.path.join(self.tmp, name)

    def spawn(self, ns, argv, log=None):
        """A program that runs until the test ends; its output goes to the file `log`."""
        with open(self.path(log or os.path.basename(str(argv[0])) + ".log"), "ab") as out:
            p = ns.popen(argv, stdout=out, stderr=out)
        self.processes.append(p)
        return p

    def stop(self, process):
        end_processes([process.pid])
        self.processes.remove(process)

    def fender(self, policy, **kwargs):
        f = Fender(self, policy, **kwargs)
        self.fenders.append(f)
        return f.start()

    def destroy(self):
        """Stop and remove everything; never raises for what is already gone."""
        for f in self.fenders:
            f.kill()
        end_processes([p.pid for p in self.processes])
        for ns in self.namespaces:
            ns.delete()
        unmount_bpf(self.tmp)
        shutil.rmtree(self.tmp, ignore_errors=True)
        shutil.rmtree(self.shm, ignore_errors=True)


PATIENCE_S = 30  # what must come comes, but a busy machine takes its time


def wait_for(what, timeout_s=PATIENCE_S, every_s=0.02):
    """Call until it returns something true; return that, or fail with its name."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, f"not in {timeout_s} s: {what.__name__}"
        time.sleep(every_s)
