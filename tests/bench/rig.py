# SPDX-License-Identifier: Apache-2.0
"""Section (b): packets a second against testpmd, in one rig without kernel I/O.

    net_pcap0 (a file of UDP frames, replayed from memory without end) -> net_null1

The same file, the same core, the same burst size. testpmd's `io` only moves frames, `rxonly`
only takes them: what the rig itself costs. `csum` parses each frame and computes its
checksums, the least that a NAT has to do as well.
"""

import os
import re
import socket
import struct
import subprocess
import tempfile
import time

import measure
import yaml

FLOWS = 64 * 1024
SERVERS = [f"10.77.2.{n}" for n in (11, 12, 13, 14)]
PCAP_MAC = "02:70:63:61:70:00"  # of net_pcap's first device, fixed in the driver
PEER_MAC = "02:00:00:00:00:02"
PAYLOAD = bytes(18)  # 60-byte frames, 64 with the frame check sequence
WARM_S = 2


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def fold(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def words(data):
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def frame(flow):
    """A UDP packet of one flow: client 10.200.x.y:port to the listener 10.77.1.1:53."""
    source = socket.inet_aton("10.200.0.0")[:2] + struct.pack("!H", 1 + flow % 4096)
    target = socket.inet_aton("10.77.1.1")
    length = 8 + len(PAYLOAD)
    udp = struct.pack("!HHH", 20000 + flow // 4096, 53, length)
    udp_sum = 0xFFFF ^ fold(words(source + target + udp + PAYLOAD) + 17 + length)
    ip = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0x4000, 64, 17)
    ip_sum = 0xFFFF ^ fold(words(ip + source + target))
    ethernet = mac(PCAP_MAC) + mac(PEER_MAC) + b"\x08\x00"
    return (
        ethernet + ip + struct.pack("!H", ip_sum) + source + target
        + udp + struct.pack("!H", udp_sum) + PAYLOAD
    )  # fmt: skip


def write_pcap(path, flows):
    """Frames of all flows in an order that no prefetcher guesses."""
    step = 40503  # odd, so coprime with the power of two
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for n in range(flows):
            data = frame(n * step % flows)
            f.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)


def vdevs(pcap):
    return f"net_pcap0,rx_pcap={pcap},infinite_rx=1", "net_null1,no-rx=1"


class Testpmd:
    """dpdk-testpmd with one forwarding core, asked for its counters through its prompt."""

    def __init__(self, mode, pcap, huge):
        memory = ["--in-memory"] if huge else ["--no-huge", "-m", "1024"]
        lcores = f"{measure.load_cpu()},{measure.proxy_cpu()}"
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "-l", lcores, f"--main-lcore={measure.load_cpu()}", *memory]
        argv += ["--no-pci", "--no-telemetry", f"--file-prefix=bench{os.getpid()}"]
        for v in vdevs(pcap):
            argv += ["--vdev", v]
        argv += ["--", "-i", f"--forward-mode={mode}", "--nb-cores=1", "--burst=32"]
        argv += [f"--total-num-mbufs={4 * FLOWS}"]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self):
        self._ask("start", r"nb forwarding cores=\d+")
        return self

    def __exit__(self, *exc):
        try:
            self.process.communicate("stop\nquit\n", timeout=20)
        except (subprocess.TimeoutExpired, OSError):
            self.process.kill()
            self.process.wait()

    def _ask(self, command, answer):
        """Send a command and read until its answer has come; the prompt is echoed in between."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        text = ""
        while not (found := re.search(answer, text)):
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"testpmd ended: {text[-1500:]}")
            text += line
        return found

    def received(self):
        return int(self._ask("show port stats 0", r"RX-packets: (\d+)")[1])


def policy(name, pcap):
    pcap_device, null_device = vdevs(pcap)
    return {
        "version": 1,
        "sidecar": {
            "name": name,
            "cpus": [measure.proxy_cpu()],
            "connections": 2 * FLOWS,
            "buffers": 2 * FLOWS,  # net_pcap keeps the whole file
            "idle": "poll",
        },
        "interfaces": [
            {
                "name": "clients",
                "device": f"vdev:{pcap_device}",
                "addresses": ["10.77.1.1/24"],
                "gateway": ["10.77.1.2"],
                "neighbours": [{"address": "10.77.1.2", "mac": PEER_MAC}],
            },
            {
                "name": "servers",
                "device": f"vdev:{null_device}",
                "addresses": ["10.77.2.1/24"],
                "neighbours": [{"address": s, "mac": PEER_MAC} for s in SERVERS],
                "snat": {"ports": "1024-65535"},
            },
        ],
        "listeners": [
            {
                "name": "dns",
                "bind": "10.77.1.1:53",
                "interface": "clients",
                "protocol": "udp",
                "cluster": "dns",
            }
        ],
        "clusters": [
            {
                "name": "dns",
                "endpoints": [{"address": f"{s}:53"} for s in SERVERS],
                "timeouts": {"idle": "1h"},
            }
        ],
    }


class FenderRig:
    """Fender on the same rig; its own counters say what it transmitted."""

    def __init__(self, pcap, tmp):
        self.pcap, self.tmp = pcap, tmp

    def __enter__(self):
        from paths import World  # builds on the end-to-end helpers

        self.world = World(ipv6=False)
        try:
            self.fender = self.world.fender(policy(f"rig-{os.getpid()}", self.pcap))
        except BaseException:
            self.world.destroy()
            raise
        return self

    def __exit__(self, *exc):
        self.world.destroy()

    def received(self):
        stats = self.fender.stats()
        self.last = stats
        return stats.packets("transmitted")


def rate(counter, seconds):
    """Packets a second, between two readings of a counter."""
    before, t0 = counter(), time.monotonic()
    time.sleep(seconds)
    after, t1 = counter(), time.monotonic()
    return (after - before) / (t1 - t0)


def run(rounds, seconds, with_fender, sidecar, say):
    modes = ["rxonly", "io", "csum"]
    raw = {m: [] for m in modes + (["fender"] if with_fender else [])}
    with tempfile.TemporaryDirectory(prefix="fender-bench-") as tmp, measure.Hugepages(768) as huge:
        pcap = os.path.join(tmp, "flows.pcap")
        write_pcap(pcap, FLOWS)
        for n in range(rounds):
            say(f"rig: round {n + 1} of {rounds}")
            for name in raw:
                rig = FenderRig(pcap, tmp) if name == "fender" else Testpmd(name, pcap, huge.available)
                with rig:
                    time.sleep(WARM_S)
                    raw[name].append(rate(rig.received, seconds))
        result = {
            "flows": FLOWS,
            "frame_bytes": len(frame(0)),
            "hugepages": huge.available,
            "raw": raw,
            "pps": {n: measure.spread(v) for n, v in raw.items()},
            "ns": {n: measure.spread([1e9 / x for x in v]) for n, v in raw.items()},
        }
        if with_fender:
            result["fender_to_csum"] = measure.paired(raw["fender"], raw["csum"])
        return result
