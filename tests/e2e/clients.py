# SPDX-License-Identifier: Apache-2.0
"""Many TCP clients at once, each with what became of it."""

import collections
import errno
import os
import selectors
import socket
import time

from world import PATIENCE_S

PENDING, CONNECTED = "pending", "connected"
REFUSED, RESET, UNREACHABLE, CLOSED = "refused", "reset", "unreachable", "closed"
OUTCOMES = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EHOSTUNREACH: UNREACHABLE,
    errno.ETIMEDOUT: "timeout",
}


class Client:
    """One connection. state: pending (no answer to the SYN yet), connected, or how it ended:
    the name of the server that answered, refused, reset, closed (by the server), ..."""

    def __init__(self, sock):
        self.sock = sock
        self.state = PENDING
        self.began = time.monotonic()
        self.connected_s = None  # from the start until then
        self.settled_s = None

    @property
    def settled(self):
        return self.state not in (PENDING, CONNECTED)

    @property
    def served(self):
        return self.state.startswith("b")

    def close(self):
        self.sock.close()


class Clients:
    """Connections from `ns` to ip:port; close() or leaving a `with` block ends them all."""

    def __init__(self, ns, ip, port):
        self.ns, self.at = ns, (ip, port)
        self.family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.selector = selectors.DefaultSelector()
        self.all = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def open(self, n=1, source=None, source_port=0):
        """Begin n connections; returns them."""
        with self.ns:
            new = [Client(socket.socket(self.family, socket.SOCK_STREAM)) for _ in range(n)]
        for c in new:
            c.sock.setblocking(False)
            if source or source_port:
                any_ip = "::" if self.family == socket.AF_INET6 else "0.0.0.0"
                c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                c.sock.bind((source or any_ip, source_port))
            self.all.append(c)
            code = c.sock.connect_ex(self.at)
            if code in (0, errno.EINPROGRESS):
                self.selector.register(c.sock, selectors.EVENT_WRITE, c)
            else:
                self._settle(c, OUTCOMES.get(code, os.strerror(code)))
        return new

    def drive(self, seconds):
        """Let things happen for so long."""
        self._until(lambda: False, seconds)
        return self

    def settle(self, timeout_s=PATIENCE_S, which=None):
        """Until each has ended in some way, or the time is over; returns the outcomes."""
        which = self.all if which is None else which
        self._until(lambda: all(c.settled for c in which), timeout_s)
        return self.outcomes(which)

    def until(self, which=None, **counts):
        """Until there are exactly so many of each state; fails when that does not come. Name every
        state: so many that are connected may be others than those that stay so."""
        have = self._until(lambda: self._has(counts, which), PATIENCE_S)
        assert have, f"wanted {counts}, have {dict(self.outcomes(which))}"
        return self.outcomes(which)

    def outcomes(self, which=None):
        return collections.Counter(c.state for c in (self.all if which is None else which))

    def select(self, state):
        return [c for c in self.all if c.state == state]

    def call(self, timeout_s=PATIENCE_S, **keys):
        """One connection from beginning to end; returns its outcome."""
        (c,) = self.open(**keys)
        self.settle(timeout_s, [c])
        self.hang_up([c])
        return c.state

    def calls(self, n, pause_s=0, timeout_s=PATIENCE_S, **keys):
        """So many one after the other; returns their outcomes in order."""
        out = []
        for _ in range(n):
            out.append(self.call(timeout_s, **keys))
            self.drive(pause_s) if pause_s else None
        return out

    def hang_up(self, which, reset=False):
        """Close; with `reset` at once and by RST."""
        for c in which:
            if c.sock.fileno() < 0:
                continue
            if c.sock in self.selector.get_map():
                self.selector.unregister(c.sock)
            if reset:
                c.sock.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )
            c.close()
            if c in self.all:
                self.all.remove(c)

    def close(self):
        self.hang_up(list(self.all))
        self.selector.close()

    # -- the loop ---------------------------------------------------------

    def _has(self, counts, which):
        have = self.outcomes(which)
        return all(have[state] == n for state, n in counts.items())

    def _until(self, done, timeout_s):
        end = time.monotonic() + timeout_s
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                return False
            if not self.selector.get_map():
                time.sleep(min(left, 0.02))
                continue
            for key, _ in self.selector.select(min(left, 0.05)):
                self._step(key.data)
        return True

    def _settle(self, c, state):
        c.state, c.settled_s = state, time.monotonic() - c.began
        if c.sock in self.selector.get_map():
            self.selector.unregister(c.sock)

    def _step(self, c):
        if c.state == PENDING:
            code = c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self._settle(c, OUTCOMES.get(code, os.strerror(code)))
                return
            c.state, c.connected_s = CONNECTED, time.monotonic() - c.began
            self.selector.modify(c.sock, selectors.EVENT_READ, c)
            return
        try:
            got = c.sock.recv(256)
        except OSError as e:
            self._settle(c, OUTCOMES.get(e.errno, os.strerror(e.errno)))
            return
        self._settle(c, got.split(b"\n")[0].decode() if got else CLOSED)
