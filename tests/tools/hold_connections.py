#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Open many connections to an echo server, hold them all, echo on each, close.

usage: hold_connections.py IP PORT COUNT

Prints one line, "held" or "failed", with what happened; exit status 0 when every
connection was open at once and each returned its own bytes twice.
"""

import resource
import select
import socket
import sys
import time

IN_FLIGHT = 200  # connects at once
PATIENCE_S = 120


def open_all(ip, port, count):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    poll, pending, ready = select.epoll(), {}, []
    deadline = time.monotonic() + PATIENCE_S
    while len(ready) < count:
        while len(pending) < IN_FLIGHT and len(pending) + len(ready) < count:
            s = socket.socket(family)
            s.setblocking(False)
            s.connect_ex((ip, port))
            pending[s.fileno()] = s
            poll.register(s, select.EPOLLOUT)
        for fd, _ in poll.poll(0.5):
            s = pending.pop(fd)
            poll.unregister(fd)
            error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, f"connect number {len(ready)}")
            ready.append(s)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(ready)} of {count} connected in {PATIENCE_S} s")
    return ready


def echo_on_each(sockets, tag):
    """Write to all first, read from all after: every connection is in use at once."""
    for i, s in enumerate(sockets):
        s.setblocking(True)
        s.settimeout(PATIENCE_S)
        s.sendall(b"%s-%d\n" % (tag, i))
    for i, s in enumerate(sockets):
        want, got = b"%s-%d\n" % (tag, i), b""
        while len(got) < len(want):
            piece = s.recv(100)
            if not piece:
                raise ConnectionError(f"connection {i} ended")
            got += piece
        if got != want:
            raise ValueError(f"connection {i}: {got!r} instead of {want!r}")


def main(ip, port, count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    start = time.monotonic()
    try:
        sockets = open_all(ip, port, count)
        opened = time.monotonic()
        echo_on_each(sockets, b"first")
        echo_on_each(sockets, b"second")
    except Exception as e:
        print(f"failed: {type(e).__name__}: {e}")
        return 1
    print(f"held {count}, opened in {opened - start:.2f} s", flush=True)
    if sys.stdin.readline():  # the caller looks at statistics, then says go
        pass
    for s in sockets:
        s.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
