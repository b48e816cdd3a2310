/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a SYN or SYN-ACK: read, clamped, stored, rebuilt. */
#ifndef FENDER_DATAPLANE_PKT_TCP_SYN_H
#define FENDER_DATAPLANE_PKT_TCP_SYN_H

#include "dataplane/packet.h"

struct tcp_syn {
	uint16_t mss;   /* as announced, 0: no option */
	uint8_t wscale; /* 0..14; 0xff: no option */
	uint8_t has_timestamp;
};

/*
 * Read the options of a SYN or SYN-ACK; of an option that comes twice the last counts. A larger
 * window scale is 14 (RFC 7323 2.3). Return 0, or -1 when an option's length is wrong.
 */
int tcp_syn_read(const struct packet *p, struct tcp_syn *syn);

/**
 * tcp_syn_clamp() - make a SYN or SYN-ACK fit to be forwarded
 * @mss_max: largest MSS to let through
 *
 * Lowers the MSS option when larger (checksum adjusted), overwrites TCP Fast Open options with
 * NOPs and cuts data off a SYN (both change the checksum and the IP length; p->bytes and
 * p->ip_bytes follow; the caller trims its buffer to p->bytes). A partial checksum stays partial.
 * From an option with a wrong length on nothing is changed.
 * @may_be_partial as in rewrite_packet().
 */
void tcp_syn_clamp(struct packet *p, uint16_t mss_max, int may_be_partial);

/* The same for the options that tcp_syn_store() kept, before another attempt. */
void tcp_syn_clamp_stored(struct conn *c, uint16_t mss_max);

/*
 * Keep a clamped SYN's fields and options in the connection: isn and syn_window in host order,
 * syn_ttl as it is forwarded (one less than it came with), options with their length.
 */
void tcp_syn_store(struct conn *c, const struct packet *p);

#endif
