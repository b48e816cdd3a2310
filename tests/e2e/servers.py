# SPDX-License-Identifier: Apache-2.0
"""Real servers and load generators, started in a world."""

import hashlib
import json
import os
import re
import socket
import threading

from world import SERVERS4, SERVERS6, TOOLS, at, wait_for


NGINX = """
worker_processes 1;
worker_rlimit_nofile 20000;
error_log {tmp}/{name}-error.log;
pid {tmp}/{name}.pid;
daemon off;
events {{ worker_connections 15000; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 10000000;
    client_body_temp_path {tmp}/{name}-body;
    proxy_temp_path {tmp}/{name}-proxy;
    fastcgi_temp_path {tmp}/{name}-fastcgi;
    uwsgi_temp_path {tmp}/{name}-uwsgi;
    scgi_temp_path {tmp}/{name}-scgi;
    server {{
{listen}
        location / {{ return 200 "$server_addr\\n"; }}
        location /files/ {{ alias {files}/; }}
    }}
}}
"""


def listening(ns, port, kind="tcp"):
    """True when a socket listens on the port (any address) in the namespace."""
    table = [f"/proc/net/{kind}", f"/proc/net/{kind}6"]
    with ns:
        for path in table:
            try:
                rows = open(path.replace("/proc/net", "/proc/thread-self/net")).readlines()[1:]
            except FileNotFoundError:
                continue
            for row in rows:
                cols = row.split()
                state = "0A" if kind == "tcp" else "07"
                if int(cols[1].rpartition(":")[2], 16) == port and cols[3] == state:
                    return True
    return False


def wait_listening(ns, port, kind="tcp"):
    def server_listens():
        return listening(ns, port, kind)

    wait_for(server_listens)


def nginx(world, ips=None, port=80, files=None, ns=None, name="nginx"):
    """nginx on the addresses; GET / answers with the address it was asked at."""
    ns = ns or world.server
    ips = ips or SERVERS4 + (SERVERS6 if world.ipv6 else [])
    listen = "\n".join(f"        listen {at(ip, port)} backlog=16384;" for ip in ips)
    conf = world.path(f"{name}.conf")
    with open(conf, "w") as f:
        f.write(NGINX.format(tmp=world.tmp, name=name, listen=listen, files=files or world.tmp))
    p = world.spawn(ns, ["nginx", "-c", conf], f"{name}.log")
    wait_listening(ns, port)
    return p


def dnsmasq(world, ips=None, port=53):
    """A DNS server: <anything>.fender.test is 192.0.2.7 and 2001:db8::7."""
    ips = ips or [SERVERS4[0], SERVERS6[0]]
    argv = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"]
    argv += ["--bind-interfaces", "--user=root", f"--port={port}", "--pid-file="]
    argv += [f"--listen-address={ip}" for ip in ips]
    argv += ["--address=/fender.test/192.0.2.7", "--address=/fender.test/2001:db8::7"]
    p = world.spawn(world.server, argv)
    wait_listening(world.server, port, "udp")
    return p


def echo(world, port=7, ns=None):
    """TCP and UDP echo on every address."""
    ns = ns or world.server
    p = world.spawn(ns, ["/usr/bin/python3", TOOLS / "echo_server.py", port], f"echo-{port}.log")
    wait_listening(ns, port)
    wait_listening(ns, port, "udp")
    return p


def iperf3(world, ip, *args, seconds=2, port=5201, timeout=60):
    """One iperf3 run from the client through `ip`; returns its "end" report."""
    here = SERVERS6[0] if ":" in ip else SERVERS4[0]  # else UDP answers come from any address
    server = world.spawn(world.server, ["iperf3", "-s", "-1", "-p", port, "-B", here], "iperf3.log")
    wait_listening(world.server, port)
    try:
        argv = ["iperf3", "-c", ip, "-p", port, "-t", seconds, "-J", *args]
        done = world.client.run(argv, timeout=timeout)
    finally:
        world.stop(server)
    report = json.loads(done.stdout)
    assert "error" not in report, report["error"]
    return report["end"]


class Wrk:
    """Parsed output of wrk."""

    def __init__(self, text):
        self.text = text
        self.requests = int(re.search(r"(\d+) requests in", text)[1])
        self.per_second = float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1])
        self.errors = {}
        m = re.search(r"Socket errors: (.*)", text)
        if m:
            pairs = re.findall(r"(\w+) (\d+)", m[1])
            self.errors = {k: int(n) for k, n in pairs if int(n)}
        m = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        if m:
            self.errors["status"] = int(m[1])


def wrk_argv(url, seconds=2, connections=20, close=False):
    # A request that takes its time is no failed one.
    argv = ["wrk", "-t", "1", "-c", connections, "-d", f"{seconds}s", "--timeout", "30s", url]
    return argv + (["-H", "Connection: close"] if close else [])


def wrk(world, url, **keys):
    argv = wrk_argv(url, **keys)
    return Wrk(world.client.run(argv, timeout=keys.get("seconds", 2) + 60).stdout)


def curl(world, url, *args, timeout=30):
    argv = ["curl", "-fsS", "-g", "--max-time", timeout, *args, url]
    return world.client.run(argv, timeout=timeout + 5).stdout


def is_echoed(s, text=b"hello"):
    """Whether an echo gives it back on this connection."""
    s.sendall(text)
    got = b""
    while len(got) < len(text) and (part := s.recv(100)):
        got += part
    return got == text


def connect(ns, ip, port, timeout=30, **options):
    """A connected TCP socket in a namespace; `source` binds the local address first."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with ns:
        s = socket.socket(family)
    s.settimeout(timeout)
    if "source" in options:
        s.bind((options["source"], 0))
    try:
        s.connect((ip, port))
    except BaseException:
        s.close()
        raise
    return s


def listen(ns, ip, port, backlog=128):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with ns:
        s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.settimeout(30)
    s.bind((ip, port))
    s.listen(backlog)
    return s


def udp(ns, ip, port=0):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with ns:
        s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(30)
    s.bind((ip, port))
    return s


def path_mtu(sock):
    """What the kernel believes the path of a connected socket to carry."""
    if sock.family == socket.AF_INET6:
        return sock.getsockopt(socket.IPPROTO_IPV6, 24)  # IPV6_MTU
    return sock.getsockopt(socket.IPPROTO_IP, 14)  # IP_MTU


def transfer(sender, receiver, size=1 << 20):
    """Move bytes one way, then FIN; they must arrive unchanged."""
    data = os.urandom(size)

    def send():
        sender.sendall(data)
        sender.shutdown(socket.SHUT_WR)

    t = threading.Thread(target=send)
    t.start()
    got = bytearray()
    while piece := receiver.recv(65536):
        got += piece
    t.join()
    assert got == data


def random_file(directory, mib):
    """A file of that size whose every block differs, and its BLAKE2 checksum."""
    path = os.path.join(directory, "big")
    block = os.urandom(1 << 20)
    total = hashlib.blake2b()
    with open(path, "wb") as f:
        for i in range(mib):
            piece = i.to_bytes(8, "big") + block[8:]
            total.update(piece)
            f.write(piece)
    return path, total.hexdigest()
