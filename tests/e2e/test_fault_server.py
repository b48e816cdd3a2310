# SPDX-License-Identifier: Apache-2.0
"""The failing backend does what it is told, on loopback."""

import socket
import subprocess
import time

import pytest
from faults import FAULT_SERVER, Fault
from world import at, wait_for

pytestmark = pytest.mark.skipif(not FAULT_SERVER.exists(), reason=f"not built: {FAULT_SERVER}")

ADDRESSES = ["127.0.0.1", "::1"]
SILENCE_S = 0.3


def free_port():
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::", 0))
        return s.getsockname()[1]


@pytest.fixture
def make(tmp_path):
    processes = []

    def spawn(argv):
        processes.append(subprocess.Popen(argv))
        return processes[-1]

    def make_fault(ip="127.0.0.1", **keys):
        port = free_port()
        fault = Fault(spawn, tmp_path, ip, port, f"b{len(processes)}", **keys)
        fault.address = (ip, port)
        return fault

    yield make_fault
    for p in processes:
        assert p.poll() is None, "the server died"
        p.terminate()
        p.wait()


def tcp(fault, timeout=30):
    return socket.create_connection(fault.address, timeout=timeout)


def udp(fault, timeout=30):
    s = socket.socket(socket.AF_INET6 if ":" in fault.address[0] else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(timeout)
    s.connect(fault.address)
    return s


def served(fault):
    """A new connection is told the name and echoed."""
    with tcp(fault) as s:
        s.sendall(b"hello")
        want = fault.name.encode() + b"\nhello"
        got = b""
        while len(got) < len(want) and (piece := s.recv(100)):
            got += piece
        return got == want


def is_silent(s):
    s.settimeout(SILENCE_S)
    try:
        s.recv(100)
    except TimeoutError:
        return True
    return False


def is_reset(fault, first=b""):
    try:
        with tcp(fault) as s:
            if first:
                s.sendall(first)
            return s.recv(100) and False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("ip", ADDRESSES)
def test_accept_names_itself_and_echoes(make, ip):
    f = make(ip)
    assert served(f)
    with udp(f) as s:
        s.send(b"ping")
        assert s.recv(100) == f.name.encode() + b"\nping"
    stats = f.stats()
    assert (stats["connections"], stats["answered"], stats["bytes"]) == (1, 1, 5)
    assert (stats["datagrams"], stats["replies"], stats["silent"]) == (1, 1, 0)
    assert stats["mode"] == "accept"


def test_wildcard_answers_from_the_address_that_was_asked(make):
    f = make("0.0.0.0")
    for ip in ("127.0.0.1", "127.0.0.2"):
        f.address = (ip, f.address[1])
        assert served(f)
        with udp(f) as s:
            s.send(b"x")
            assert s.recv(100).endswith(b"\nx")


def test_large_echo_comes_back_whole(make):
    f = make()
    data = bytes(range(256)) * 8192
    with tcp(f, 20) as s:
        assert s.makefile("rb").readline() == f.name.encode() + b"\n"
        got = bytearray()
        s.setblocking(False)
        sent = 0
        deadline = time.monotonic() + 20
        while len(got) < len(data) and time.monotonic() < deadline:
            try:
                sent += s.send(data[sent : sent + 65536]) if sent < len(data) else 0
            except BlockingIOError:
                pass
            try:
                got += s.recv(65536) if sent > len(data) // 2 else b""
            except BlockingIOError:
                pass
    assert got == data


@pytest.mark.parametrize("ip", ADDRESSES)
def test_refuse_and_back(make, ip):
    f = make(ip)
    with tcp(f) as open_before:
        f.mode("refuse")
        with pytest.raises(ConnectionRefusedError):
            tcp(f)
        with udp(f) as s:
            s.send(b"x")
            with pytest.raises(ConnectionRefusedError):
                s.recv(100)
        open_before.sendall(b"still there")
        assert open_before.recv(100).startswith(f.name.encode())
    f.mode("accept")
    assert served(f)


@pytest.mark.parametrize("ip", ADDRESSES)
def test_blackhole_drops_syns_and_datagrams(make, ip):
    f = make(ip)
    with tcp(f) as open_before:
        assert open_before.makefile("rb").readline().strip() == f.name.encode()
        f.mode("blackhole")
        with pytest.raises(TimeoutError):
            tcp(f, SILENCE_S)
        with udp(f) as s:
            s.send(b"x")
            assert is_silent(s)
        open_before.sendall(b"still there")
        assert open_before.recv(100) == b"still there"
    assert f.stats()["connections"] == 1
    f.mode("accept")
    assert served(f)


def test_hang_accepts_and_never_answers(make):
    f = make(mode="hang")
    with tcp(f) as s, udp(f) as u:
        s.sendall(b"anybody?")
        u.send(b"anybody?")
        assert is_silent(s) and is_silent(u)
        assert f.stats()["hung"] == 1 and f.stats()["silent"] == 1
        f.mode("accept")
        assert is_silent(s), "a connection keeps what it met"
    assert served(f)


def test_reset_at_once_or_at_the_first_bytes(make):
    f = make(mode="reset")
    assert is_reset(f)
    f.mode("reset data")
    with tcp(f) as s:
        assert is_silent(s)
    assert is_reset(f, b"first")
    assert f.stats()["reset"] == 2


def test_delay_answers_later(make):
    f = make(mode="delay 200ms")
    begin = time.monotonic()
    assert served(f)
    assert time.monotonic() - begin >= 0.2
    with udp(f) as s:
        begin = time.monotonic()
        s.send(b"x")
        assert s.recv(100).endswith(b"\nx")
        assert time.monotonic() - begin >= 0.2
    assert f.stats()["delayed"] == 1


def test_clients_that_leave_during_the_delay_do_no_harm(make):
    f = make(mode="delay 200ms")
    for _ in range(50):
        with tcp(f) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def all_gone():
        return f.stats()["open"] == 0

    wait_for(all_gone)
    assert served(f)


def test_one_in_n_answers_every_nth(make):
    f = make(mode="one-in 5 reset")
    assert [not is_reset(f) for _ in range(10)] == [False] * 4 + [True] + [False] * 4 + [True]
    f.tell("clear")
    with udp(f, SILENCE_S) as s:
        for _ in range(10):
            s.send(b"x")

        def all_came():
            return f.stats()["datagrams"] == 10

        wait_for(all_came)
    assert (f.stats()["replies"], f.stats()["silent"]) == (2, 8)


def test_fail_hits_about_its_share(make):
    f = make(mode="fail 30% reset data")
    failed = sum(is_reset(f, b"x") for _ in range(400))
    assert 70 <= failed <= 170  # 120 expected, standard deviation 9.2
    stats = f.stats()
    assert stats["reset"] == failed and stats["answered"] == 400 - failed


def test_flap_refuses_and_accepts_in_turn(make):
    f = make(mode="flap 200ms")
    seen = []
    deadline = time.monotonic() + 20
    while len(seen) < 5 and time.monotonic() < deadline:
        try:
            now = served(f)
        except OSError:
            now = False
        if not seen or seen[-1] != now:
            seen.append(now)
        time.sleep(0.01)
    assert seen == [False, True, False, True, False]
    f.mode("accept")
    assert served(f)


def test_drop_resets_what_is_open(make):
    f = make()
    connections = [tcp(f) for _ in range(100)]
    for s in connections:
        assert s.makefile("rb").readline().strip() == f.name.encode()
    assert f.tell("drop") == "ok drop 100"
    for s in connections:
        with pytest.raises(ConnectionResetError):
            s.recv(1)
        s.close()
    assert f.stats()["open"] == 0


def test_thousands_of_connections_at_once(make):
    f = make(mode="delay 100ms")
    connections = [tcp(f) for _ in range(3000)]
    for s in connections:
        assert s.recv(100) == f.name.encode() + b"\n"
    for s in connections:
        s.close()
    assert f.stats()["answered"] == 3000


def test_tcp_or_udp_alone(make):
    f = make(args=["--udp"])
    with pytest.raises(ConnectionRefusedError):
        tcp(f)
    f = make(args=["--tcp"])
    with udp(f) as s:
        s.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            s.recv(100)
    f.mode("blackhole")
    f.mode("refuse")
    f.mode("accept")
    assert served(f)


@pytest.mark.parametrize("ip", ADDRESSES)
def test_control_over_tcp_and_udp(make, ip):
    where = (ip, free_port())
    f = make(args=["--control", at(*where)])
    with socket.create_connection(where, 5) as s:
        lines = s.makefile("r")
        s.sendall(b"mode hang\nsta")
        assert lines.readline() == "ok mode hang\n"
        s.sendall(b"ts\r\n")
        assert lines.readline().endswith("mode hang\n")
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(30)
        s.sendto(b"mode accept", where)
        assert s.recv(1000) == b"ok mode accept\n"
    assert served(f)


@pytest.mark.parametrize(
    "line",
    ["", "mode", "mode ", "mode nonsense", "mode delay", "mode delay 5", "mode delay -5ms",
     "mode delay 5ms more", "mode flap", "mode flap 0s", "mode one-in 0", "mode one-in x",
     "mode one-in 3 accept", "mode fail 10", "mode fail 101%", "mode fail 10% delay",
     "mode reset later", "mode accept now", "mode " + "x" * 200, "nonsense", "\0\1\2"],
)  # fmt: skip
def test_what_is_not_understood_changes_nothing(make, line):
    f = make(mode="one-in 2 hang")
    with pytest.raises(ValueError):
        f.tell(line)
    assert f.stats()["mode"] == "one-in 2 hang"


def test_a_line_without_end_ends_the_connection(make):
    f = make()
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f.control)
        s.sendall(b"x" * 300)
        s.settimeout(30)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            s.recv(10) or s.sendall(b"x") or s.sendall(b"x") or s.recv(10)
    assert served(f)


@pytest.mark.parametrize(
    "args", [[], ["--listen", "nowhere"], ["--listen", "1.2.3.4:0"], ["--listen", "[::1:5"],
             ["--listen", "127.0.0.1:1", "--mode", "no"], ["--nonsense"]]
)  # fmt: skip
def test_wrong_usage_is_told(args):
    done = subprocess.run([FAULT_SERVER, *args], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "usage:" in done.stderr


def test_help_names_every_mode():
    text = subprocess.run([FAULT_SERVER, "--help"], capture_output=True, text=True, timeout=30).stdout
    for mode in "accept delay hang reset refuse blackhole flap one-in fail".split():
        assert mode in text
