# SPDX-License-Identifier: Apache-2.0
"""A datagram every 2 ms through Fender to an echo, and when answers came: how long nothing was
forwarded."""

import contextlib
import threading
import time

import servers

EVERY_S = 0.002
SETTLED = 50  # answers in a row


class Beat:
    """A context manager; gaps are right to EVERY_S and what the scheduler adds."""

    def __init__(self, world, ip, port):
        self.socket = servers.udp(world.client, "0.0.0.0")
        self.socket.connect((ip, port))
        self.arrivals = []
        self.stopping = False
        self.threads = [
            threading.Thread(target=f, daemon=True) for f in (self._send, self._receive)
        ]

    def __enter__(self):
        for t in self.threads:
            t.start()
        self.settle()
        return self

    def __exit__(self, *exc):
        self.stopping = True
        for t in self.threads:
            t.join()
        self.socket.close()

    def _send(self):
        while not self.stopping:
            with contextlib.suppress(OSError):  # refused, while nobody takes them
                self.socket.send(b"beat")
            time.sleep(EVERY_S)

    def _receive(self):
        self.socket.settimeout(0.1)
        while not self.stopping:
            with contextlib.suppress(OSError):
                self.socket.recv(64)
                self.arrivals.append(time.monotonic())

    def settle(self, patience_s=30):
        """Until answers come again."""
        have, deadline = len(self.arrivals), time.monotonic() + patience_s
        while len(self.arrivals) < have + SETTLED:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no answers for {patience_s} s")
            time.sleep(0.01)

    def longest_ms(self, since):
        """The longest time without an answer since then (time.monotonic())."""
        times = [since, *(t for t in self.arrivals if t > since)]
        return 1e3 * max(b - a for a, b in zip(times, times[1:], strict=False))
