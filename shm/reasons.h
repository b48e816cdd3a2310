/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one list of reasons. Every packet dropped and every call rejected or
 * failed has exactly one of them; the same name appears in statistics, logs
 * and the documentation. New reasons are appended: the number is part of the
 * shared-memory ABI.
 */
#ifndef FENDER_SHM_REASONS_H
#define FENDER_SHM_REASONS_H

/*        enumerator              what it says to an operator */
#define REASONS(X)                                                                               \
	X(NONE, none, "no reason: nothing was refused")                                          \
	X(MALFORMED, malformed,                                                                  \
	  "a header is truncated, contradicts itself or claims more than came")                  \
	X(CHECKSUM, checksum, "a checksum is wrong: IPv4, ICMP, or TCP and UDP where verified")  \
	X(FRAGMENT, fragment, "an IP fragment: Fender forwards whole packets only")              \
	X(IP_OPTIONS, ip_options, "IPv4 options or an IPv6 extension header")                    \
	X(TTL, ttl, "TTL or hop limit would reach zero here")                                    \
	X(VLAN, vlan, "a VLAN tag other than the interface's")                                   \
	X(NOT_OURS, not_ours, "the destination MAC or IP address is not ours")                   \
	X(ETHERTYPE, ethertype, "neither IPv4, IPv6 nor ARP")                                    \
	X(PROTOCOL, protocol, "an IP protocol or ICMP type that Fender does not carry")          \
	X(NO_LISTENER, no_listener, "no listener on this address and port")                      \
	X(NO_CONNECTION, no_connection, "no connection with these addresses and ports")          \
	X(TCP_STATE, tcp_state, "a TCP segment that the connection's state does not allow")      \
	X(TCP_WINDOW, tcp_window, "a TCP reset outside the receiver's window")                   \
	X(ICMP_UNMATCHED, icmp_unmatched, "an ICMP error that quotes no connection of ours")     \
	X(TOO_BIG, too_big, "longer than the MTU of the interface it would leave by")            \
	X(NO_ROUTE, no_route, "no route to the destination")                                     \
	X(NEIGHBOUR, neighbour, "the next hop did not answer ARP or neighbour discovery")        \
	X(NEIGHBOUR_QUEUE, neighbour_queue, "too many packets wait for the next hop's address")  \
	X(NO_BUFFER, no_buffer, "no packet buffer was free")                                     \
	X(RING_FULL, ring_full, "the hand-off ring to the owning worker was full")               \
	X(TX_FULL, tx_full, "the interface took no more frames")                                 \
	X(TX_ERROR, tx_error, "the interface is gone or stopped")                                \
	X(ORIGIN_LIMIT, origin_limit, "answers to strangers (RST, ICMP) are limited per second") \
	X(TABLE_FULL, table_full, "the connection table is full")                                \
	X(NO_PORT, no_port, "no SNAT port is free for this endpoint")                            \
	X(NO_ENDPOINT, no_endpoint, "the cluster has no usable endpoint")                        \
	X(NOT_READY, not_ready, "no policy has been adopted yet")                                \
	X(CONNECT_REFUSED, connect_refused, "the endpoint answered the SYN with a reset")        \
	X(CONNECT_TIMEOUT, connect_timeout, "the endpoint did not answer the SYN in time")       \
	X(REQUEST_TIMEOUT, request_timeout, "the connection was not set up in time")             \
	X(UPSTREAM_RESET, upstream_reset, "the endpoint reset before its first byte")            \
	X(UPSTREAM_UNREACHABLE, upstream_unreachable,                                            \
	  "the endpoint's network or port answered unreachable")                                 \
	X(CLIENT_GONE, client_gone, "the client left before the endpoint's verdict")             \
	X(IDLE_TIMEOUT, idle_timeout, "no packet for the idle time")                             \
	X(SNAT_REUSE_CHALLENGE, snat_reuse_challenge,                                            \
	  "challenge ACK of an endpoint that remembers the port; answered")                      \
	X(DRAINING, draining,                                                                    \
	  "the listener or endpoint left the policy, or Fender is being stopped")                \
	X(DATAPLANE_RESTART, dataplane_restart, "in flight when the dataplane died")             \
	X(CIRCUIT_OPEN, circuit_open, "the cluster's circuit breaker is open")                   \
	X(HALF_OPEN_FULL, half_open_full,                                                        \
	  "the cluster's circuit breaker is half-open and its probes are under way")             \
	X(BULKHEAD_FULL, bulkhead_full, "all permits are taken and there is no queue")           \
	X(QUEUE_FULL, queue_full, "all permits are taken and the queue is full")                 \
	X(QUEUE_TIMEOUT, queue_timeout, "no permit came free within queue_timeout")              \
	X(OVERLOAD, overload, "the cluster has its share of the connection table")               \
	X(EXPECT_REPLY, expect_reply, "the endpoint did not reply within expect_reply")          \
	X(RATE_LIMITED_CONNECTION, rate_limited_connection,                                      \
	  "beyond the connection's rate limit in packets or bytes")                              \
	X(RATE_LIMITED_SOURCE, rate_limited_source,                                              \
	  "a start of a connection beyond the limit of its source")                              \
	X(RATE_LIMITED_LISTENER, rate_limited_listener,                                          \
	  "a start of a connection beyond the limit of its listener")                            \
	X(RATE_LIMITED_CONTENDED, rate_limited_contended,                                        \
	  "a start of a connection while others kept changing the word of its limit")            \
	X(DAMAGED, damaged, "its connection's entry in shared memory was written over")

enum reason {
#define X(id, name, text) REASON_##id,
	REASONS(X)
#undef X
		REASON_COUNT,
};

/* Size of every per-reason array in shared memory: room to grow without a new ABI. */
enum { REASON_SLOTS = 64 };
_Static_assert((int)REASON_COUNT <= (int)REASON_SLOTS, "per-reason arrays are full");

/* The reason's name as shown everywhere ("table_full"), or "unknown". */
const char *reason_name(unsigned int reason);
/* One line for an operator, or "". */
const char *reason_text(unsigned int reason);

#endif
