# SPDX-License-Identifier: Apache-2.0
"""Clocks, spread and the machine: what every section of the bench needs."""

import os
import pathlib
import statistics
import subprocess
import time

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpus():
    return sorted(os.sched_getaffinity(0))


def proxy_cpu():
    """Where the program under test runs; load and backend run on the other one."""
    return cpus()[0]


def load_cpu():
    return cpus()[1 % len(cpus())]


def pinned(cpu, argv):
    return ["taskset", "-c", str(cpu), *map(str, argv)]


class Machine:
    """Whole-machine CPU time since it was made, from /proc/stat, and who else used it."""

    def __init__(self, ours=()):
        self.ours = ours
        self.others = self._others()
        self.start = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat") as f:
            fields = [int(x) for x in f.readline().split()[1:]]
        user, nice, system, idle, iowait, irq, softirq, steal = fields[:8]
        busy = (user + nice + system + irq + softirq) * TICK_S
        return busy, (idle + iowait) * TICK_S, steal * TICK_S, time.monotonic()

    def _others(self):
        """CPU time of each process that is not the bench's, with the children it waited for."""
        ours = set(processes_of([os.getpid(), *self.ours]))
        times = {}
        for pid, fields in process_stats():
            if pid not in ours and pid != 2 and fields[1] != "2":  # kthreadd's are everybody's
                times[pid] = sum(int(x) for x in fields[11:15]) * TICK_S
        return times

    def elapsed(self):
        """busy_s = user + nice + sys + irq + softirq; steal and others as shares of all CPUs.

        A process that came and went unseen by its parent is missed; one that came is not.
        """
        busy, idle, steal, now = (b - a for a, b in zip(self.start, self._read(), strict=True))
        others = sum(
            max(0.0, t - self.others.get(pid, 0.0)) for pid, t in self._others().items()
        )
        all_cpus = now * os.cpu_count()
        return {
            "busy_s": busy,
            "idle_s": idle,
            "wall_s": now,
            "steal": steal / all_cpus,
            "others": others / all_cpus,
        }


def process_stats():
    """(pid, fields of /proc/pid/stat behind the name: state, parent, ...) of every process."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue


def background():
    """Share of the machine that is busy while the bench does nothing."""
    m = Machine()
    time.sleep(1)
    e = m.elapsed()
    return e["busy_s"] / (e["wall_s"] * os.cpu_count())


def spread(values):
    """Median and quartiles."""
    values = sorted(v for v in values if v is not None)
    if not values:
        return None
    if len(values) == 1:
        return {"median": values[0], "q1": values[0], "q3": values[0], "n": 1}
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "q1": q1, "q3": q3, "n": len(values)}


def paired(numerator, denominator):
    """Spread of the ratio round by round; rounds where either is missing are left out."""
    return spread(
        [a / b for a, b in zip(numerator, denominator, strict=True) if a is not None and b]
    )


def describe():
    """The machine, for the head of the table."""
    info = {}
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            info.setdefault(key.strip(), value.strip())
    memory = next(int(x.split()[1]) for x in open("/proc/meminfo") if x.startswith("MemTotal"))
    return {
        "cpu": info.get("model name", "unknown"),
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in info.get("flags", ""),
        "memory_gib": round(memory / 1024**2, 1),
        "kernel": os.uname().release,
        "hugepages_2m": _hugepages().read_text().strip() if _hugepages().exists() else "0",
        "dpdk": _version("libdpdk-dev"),
        "haproxy": _version("haproxy"),
        "nginx": _version("nginx-light"),
    }


def _version(package):
    out = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True
    )
    return out.stdout or "absent"


def _hugepages():
    return pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


class Hugepages:
    """At least `count` 2 MiB pages while inside, where the kernel can give them."""

    def __init__(self, count):
        self.count = count

    def __enter__(self):
        self.before = None
        try:
            have = int(_hugepages().read_text())
            if have < self.count:
                _hugepages().write_text(str(self.count))
                self.before = have
            self.available = int(_hugepages().read_text()) >= self.count
        except OSError:
            self.available = False
        return self

    def __exit__(self, *exc):
        if self.before is not None:
            _hugepages().write_text(str(self.before))


def processes_of(pids):
    """These processes and their descendants."""
    children = {}
    for pid, fields in process_stats():
        children.setdefault(int(fields[1]), []).append(pid)
    found, todo = [], list(pids)
    while todo:
        pid = todo.pop()
        if pid not in found and os.path.exists(f"/proc/{pid}"):
            found.append(pid)
            todo += children.get(pid, [])
    return found


def cpu_ns(pid):
    """Time its threads have run, to the nanosecond (schedstat)."""
    total = 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        total += int(stat.read_text().split()[0])
    return total


def memory_kib(pid):
    """Resident set, its proportional share, and huge pages, in KiB."""
    rollup = {}
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            key, _, rest = line.partition(":")
            if rest.endswith("kB\n"):
                rollup[key] = int(rest.split()[0])
    return {
        "rss": rollup.get("Rss", 0),
        "pss": rollup.get("Pss", 0),
        "huge": rollup.get("Private_Hugetlb", 0) + rollup.get("Shared_Hugetlb", 0),
    }
