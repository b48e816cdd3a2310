/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_DATAPLANE_PKT_PARSE_H
#define FENDER_DATAPLANE_PKT_PARSE_H

#include "dataplane/packet.h"

/**
 * packet_parse() - read the headers of one frame
 * @p: data and bytes are set; everything else is filled in
 * @interface: index of the interface it came in by; goes into the key
 *
 * Reads nothing past data + bytes. Accepts untagged frames and one 802.1Q tag (a second one or
 * 802.1ad: vlan). TTL is only reported: TTL 1 is fine for what ends here. 6 to 7 ns for TCP and
 * UDP in cache, either family; the payload is read of ICMP messages only.
 *
 * malformed:  a length that contradicts another at any layer; an Ethernet source that is a group;
 *             sources that are unspecified, loopback, multicast or broadcast; a v4-mapped address
 *             on IPv6; port 0; TCP flags no TCP sends (none, or of FIN, SYN and RST more than one,
 *             or FIN without ACK); ARP that is not IPv4 over Ethernet, and a sender MAC that is a
 *             group or zero; ND that RFC 4861 7.1 refuses (hop limit not 255 above all)
 * checksum:   of an IPv4 header or ICMP message; UDP over IPv6 without one. TCP and UDP checksums
 *             are not verified, see pkt/l4_checksum.h
 * fragment:   more fragments or an offset; an IPv6 fragment header
 * ip_options: IPv4 options; any other IPv6 extension header (a jumbogram has one)
 * protocol:   other IP protocols, ICMP types and ARP operations
 * icmp_unmatched: an ICMP error that quotes what Fender cannot have sent: no TCP or UDP, a later
 *             fragment, options, or another source than the one the error is sent to
 * ethertype, vlan: as their names say
 *
 * Where several apply the outermost layer's counts; within IPv4 in the order: lengths, checksum,
 * options, fragment, source.
 *
 * Return: REASON_NONE and p->kind, or the reason to drop; *p is of no use then.
 */
enum reason packet_parse(struct packet *p, uint8_t interface);

#endif
