/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_DATAPLANE_PKT_PARSE_H
#define FENDER_DATAPLANE_PKT_PARSE_H

#include "dataplane/packet.h"

/**
 * packet_parse() - read the headers of one frame
 * @p: data and bytes are set; everything else is filled in
 * @interface: index of the interface it came in by; goes into the key
 *
 * Reads nothing past data + bytes. Accepts untagged frames and one 802.1Q tag. Checks, smallest
 * first: lengths at every layer, IPv4 header checksum, fragments, options and extension headers,
 * TCP data offset, UDP length, the checksum of ICMP and ND messages (ND also: hop limit 255), ARP
 * fields. TTL is only reported: TTL 1 is fine for what ends here.
 *
 * Return: REASON_NONE and p->kind, or the reason to drop.
 */
enum reason packet_parse(struct packet *p, uint8_t interface);

#endif
