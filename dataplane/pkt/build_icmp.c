/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/build.h"

#include "dataplane/pkt/build_frame.h"

/* The most an error may fill: RFC 1812 4.3.2.3, RFC 4443 2.4 (c). */
enum { ERROR4_IP_BYTES = 576, ERROR6_IP_BYTES = 1280 };

struct error_code {
	uint8_t type;
	uint8_t code;
};

static const struct error_code error4_codes[] = {
	[ICMP_ERROR_PORT_UNREACHABLE] = {ICMP4_UNREACHABLE, 3},
	[ICMP_ERROR_ADMIN_PROHIBITED] = {ICMP4_UNREACHABLE, 13},
	[ICMP_ERROR_HOST_UNREACHABLE] = {ICMP4_UNREACHABLE, 1},
	[ICMP_ERROR_TOO_BIG] = {ICMP4_UNREACHABLE, 4},
	[ICMP_ERROR_TTL] = {ICMP4_TIME_EXCEEDED, 0},
};

static const struct error_code error6_codes[] = {
	[ICMP_ERROR_PORT_UNREACHABLE] = {ICMP6_UNREACHABLE, 4},
	[ICMP_ERROR_ADMIN_PROHIBITED] = {ICMP6_UNREACHABLE, 1},
	[ICMP_ERROR_HOST_UNREACHABLE] = {ICMP6_UNREACHABLE, 3},
	[ICMP_ERROR_TOO_BIG] = {ICMP6_TOO_BIG, 0},
	[ICMP_ERROR_TTL] = {ICMP6_TIME_EXCEEDED, 0},
};

/* ICMP type, code and rest as given, data behind them; the checksum over it all. */
static uint16_t build_message(uint8_t *out, size_t size, const struct build_ip *ip,
			      struct icmp_header icmp, const uint8_t *data, size_t data_bytes)
{
	size_t bytes = sizeof(icmp) + data_bytes;
	uint8_t *l4 = build_ip_frame(out, size, ip, bytes);

	if (!l4)
		return 0;
	icmp.check = 0;
	memcpy(l4, &icmp, sizeof(icmp));
	memcpy(l4 + sizeof(icmp), data, data_bytes);
	icmp.check = checksum_finish(build_pseudo_sum(ip, bytes) + checksum_sum(l4, bytes));
	memcpy(l4, &icmp, sizeof(icmp));
	return build_frame_bytes(ip, bytes);
}

static uint8_t icmp_proto(const struct packet *p)
{
	return p->key.k.family == FAMILY_V4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
}

/* Sent to a group, of stations or of hosts: nobody in particular shall answer. */
static int is_to_group(const struct packet *p)
{
	uint8_t first;

	if (p->data[0] & 1)
		return 1;
	if (p->key.k.family == FAMILY_V6)
		return p->key.dst6[0] == 0xff;
	memcpy(&first, &p->key.k.dst, sizeof(first));
	return (first & 0xf0) == 0xe0 || p->key.k.dst == 0xffffffff;
}

uint16_t build_echo_reply(uint8_t *out, size_t size, const struct packet *p)
{
	struct build_ip ip = build_ip_answer(p, icmp_proto(p));
	struct icmp_header icmp;

	if (p->kind != PACKET_ECHO || is_to_group(p))
		return 0;
	icmp = *packet_icmp(p);
	icmp.type = ip.family == FAMILY_V4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
	icmp.code = 0;
	return build_message(out, size, &ip, icmp, p->data + p->l4 + sizeof(icmp),
			     packet_l4_bytes(p) - sizeof(icmp));
}

uint16_t build_icmp_error(uint8_t *out, size_t size, const struct packet *p, enum icmp_error error,
			  uint16_t mtu, const uint8_t from[16])
{
	struct build_ip ip = build_ip_answer(p, icmp_proto(p));
	struct icmp_header icmp = {0};
	size_t most = ERROR6_IP_BYTES;
	struct error_code code = error6_codes[error];

	if ((p->kind != PACKET_TCP && p->kind != PACKET_UDP && p->kind != PACKET_ECHO) ||
	    is_to_group(p))
		return 0;
	if (ip.family == FAMILY_V4) {
		code = error4_codes[error];
		most = ERROR4_IP_BYTES;
		memcpy(&ip.src, from + 12, sizeof(ip.src));
	}
	memcpy(ip.src6, from, sizeof(ip.src6));
	icmp.type = code.type;
	icmp.code = code.code;
	if (error == ICMP_ERROR_TOO_BIG)
		icmp.rest = htonl(mtu);
	most -= build_frame_bytes(&ip, sizeof(icmp)) - sizeof(struct ethernet_header);
	return build_message(out, size, &ip, icmp, p->data + p->l3,
			     p->ip_bytes < most ? p->ip_bytes : most);
}
