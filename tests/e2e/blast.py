# SPDX-License-Identifier: Apache-2.0
"""UDP floods and what the limiter made of them: tests/tools/udp_blast.c, and readings of a
listener's limit counters with the times between which they were taken.

A token bucket whose refusal was seen held less than one cost then. So from readings alone, and on
a machine that is as slow as it likes, follows what it must have admitted: see Window.
"""

import signal
import time
from dataclasses import dataclass

from fender import BUILD

BLAST = BUILD / "tools" / "udp_blast"
HEADERS = {4: 28, 6: 48}  # IP and UDP
PASSED = ("passed", "marked")
REFUSED = "rate_limited_connection"


class Blast:
    """A flood from the client; stop() answers how many datagrams left."""

    def __init__(self, world, ip, port, payload, per_second, source=40000, threads=2):
        self.world, self.name = world, f"blast-{port}-{source}.log"
        argv = [BLAST, "send", ip, port, source, payload, per_second, threads]
        self.process = world.spawn(world.client, argv, self.name)

    def stop(self):
        return int(_ended(self.world, self.process, self.name)[0].split()[0])


class Sink:
    """Counts what arrives at the ports; stop() answers port -> (packets, bytes of payload)."""

    def __init__(self, world, *ports):
        self.world = world
        self.process = world.spawn(world.server, [BLAST, "sink", *ports], "sink.log")

    def stop(self):
        rows = (map(int, row.split()) for row in _ended(self.world, self.process, "sink.log"))
        return {port: (packets, size) for port, packets, size in rows}


def _ended(world, process, log):
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    world.processes.remove(process)
    with open(world.path(log)) as f:
        return f.read().splitlines()


@dataclass
class Reading:
    """Of one listener, taken at some time from `after` to `before`."""

    after: float
    before: float
    admitted: int
    refused: int
    offered: int


class Readings:
    """unit: `packets` or `bytes`, of listeners by name."""

    def __init__(self, fender, units):
        self.fender, self.units = fender, units
        self.of = {name: [] for name in units}

    def take(self):
        after = time.monotonic()
        stats = self.fender.stats()
        before = time.monotonic()
        for name, unit in self.units.items():
            seen = stats.listener(name)["limits"][unit]
            admitted = sum(seen.get(v, 0) for v in PASSED)
            one = Reading(after, before, admitted, seen.get(REFUSED, 0), sum(seen.values()))
            self.of[name].append(one)

    def watch(self, seconds, every_s=0.05):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take()
            time.sleep(every_s)
        return self

    def until_refused(self, timeout_s):
        """Until each of them has refused something after the first reading, or the time is over;
        returns the names of those that did."""
        end = time.monotonic() + timeout_s
        self.take()
        first = {name: rows[-1].refused for name, rows in self.of.items()}
        while True:
            self.take()
            did = {name for name, row in self.last().items() if row.refused > first[name]}
            if did == set(first) or time.monotonic() > end:
                return did
            time.sleep(0.02)

    def last(self):
        return {name: rows[-1] for name, rows in self.of.items()}


@dataclass
class Limit:
    rate: int
    burst: int
    cost: int  # of one packet


def check_burst(rows, limit):
    """In no interval more than burst + rate x interval. Of the intervals that end at a reading the
    one that begins where admitted - rate x time was least has admitted most beyond its rate."""
    least = float("inf")
    for row in rows:
        least = min(least, row.admitted - limit.rate * row.after)
        beyond = row.admitted - limit.rate * row.before - least
        assert beyond <= limit.burst + limit.cost, f"{beyond} at once, limit {limit}: {row}"


class Window:
    """What one bucket did between two readings, near the first and the last of `rows`.

    Between two readings that both count refusals there was a moment with less than one cost in
    the bucket. The window begins and ends with such pairs, the tightest of those near its ends.
    """

    def __init__(self, rows, limit):
        self.rows, self.limit = rows, limit
        pairs = list(zip(rows, rows[1:], strict=False))
        self.empty = [(a, b) for a, b in pairs if b.refused > a.refused]
        edge_s = min(0.7, (rows[-1].after - rows[0].before) / 8)
        begins = [p for p in pairs if p[1].before < rows[0].after + edge_s] or pairs[:1]
        ends = [p for p in pairs if p[0].after > rows[-1].before - edge_s] or pairs[-1:]
        self.first, self.last = self._tightest(begins), self._tightest(ends)
        self.begin, self.end = self.first[1], self.last[1]
        self.admitted = self.end.admitted - self.begin.admitted
        self.shortest_s = self.end.after - self.begin.before
        self.longest_s = self.end.before - self.begin.after
        self.rate = 2 * self.admitted / (self.shortest_s + self.longest_s)

    def _tightest(self, pairs):
        return min([p for p in pairs if p in self.empty] or pairs, key=_span)

    @property
    def offered_least(self):
        """As a multiple of the limit, in the worst second."""
        worst = float("inf")
        at = self.begin
        for row in self.rows:
            if row.after >= at.before + 1:
                worst = min(worst, (row.offered - at.offered) / (row.before - at.after))
                at = row
        return worst / self.limit.rate

    @property
    def never_full(self):
        """Nothing that it earned was lost: it was empty at both ends, and between two moments when
        it was it had no time to fill. So enough was offered for the rate to be told."""
        if self.first not in self.empty or self.last not in self.empty:
            return False
        full_s = 0.9 * self.limit.burst / self.limit.rate
        mine = [p for p in self.empty if self.first[0].after <= p[0].after <= self.last[0].after]
        waits = (b[1].before - a[0].after for a, b in zip(mine, mine[1:], strict=False))
        return all(w < full_s for w in waits)

    def check(self, tolerance=0.01):
        """The burst's bound in every interval; the rate where that was tried."""
        check_burst(self.rows, self.limit)
        if not self.never_full:
            return
        limit = self.limit
        # A worker judges by the clock of its turn, which may be late when it was held up.
        late_s = max(tolerance * self.longest_s, 0.15)
        most = limit.rate * (self.longest_s + late_s + _span(self.first)) + limit.cost
        least = limit.rate * (self.shortest_s - late_s - _span(self.last)) - limit.cost
        assert least <= self.admitted <= most, f"not from {least} to {most}: {self}"

    def __str__(self):
        return (
            f"{self.rate:.1f}/s admitted ({self.rate / self.limit.rate - 1:+.3%}) in "
            f"{self.shortest_s:.1f} s, offered {self.offered_least:.2f} x at least, edges known to "
            f"{1000 * (_span(self.first) + _span(self.last)):.0f} ms"
            + ("" if self.never_full else "; too little was offered to tell the rate")
        )


def _span(pair):
    return pair[1].before - pair[0].after
