/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/rewrite.h"

#include "dataplane/pkt/l4_checksum.h"

/* Sum of what a key's packets carry in address and port fields; order does not matter. */
static uint64_t sum_addresses(const struct conn *c, const struct conn_key *k)
{
	if (k->family == FAMILY_V4)
		return (uint64_t)k->src + k->dst;
	if (k == &c->fwd)
		return checksum_sum16(c->client6) + checksum_sum16(c->listener6);
	return checksum_sum16(c->endpoint6) + checksum_sum16(c->snat6);
}

struct deltas {
	uint16_t l3;
	uint16_t l4;
};

static struct deltas deltas_of(const struct conn *c)
{
	uint16_t before = checksum_fold(sum_addresses(c, &c->fwd));
	uint16_t after = checksum_fold(sum_addresses(c, &c->rev));
	uint16_t addresses = checksum_fold((uint64_t)(uint16_t)~before + after);
	uint16_t ports_before = checksum_fold((uint64_t)c->fwd.sport + c->fwd.dport);
	uint16_t ports_after = checksum_fold((uint64_t)c->rev.sport + c->rev.dport);

	return (struct deltas){
		.l3 = c->fwd.family == FAMILY_V4 ? addresses : 0,
		.l4 = checksum_fold((uint64_t)addresses + (uint16_t)~ports_before + ports_after),
	};
}

void rewrite_prepare(struct conn *c)
{
	const struct deltas d = deltas_of(c);

	c->l3_delta = d.l3;
	c->l4_delta = d.l4;
}

int rewrite_is_prepared(const struct conn *c)
{
	const struct deltas d = deltas_of(c);

	return c->l3_delta == d.l3 && c->l4_delta == d.l4;
}

/* Incremental, unless the whole is missing. */
static inline void rewrite_l4_checksum(struct packet *p, uint16_t delta, int partial)
{
	uint16_t check = l4_checksum_get(p);

	if (partial)
		l4_checksum_complete(p);
	else if (p->kind == PACKET_TCP)
		l4_checksum_set(p, checksum_update(check, delta));
	else if (check)
		l4_checksum_set(p, checksum_update_udp(check, delta));
}

void rewrite_packet(struct packet *p, const struct conn *c, enum direction dir, int may_be_partial)
{
	/* the key that the opposite direction carries, to be written the other way round */
	const struct conn_key *k = dir == FORWARD ? &c->rev : &c->fwd;
	uint16_t flip = dir == FORWARD ? 0 : 0xffff;
	int partial = may_be_partial && l4_checksum_is_partial(p);
	struct udp_header *ports = packet_udp(p);

	/* What the packet is, the entry could say wrongly. */
	if (p->key.k.family == FAMILY_V4) {
		struct ipv4_header *ip = packet_ipv4(p);
		/* one less in the high byte of a word */
		uint16_t ttl_delta = (uint16_t)~htons(0x0100);

		ip->src = k->dst;
		ip->dst = k->src;
		ip->ttl--;
		ip->check = checksum_update(ip->check, (uint32_t)(c->l3_delta ^ flip) + ttl_delta);
	} else {
		struct ipv6_header *ip = packet_ipv6(p);

		memcpy(ip->src, dir == FORWARD ? c->snat6 : c->listener6, sizeof(ip->src));
		memcpy(ip->dst, dir == FORWARD ? c->endpoint6 : c->client6, sizeof(ip->dst));
		ip->hop_limit--;
	}
	ports->sport = k->dport;
	ports->dport = k->sport;
	rewrite_l4_checksum(p, c->l4_delta ^ flip, partial);
}

/* The quoted transport header: only its first 8 bytes are sure to be there. */
static void rewrite_quoted_l4(struct packet *p, const struct conn_key *k, uint16_t delta)
{
	struct udp_header *udp = (struct udp_header *)(p->data + p->inner_l4);
	struct tcp_header *tcp = (struct tcp_header *)(p->data + p->inner_l4);
	uint32_t room = (uint32_t)(p->bytes - p->inner_l4);

	udp->sport = k->sport;
	udp->dport = k->dport;
	if (k->proto == PROTO_UDP) {
		if (udp->check)
			udp->check = checksum_update_udp(udp->check, delta);
	} else if (room >= offsetof(struct tcp_header, check) + sizeof(tcp->check)) {
		tcp->check = checksum_update(tcp->check, delta);
	}
}

static void rewrite_error4(struct packet *p, const struct conn_key *k)
{
	struct ipv4_header *ip = packet_ipv4(p);
	struct ipv4_header *quoted = (struct ipv4_header *)(p->data + p->inner_l3);
	struct icmp_header *icmp = packet_icmp(p);

	quoted->src = k->src;
	quoted->dst = k->dst;
	quoted->check = 0;
	quoted->check = checksum_finish(checksum_sum20(quoted));
	icmp->check = 0;
	icmp->check = checksum_finish(checksum_sum(icmp, packet_l4_bytes(p)));
	ip->src = k->dst;
	ip->dst = k->src;
	ip->ttl--;
	ip->check = 0;
	ip->check = checksum_finish(checksum_sum20(ip));
}

static void rewrite_error6(struct packet *p, const uint8_t src[16], const uint8_t dst[16])
{
	struct ipv6_header *ip = packet_ipv6(p);
	struct ipv6_header *quoted = (struct ipv6_header *)(p->data + p->inner_l3);
	struct icmp_header *icmp = packet_icmp(p);
	uint16_t bytes = packet_l4_bytes(p);

	memcpy(quoted->src, src, sizeof(quoted->src));
	memcpy(quoted->dst, dst, sizeof(quoted->dst));
	memcpy(ip->src, dst, sizeof(ip->src));
	memcpy(ip->dst, src, sizeof(ip->dst));
	ip->hop_limit--;
	icmp->check = 0;
	icmp->check = checksum_finish(checksum_pseudo6(ip->src, ip->dst, IP_PROTO_ICMPV6, bytes) +
				      checksum_sum(icmp, bytes));
}

void rewrite_icmp_error(struct packet *p, const struct conn *c, enum direction dir)
{
	/* the quoted packet becomes what its sender sent: that is this key, as it stands */
	const struct conn_key *k = dir == FORWARD ? &c->rev : &c->fwd;
	uint16_t delta = dir == FORWARD ? c->l4_delta : (uint16_t)~c->l4_delta;

	rewrite_quoted_l4(p, k, delta);
	if (p->key.k.family == FAMILY_V4)
		rewrite_error4(p, k);
	else if (dir == FORWARD)
		rewrite_error6(p, c->endpoint6, c->snat6);
	else
		rewrite_error6(p, c->client6, c->listener6);
}
