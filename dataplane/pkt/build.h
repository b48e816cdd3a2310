/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that Fender originates. Each function writes an Ethernet header with the
 * ethertype and zero MACs (the sender fills them in and adds the VLAN tag), the
 * complete packet behind it, and returns the frame's length; 0 when out is too small.
 * BUILD_MAX_BYTES always suffices, but for the echo reply: as long as its request.
 * The neighbour messages carry both MACs, which follow from their arguments. Short
 * frames are not padded to 60 bytes: the interface does that.
 */
#ifndef FENDER_DATAPLANE_PKT_BUILD_H
#define FENDER_DATAPLANE_PKT_BUILD_H

#include <stddef.h>

#include "dataplane/packet.h"

enum { BUILD_MAX_BYTES = 14 + 1280 };

/*
 * RST that answers @p (RFC 9293 3.10.7.1: seq = its ack, or 0 with ACK of its end), with source
 * and destination swapped. Never for a packet that is itself a RST (returns 0).
 */
uint16_t build_rst_answer(uint8_t *out, size_t size, const struct packet *p);

/* RST with an explicit sequence number from Fender's SNAT address to the endpoint of @c. */
uint16_t build_rst_to_endpoint(uint8_t *out, size_t size, const struct conn *c, uint32_t seq);

/*
 * RST to the client of @c, from the listener's address, at what the client expects next: sequence
 * number c->fwd_ack (0 before a SYN-ACK), acknowledging c->rev_ack (its SYN, before one).
 */
uint16_t build_rst_to_client(uint8_t *out, size_t size, const struct conn *c);

/* The stored SYN of @c, translated: SNAT -> endpoint. */
uint16_t build_stored_syn(uint8_t *out, size_t size, const struct conn *c);

/*
 * ICMP echo reply to @p (PACKET_ECHO), TTL 64, from p->key.dst; needs p->ip_bytes + 14 bytes.
 * Returns 0 for a request to a group.
 */
uint16_t build_echo_reply(uint8_t *out, size_t size, const struct packet *p);

enum icmp_error {
	ICMP_ERROR_PORT_UNREACHABLE,
	ICMP_ERROR_ADMIN_PROHIBITED,
	ICMP_ERROR_HOST_UNREACHABLE,
	ICMP_ERROR_TOO_BIG, /* fragmentation needed / packet too big */
	ICMP_ERROR_TTL,
};

/*
 * ICMP error about @p sent from our address @from (family of p) to p's source, quoting as much as
 * fits 576 bytes (IPv6: 1,280). @mtu only for ICMP_ERROR_TOO_BIG. Before @p is rewritten. Returns
 * 0 where RFC 1122 3.2.2 / RFC 4443 2.4 forbid an error: about ICMP errors, ARP and ND, about what
 * was sent to a group of hosts or stations (bad sources packet_parse() has refused).
 */
uint16_t build_icmp_error(uint8_t *out, size_t size, const struct packet *p, enum icmp_error error,
			  uint16_t mtu, const uint8_t from[16]);

/*
 * "Who has @target?" ARP request (IPv4, v4-mapped addresses) or neighbour solicitation (IPv6).
 * @to_mac: NULL asks everybody (broadcast, solicited-node group), else a unicast probe.
 * The destination MAC is filled in here (it follows from the arguments), the source MAC too.
 */
uint16_t build_solicit(uint8_t *out, size_t size, const uint8_t my_mac[6], const uint8_t my_ip[16],
		       const uint8_t target[16], const uint8_t *to_mac);

/*
 * Answer to an ARP request or neighbour solicitation @p for our address p->key.dst; 0 for anything
 * else. To the asker's MAC; to all nodes when the asker has no address yet.
 */
uint16_t build_advertise_answer(uint8_t *out, size_t size, const struct packet *p,
				const uint8_t my_mac[6]);

/* Gratuitous ARP / unsolicited neighbour advertisement for @my_ip. */
uint16_t build_advertise(uint8_t *out, size_t size, const uint8_t my_mac[6],
			 const uint8_t my_ip[16]);

/* What an ARP or ND packet says. */
struct neighbour_message {
	/* whose MAC it is: v4-mapped for ARP, the target of an advertisement; unspecified (all
	 * zero) for a probe of an address not yet in use */
	uint8_t sender_ip[16];
	uint8_t sender_mac[6];
	uint8_t target_ip[16];
	uint8_t is_request; /* ARP request or solicitation: wants an answer */
	uint8_t has_mac;    /* ND without link-layer option: 0 */
	uint8_t override;   /* may replace a known MAC: all but advertisements that say no */
	uint8_t solicited;  /* answer to a question; not an announcement by ARP reply */
};

/* Read a parsed PACKET_ARP or PACKET_ND. Return 0, -1 when the options are malformed. */
int neighbour_message_read(const struct packet *p, struct neighbour_message *m);

#endif
