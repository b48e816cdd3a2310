# SPDX-License-Identifier: Apache-2.0
"""The results as text tables: median, and the quartiles in brackets."""


def text(results):
    parts = [head(results)]
    for name, render in (
        ("worker", worker),
        ("rig", rig),
        ("proxies", proxies),
        ("footprint", footprint),
        ("policy", policy),
        ("tables", tables),
        ("health", health),
        ("limits", limits),
        ("control", control),
    ):
        if name in results:
            parts.append(render(results[name]))
    return "\n\n".join(parts)


def number(value):
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f} M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.1f} k"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def spread(s, rounds=0):
    """With the number of samples in parentheses when there are fewer than rounds."""
    if s is None:
        return "-"
    few = f" ({s['n']})" if s["n"] < rounds else ""
    return f"{number(s['median'])} [{number(s['q1'])} .. {number(s['q3'])}]{few}"


def table(title, header, rows):
    rows = [header, *rows]
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(header))]
    lines = [title]
    for n, row in enumerate(rows):
        cells = [str(c).ljust(w) for c, w in zip(row, widths, strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
        if n == 0:
            lines.append("  " + "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def head(results):
    m = results["machine"]
    lines = [
        f"machine   {m['cpu']}, {m['cores']} cores{' (virtual)' if m['virtual'] else ''}, "
        f"{m['memory_gib']} GiB, Linux {m['kernel']}",
        f"versions  DPDK {m['dpdk']}, HAProxy {m['haproxy']}, nginx {m['nginx']}",
        f"command   {results['command']}",
    ]
    if results["background_busy"] > 0.05:
        share = results["background_busy"] * 100
        lines.append(f"WARNING   {share:.0f} % of the machine was busy before the bench began")
    return "\n".join(lines)


def worker(w):
    rows = [(r["name"], f"{r['connections']:,}", r["unit"], spread(r["spread"])) for r in w["rows"]]
    header = ("what", "connections", "unit", "median [q1 .. q3]")
    return table("(a) in the worker, no kernel I/O; the generator is subtracted", header, rows)


def rig(r):
    rows = [(n, spread(r["pps"][n]), spread(r["ns"][n])) for n in r["pps"]]
    title = f"(b) one core, pcap -> null, {r['flows']} UDP flows, {r['frame_bytes'] + 4}-byte frames"
    out = table(title, ("program", "packets/s", "ns a packet"), rows)
    if "fender_to_csum" in r:
        out += f"\n  fender / testpmd csum: {spread(r['fender_to_csum'])}"
    return out


def proxies(p):
    names = list(p["metrics"]["requests_rps"]["spread"])
    rows = []
    for metric, row in p["metrics"].items():
        rows.append([metric, *[spread(row["spread"].get(n), p["rounds"]) for n in names]])
        if ratios := row.get("ratio_to_fender"):
            rows.append(["  ratio to fender", *[spread(ratios.get(n), p["rounds"]) for n in names]])
    title = (
        f"(c) client - gateway - server in namespaces, one thread each, {p['rounds']} rounds of "
        f"{p['seconds']} s, interleaved"
    )
    return table(title, ("metric", *names), rows)


def footprint(f):
    rows = [
        (way, p["name"], f"{p['cpu_percent']:.2f} %")
        + tuple(f"{p[k] / 1024:.1f} MiB" for k in ("rss", "pss", "huge"))
        for way, processes in f.items()
        for p in processes
    ]
    header = ("way", "process", "CPU", "resident", "proportional", "huge pages")
    return table("(d) without traffic", header, rows)


def policy(p):
    rows = [
        (
            f"{r['name']}, {r['algorithm']}",
            f"{r['endpoints']:,}",
            r["threads"],
            *(spread(r["spread"][c], len(r[c])) for c in ("start_ns", "all_ns")),
        )
        for r in p["rows"]
    ]
    header = ("policies", "endpoints", "threads", "ns before the SYN", "ns a connection in all")
    return table("(e) what is decided about a connection, CPU time of a thread", header, rows)


def tables(t):
    rows = [
        (
            r["algorithm"],
            f"{r['endpoints']:,}",
            f"{r['table_bytes'] / 1024:,.1f} KiB",
            f"{r['image_bytes'] / 1024:,.1f} KiB",
            *(spread(r["spread"][c]) for c in ("table_ms", "compile_ms")),
        )
        for r in t["rows"]
    ]
    header = ("algorithm", "endpoints", "table", "image", "table, ms", "policy to image in all, ms")
    return table("(f) what a reload costs the control plane, CPU time", header, rows)


def health(h):
    rows = [
        (
            r["type"],
            f"{r['probes_rate']:.0f} (peak {r['probes_rate_peak']})",
            f"{r['cpu_percent']:.2f} % (peak {r['cpu_percent_peak']:.1f} %)",
            *("-" if r[k] is None else number(r[k]) for k in ("cpu_us_a_probe", "user_us_a_probe")),
            f"{r['rss_kib'] / 1024:.1f} MiB",
        )
        for r in h["rows"]
    ]
    title = (
        f"(g) the control plane while it checks {h['endpoints']:,} endpoints every "
        f"{h['interval_s']} s; the kernel's part carries both ends of the connection"
    )
    header = ("checks", "probes/s", "CPU", "CPU us a probe", "of it user", "resident")
    return table(title, header, rows)


def limits(x):
    parts = [limits_xdp(x["xdp"]), limits_worker(x["worker"])]
    return "\n\n".join([*parts, limits_drops(x["drops"]), limits_maps(x["maps"])])


def limits_xdp(measured):
    columns = ("one_cpu", "shared", "own")
    rows = [(r["name"], *(spread(r["spread"][c]) for c in columns)) for r in measured]
    title = "(h) rate limits, ns a frame on each CPU; BPF_PROG_TEST_RUN, CPU time of a thread"
    header = ("XDP program", "1 CPU", "2 CPUs, one connection", "2 CPUs, one each")
    return table(title, header, rows)


def limits_worker(measured):
    rows = [
        (
            r["name"],
            f"{r['connections']:,}",
            *(spread(r["spread"][c]) for c in ("one_cpu", "own")),
        )
        for r in measured
    ]
    header = ("in a worker", "connections", "1 CPU", "2 CPUs")
    return table("the same by librte_bpf, ns a packet of random connections", header, rows)


def limits_drops(measured):
    columns = ("per_second", "program_ns")
    rows = [(r["name"], *(spread(r["spread"][c]) for c in columns)) for r in measured]
    title = "frames that the kernel sends into a veth and the program drops, both on one CPU"
    return table(title, ("what", "frames/s", "of it in the program, ns"), rows)


def limits_maps(maps):
    rows = [
        (
            m["map"],
            f"{m['entries']:,}",
            f"{m['bytes'] / m['entries']:.0f}",
            f"{m['entries'] * 2**20 // m['bytes']:,}",
        )
        for m in maps
    ]
    title = "memory as the kernel counts it; these maps have two entries a connection wanted"
    return table(title, ("map", "entries", "bytes an entry", "entries a MiB"), rows)


def control(c):
    parts = [control_sizes(c), control_reloads(c), control_answers(c), control_forwarding(c)]
    return "\n\n".join([*parts, control_restarts(c)])


def whole(s):
    """With the largest."""
    return f"{spread(s)}, max {number(s['max'])}"


def control_sizes(c):
    before, after = c["before"], c["after"]
    rows = [
        ("policy file", f"{before['policy_bytes'] / 1024:,.0f} KiB", ""),
        ("image", f"{before['predicted']['image_kib']:,} KiB", ""),
        ("shared memory", f"{before['region_bytes'] / 2**20:.1f} MiB", ""),
    ]
    for name, memory in before["processes"].items():
        for key, what in (("rss", "resident"), ("pss", "proportional"), ("huge", "huge pages")):
            later = after["processes"][name][key]
            rows.append((f"{name}, {what}", *(f"{k / 1024:.1f} MiB" for k in (memory[key], later))))
    rows.append(("all, as `fender check` says", f"{before['predicted']['all_mib']} MiB", ""))
    mix = ", ".join(f"{share} % {name}" for name, share in c["mix"].items())
    title = f"(i) the control plane, 1,000 clusters and listeners, 16,000 endpoints: {mix}"
    return table(title, ("what", "at the start", "after reloads and scrapes"), rows)


def control_reloads(c):
    columns = ("validate", "stage", "publish", "compile_to_publish", "adopt", "wall")
    rows = [
        (name, *(spread(row[k]) if k != "adopt" else whole(row[k]) for k in columns))
        for name, row in (
            ("1,000 clusters", c["reloads"]),
            ("2 clusters, idle", c["adoption"]["idle"]),
            ("2 clusters, beside wrk", c["adoption"]["loaded"]),
        )
    ]
    header = ("policy", "check and compile", "stage", "publish", "the three", "adopt", "the request")
    return table("reloads, ms; adoption is from the swap to the last worker", header, rows)


def control_answers(c):
    rows = [
        (r["name"], f"{r['bytes']['median'] / 1e6:.1f} MB", spread(r["cpu_ms"]), whole(r["wall_ms"]))
        for r in c["answers"]
    ]
    header = ("answer", "size", "CPU of the control plane, ms", "wall, ms")
    return table("GET with 1,000 clusters, Unix socket", header, rows)


def control_forwarding(c):
    f = c["forwarding"]
    rows = []
    for metric, columns in f["spread"].items():
        rows.append((metric, *(spread(s) for s in columns.values())))
        ratios = [spread(r) for r in f["ratio"][metric].values()]
        rows.append(("  ratio to none", "", *ratios))
    title = (
        f"wrk with 50 connections beside a scraper of /metrics, protobuf; {f['rounds']} rounds of "
        f"{f['seconds']} s, interleaved"
    )
    return table(title, ("metric", *f["spread"]["rps"]), rows)


def control_restarts(c):
    rows = [
        (f"kill -9, {len(c['kills']['values'])} times", whole(c["kills"]), ""),
        (
            f"upgrade, {len(c['upgrades']['gap']['values'])} times",
            whole(c["upgrades"]["gap"]),
            whole(c["upgrades"]["said"]),
        ),
    ]
    title = "longest time without an answer to a datagram every 2 ms, two clusters"
    return table(title, ("dataplane", "ms", "as Fender says, ms"), rows)
