/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/build.h"

#include "dataplane/pkt/build_frame.h"

/* What differs between the segments built here. */
struct segment {
	struct build_ip ip;
	uint16_t sport; /* network order, as in keys */
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint16_t window;
	uint8_t flags;
	uint8_t option_bytes; /* multiple of 4 */
	const uint8_t *options;
};

static uint16_t build_segment(uint8_t *out, size_t size, const struct segment *s)
{
	size_t bytes = sizeof(struct tcp_header) + s->option_bytes;
	uint8_t *l4 = build_ip_frame(out, size, &s->ip, bytes);
	struct tcp_header *tcp = (struct tcp_header *)l4;

	if (!l4)
		return 0;
	*tcp = (struct tcp_header){
		.sport = s->sport,
		.dport = s->dport,
		.seq = htonl(s->seq),
		.ack = htonl(s->ack),
		.offset = (uint8_t)(bytes / 4 << 4),
		.flags = s->flags,
		.window = htons(s->window),
	};
	if (s->option_bytes)
		memcpy(l4 + sizeof(*tcp), s->options, s->option_bytes);
	tcp->check = checksum_finish(build_pseudo_sum(&s->ip, bytes) + checksum_sum(l4, bytes));
	return build_frame_bytes(&s->ip, bytes);
}

/* FORWARD: SNAT address to endpoint. REVERSE: listener to client. */
static struct segment segment_of_conn(const struct conn *c, enum direction dir)
{
	const struct conn_key *k = dir == FORWARD ? &c->rev : &c->fwd;
	struct segment s = {
		.ip = {.family = k->family,
		       .proto = PROTO_TCP,
		       .ttl = BUILD_TTL,
		       .src = k->dst,
		       .dst = k->src},
		.sport = k->dport,
		.dport = k->sport,
	};

	memcpy(s.ip.src6, dir == FORWARD ? c->snat6 : c->listener6, sizeof(s.ip.src6));
	memcpy(s.ip.dst6, dir == FORWARD ? c->endpoint6 : c->client6, sizeof(s.ip.dst6));
	return s;
}

uint16_t build_rst_answer(uint8_t *out, size_t size, const struct packet *p)
{
	const struct tcp_header *tcp;
	struct segment s = {.ip = build_ip_answer(p, PROTO_TCP),
			    .sport = p->key.k.dport,
			    .dport = p->key.k.sport,
			    .flags = TCP_RST};

	if (p->kind != PACKET_TCP || p->tcp_flags & TCP_RST)
		return 0;
	tcp = packet_tcp(p);
	if (p->tcp_flags & TCP_ACK) {
		s.seq = ntohl(tcp->ack);
	} else {
		s.flags = TCP_RST | TCP_ACK;
		s.ack = ntohl(tcp->seq) + (uint32_t)(p->bytes - p->payload) +
			!!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	}
	return build_segment(out, size, &s);
}

uint16_t build_rst_to_endpoint(uint8_t *out, size_t size, const struct conn *c, uint32_t seq)
{
	struct segment s = segment_of_conn(c, FORWARD);

	s.seq = seq;
	s.flags = TCP_RST;
	return build_segment(out, size, &s);
}

uint16_t build_rst_to_client(uint8_t *out, size_t size, const struct conn *c)
{
	struct segment s = segment_of_conn(c, REVERSE);

	s.seq = c->fwd_ack;
	s.ack = c->rev_ack;
	s.flags = TCP_RST | TCP_ACK;
	return build_segment(out, size, &s);
}

uint16_t build_stored_syn(uint8_t *out, size_t size, const struct conn *c)
{
	struct segment s = segment_of_conn(c, FORWARD);

	s.ip.ttl = c->syn_ttl;
	s.seq = c->isn;
	s.window = c->syn_window;
	s.flags = TCP_SYN;
	s.options = c->syn_options;
	s.option_bytes = c->syn_option_bytes;
	/* the entry lies in shared memory: its length is not taken on trust */
	if (s.option_bytes > sizeof(c->syn_options) || s.option_bytes % 4)
		return 0;
	return build_segment(out, size, &s);
}
