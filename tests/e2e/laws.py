# SPDX-License-Identifier: Apache-2.0
"""Statistics of Fender and the laws that they obey (shm/counters.h)."""

import time


class Stats:
    """One snapshot of GET /stats."""

    def __init__(self, raw):
        self.raw = raw

    @property
    def dataplane_pid(self):
        return self.raw["dataplane"]["pid"]

    @property
    def generation(self):
        return self.raw["generation"]

    def _named(self, kind, name):
        for item in self.raw[kind]:
            if item["name"] == name:
                return item
        raise KeyError(f"no {kind} {name}: {[i['name'] for i in self.raw[kind]]}")

    def listener(self, name):
        return self._named("listeners", name)

    def cluster(self, name):
        return self._named("clusters", name)

    def interface(self, name):
        return self._named("interfaces", name)

    def endpoint(self, cluster, address):
        for e in self.raw["endpoints"]:
            if e["cluster"] == cluster and e["address"] == address:
                return e
        raise KeyError((cluster, address))

    @property
    def workers(self):
        return self.raw["workers"]

    def packets(self, field):
        return sum(w[field] for w in self.workers)

    def dropped(self):
        """Reason -> frames dropped, over all workers, without the zeros."""
        total = {}
        for w in self.workers:
            for reason, n in w["dropped"].items():
                if n:
                    total[reason] = total.get(reason, 0) + n
        return total

    def open_connections(self):
        return sum(c["open"] for c in self.raw["listeners"])


def dropped_between(before, after):
    """Reason -> frames dropped from one snapshot to the other."""
    a, b = before.dropped(), after.dropped()
    return {r: b[r] - a.get(r, 0) for r in b if b[r] != a.get(r, 0)}


def packet_faults(stats):
    for w in stats.workers:
        came = w["received"] + w["handed_in"] + w["originated"]
        went = (
            w["transmitted"]
            + w["consumed"]
            + w["handed_out"]
            + w["held"]
            + sum(w["dropped"].values())
        )
        if came != went:
            yield f"worker {w['worker']}: {came} packets came, {went} are accounted for: {w}"
    if stats.packets("handed_out") != stats.packets("handed_in"):
        yield f"handed out {stats.packets('handed_out')}, in {stats.packets('handed_in')}"
    for ours, port in (("received", "rx_packets"), ("transmitted", "tx_packets")):
        ports = sum(i[port] for i in stats.raw["interfaces"])
        if stats.packets(ours) != ports:
            yield f"{ours}: workers say {stats.packets(ours)}, interfaces {ports}"


def call_faults(stats):
    for kind in ("listeners", "clusters", "endpoints", "draining"):
        for c in stats.raw[kind]:
            ended = c["succeeded"] + c["failed"] + c["cancelled"] + c["rejected"]
            who = f"{kind} {c.get('name') or c.get('address')}"
            if c["started"] != ended + c["in_flight"]:
                yield f"{who}: started {c['started']}, ended {ended}, flying {c['in_flight']}"
            if not 0 <= c["in_flight"] <= c["started"]:
                yield f"{who}: {c['in_flight']} in flight of {c['started']}"
            if c["open"] != c["opened"] - c["closed"] or c["open"] < 0:
                yield f"{who}: open {c['open']}, opened {c['opened']}, closed {c['closed']}"
            for sort in ("rejected", "failed"):
                by_reason = c.get(f"{sort}_by_reason")
                if by_reason is not None and sum(by_reason.values()) != c[sort]:
                    yield f"{who}: {sort} {c[sort]}, by reason {by_reason}"


def table_faults(stats):
    """What the connection tables hold is what the calls say."""
    table = stats.raw["connections"]
    listeners = [d for d in stats.raw["draining"] if d["kind"] == "listener"]
    opened = sum(c["open"] for c in [*stats.raw["listeners"], *listeners])
    if table["used"] - table["resting"] != opened:
        yield f"{opened} connections open, in the tables {table}"


def closed_faults(stats):
    for kind in ("listeners", "clusters", "endpoints", "draining"):
        for c in stats.raw[kind]:
            if c["open"] or c["in_flight"]:
                yield f"{kind} {c.get('name') or c.get('address')}: still open {c}"


def permit_faults(stats):
    """What the policies lend for the time of a call: all of it is back once no call is left."""
    for kind in ("listeners", "clusters", "endpoints"):
        for c in stats.raw[kind]:
            who = f"{kind} {c.get('name') or c.get('address')}"
            bulkhead = c.get("bulkhead", {})
            lent = {
                "in_flight": bulkhead.get("in_flight", 0),
                "queued": bulkhead.get("queued", 0),
                "overshoot_max": bulkhead.get("overshoot_max", 0),
                "attempts_in_flight": c.get("attempts_in_flight", 0),
                "retries_in_flight": c.get("retry", {}).get("on_wire", 0),
                "probe slots": c.get("breaker", {}).get("probes_active", 0),
            }
            left = {name: n for name, n in lent.items() if n}
            if left:
                yield f"{who}: not given back: {left}"


def assert_conserved(snapshot, closed=True, timeout_s=30.0):
    """Every packet and call is accounted for; with `closed`, nothing is open or lent any more.

    Counters move while they are read, so a fault must persist to count.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        stats = snapshot()
        faults = [*packet_faults(stats), *call_faults(stats), *table_faults(stats)]
        faults += [*closed_faults(stats), *permit_faults(stats)] if closed else []
        if not faults:
            return stats
        assert time.monotonic() < deadline, "\n".join(faults)
        time.sleep(0.05)


def assert_all_returned(fender, timeout_s=30.0):
    """No call is left, and with it no permit, queue place, attempt, retry or probe slot."""
    return assert_conserved(fender.stats, closed=True, timeout_s=timeout_s)
