#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Echo for TCP and UDP on one port, IPv4 and IPv6, for tens of thousands of connections.

usage: echo_server.py PORT
"""

import resource
import select
import socket
import sys


def main(port):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tcp = socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16384
    )
    udp = udp_sockets(port)
    tcp.setblocking(False)
    poll = select.epoll()
    poll.register(tcp, select.EPOLLIN)
    for s in udp.values():
        poll.register(s, select.EPOLLIN)
    clients = {}
    while True:
        for fd, _ in poll.poll():
            if fd == tcp.fileno():
                accept_all(tcp, clients, poll)
            elif fd in udp:
                udp_answer(udp[fd])
            else:
                tcp_answer(clients, fd)


def udp_sockets(port):
    """One socket per local address, so that answers leave from the address that was asked."""
    out = {}
    for family, any_ip in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        s = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind((any_ip, port))
        s.setblocking(False)
        out[s.fileno()] = s
    return out


IP_PKTINFO = 8


def udp_answer(s):
    try:
        while True:
            data, info, _, who = s.recvmsg(65535, 256)
            s.sendmsg([data], [(level, kind, value) for level, kind, value in info], 0, who)
    except OSError:
        pass


def accept_all(server, clients, poll):
    try:
        while True:
            s, _ = server.accept()
            s.setblocking(False)
            clients[s.fileno()] = s
            poll.register(s, select.EPOLLIN)
    except BlockingIOError:
        pass


def tcp_answer(clients, fd):
    s = clients[fd]
    try:
        data = s.recv(65536)
        if data:
            s.setblocking(True)
            s.sendall(data)
            s.setblocking(False)
            return
    except OSError:
        pass
    del clients[fd]
    s.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
