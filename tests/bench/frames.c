/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/frames.h"

#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/headers.h"
#include "tests/bench/inprocess.h"

#include <endian.h>
#include <string.h>

enum { CLIENT_ADDRESSES = 8192, FIRST_PORT = 1024, MSS = 1460, TTL = 64 };

struct ipv4_frame {
	struct ethernet_header ether;
	struct ipv4_header ip;
	union {
		struct tcp_header tcp;
		struct udp_header udp;
	};
} __attribute__((packed));
_Static_assert(sizeof(struct ipv4_frame) == 54, "wire format");

struct frame_tuple frame_client(uint32_t flow)
{
	return (struct frame_tuple){
		.src = htobe32(INPROCESS_CLIENTS + 1 + flow % CLIENT_ADDRESSES),
		.dst = htobe32(INPROCESS_LISTENER),
		.sport = htobe16((uint16_t)(FIRST_PORT + flow / CLIENT_ADDRESSES)),
		.dport = htobe16(INPROCESS_PORT),
	};
}

static void ip_checksum(struct ipv4_header *ip)
{
	ip->check = 0;
	ip->check = checksum_finish(checksum_sum20(ip));
}

static uint16_t build_udp(struct ipv4_frame *f, const struct frame_tuple *t)
{
	uint16_t bytes = sizeof(f->udp) + FRAME_PAYLOAD;

	f->udp = (struct udp_header){
		.sport = t->sport,
		.dport = t->dport,
		.bytes = htobe16(bytes),
	};
	f->udp.check = checksum_finish_udp(checksum_pseudo4(t->src, t->dst, PROTO_UDP, bytes) +
					   checksum_sum(&f->udp, bytes));
	return bytes;
}

static uint16_t build_tcp(struct ipv4_frame *f, const struct frame_tuple *t,
			  const struct frame_tcp *tcp)
{
	const uint8_t mss[] = {2, 4, MSS >> 8, MSS & 0xff};
	uint16_t options = tcp->flags & TCP_SYN ? sizeof(mss) : 0;
	uint16_t bytes = (uint16_t)(sizeof(f->tcp) + options + tcp->payload);

	f->tcp = (struct tcp_header){
		.sport = t->sport,
		.dport = t->dport,
		.seq = htobe32(tcp->seq),
		.ack = htobe32(tcp->ack),
		.offset = (uint8_t)((sizeof(f->tcp) + options) / 4 << 4),
		.flags = tcp->flags,
		.window = 0xffff,
	};
	memcpy(&f->tcp + 1, mss, options);
	f->tcp.check = checksum_finish(checksum_pseudo4(t->src, t->dst, PROTO_TCP, bytes) +
				       checksum_sum(&f->tcp, bytes));
	return bytes;
}

void frame_build(struct frame *frame, const struct frame_tuple *t, const struct frame_tcp *tcp)
{
	struct ipv4_frame *f = (struct ipv4_frame *)frame->bytes;
	uint16_t bytes;

	memset(frame, 0, sizeof(*frame));
	memcpy(f->ether.dst, inprocess_mac, 6);
	f->ether.type = htobe16(ETHER_TYPE_IPV4);
	bytes = tcp ? build_tcp(f, t, tcp) : build_udp(f, t);
	f->ip = (struct ipv4_header){
		.version_ihl = IPV4_PLAIN,
		.total_bytes = htobe16((uint16_t)(sizeof(f->ip) + bytes)),
		.fragment = htobe16(IPV4_DONT_FRAGMENT),
		.ttl = TTL,
		.proto = tcp ? PROTO_TCP : PROTO_UDP,
		.src = t->src,
		.dst = t->dst,
	};
	ip_checksum(&f->ip);
}

void frame_retarget(struct frame *frame, const struct frame_tuple *t)
{
	struct ipv4_frame *f = (struct ipv4_frame *)frame->bytes;

	f->ip.src = t->src;
	f->ip.dst = t->dst;
	ip_checksum(&f->ip);
	f->tcp.sport = t->sport;
	f->tcp.dport = t->dport;
}

struct frame_tuple frame_answer(const uint8_t *bytes)
{
	const struct ipv4_frame *f = (const struct ipv4_frame *)bytes;

	return (struct frame_tuple){
		.src = f->ip.dst,
		.dst = f->ip.src,
		.sport = f->udp.dport,
		.dport = f->udp.sport,
	};
}
