/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a frame: parsed, and if accepted, everything the dataplane would do with it.
 * Input: one byte of choices (enum choice), one that sizes the MSS, then the frame. All memory
 * has exactly the size of its content, so that the sanitizer sees one byte too far.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/pkt/build.h"
#include "dataplane/pkt/l4_checksum.h"
#include "dataplane/pkt/parse.h"
#include "dataplane/pkt/rewrite.h"
#include "dataplane/pkt/tcp_syn.h"

enum choice {
	CHOICE_FIX = 1, /* put right checksums in first: a fuzzer does not guess them */
	CHOICE_REVERSE = 2,
	CHOICE_MAY_BE_PARTIAL = 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void *exact_copy(const void *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	must(copy != NULL);
	if (n)
		memcpy(copy, bytes, n);
	return copy;
}

static void fix_ipv4(uint8_t *l3, size_t room)
{
	struct ipv4_header *ip = (struct ipv4_header *)l3;
	struct icmp_header *icmp = (struct icmp_header *)(l3 + sizeof(*ip));
	size_t total = ntohs(ip->total_bytes);

	if ((ip->version_ihl & 0xf) * 4u > room)
		return;
	ip->check = 0;
	ip->check = checksum_finish(checksum_sum(ip, (ip->version_ihl & 0xf) * 4u));
	if (ip->proto != IP_PROTO_ICMP || total > room || total < sizeof(*ip) + sizeof(*icmp))
		return;
	icmp->check = 0;
	icmp->check = checksum_finish(checksum_sum(icmp, total - sizeof(*ip)));
}

static void fix_ipv6(uint8_t *l3, size_t room)
{
	struct ipv6_header *ip = (struct ipv6_header *)l3;
	struct icmp_header *icmp = (struct icmp_header *)(l3 + sizeof(*ip));
	uint16_t payload = ntohs(ip->payload_bytes);

	if (ip->next != IP_PROTO_ICMPV6 || payload > room - sizeof(*ip) || payload < sizeof(*icmp))
		return;
	icmp->check = 0;
	icmp->check = checksum_finish(checksum_pseudo6(ip->src, ip->dst, ip->next, payload) +
				      checksum_sum(icmp, payload));
}

static void fix_checksums(uint8_t *frame, size_t n)
{
	size_t l3 = 14;

	if (n > 18 && frame[12] == 0x81 && frame[13] == 0)
		l3 = 18;
	if (n >= l3 + sizeof(struct ipv4_header) && frame[l3 - 2] == 8 && frame[l3 - 1] == 0)
		fix_ipv4(frame + l3, n - l3);
	if (n >= l3 + sizeof(struct ipv6_header) && frame[l3 - 2] == 0x86)
		fix_ipv6(frame + l3, n - l3);
}

static void check_offsets(const struct packet *p, size_t size)
{
	must(p->bytes <= size && p->l3 <= p->bytes && p->l4 <= p->bytes);
	must(p->payload <= p->bytes && p->inner_l4 <= p->bytes);
	must(!p->ip_bytes || p->l3 + p->ip_bytes == p->bytes);
	must(!p->inner_l4 || p->inner_l4 + 8 <= p->bytes);
}

/* A connection whose packets of @dir carry the key; the other ends are fixed. */
static void make_conn(struct conn *c, const struct flow_key *key, enum direction dir)
{
	struct conn_key *own = dir == FORWARD ? &c->fwd : &c->rev;
	struct conn_key *other = dir == FORWARD ? &c->rev : &c->fwd;

	memset(c, 0, sizeof(*c));
	*own = key->k;
	*other = key->k;
	other->sport = htons(80);
	other->dport = htons(33000);
	if (key->k.family == FAMILY_V4) {
		other->src = htonl(0x0a140050);
		other->dst = htonl(0x0a140002);
	} else {
		memset(dir == FORWARD ? c->endpoint6 : c->client6, 0x20, 16);
		memset(dir == FORWARD ? c->snat6 : c->listener6, 0x21, 16);
		memcpy(dir == FORWARD ? c->client6 : c->endpoint6, key->src6, 16);
		memcpy(dir == FORWARD ? c->listener6 : c->snat6, key->dst6, 16);
	}
	rewrite_prepare(c);
}

/* What was accepted stays acceptable, and its checksum as right or wrong as it was. */
static void fuzz_rewrite(struct packet *p, enum direction dir, int may_be_partial)
{
	uint8_t *before = exact_copy(p->data, p->bytes);
	int partial = may_be_partial && l4_checksum_is_partial(p);
	int right = l4_checksum_ok(p, 0);
	struct packet q = *p;
	struct conn c;

	make_conn(&c, &p->key, dir);
	rewrite_packet(p, &c, dir, may_be_partial);
	must(l4_checksum_ok(p, 0) == (right || partial));
	q.data = p->data;
	q.bytes = p->bytes;
	/* a hop limit of 0 wraps: the caller has refused it */
	must(!p->ttl || packet_parse(&q, 0) == REASON_NONE);
	memcpy(p->data, before, p->bytes);
	free(before);
}

static void fuzz_icmp_error(struct packet *p, enum direction dir)
{
	struct packet q = *p;
	struct conn c;

	make_conn(&c, &p->key, dir);
	rewrite_icmp_error(p, &c, dir);
	must(packet_parse(&q, 0) == REASON_NONE && q.kind == PACKET_ICMP_ERROR);
}

static void fuzz_syn(struct packet *p, uint16_t mss_max, int may_be_partial)
{
	uint8_t out[BUILD_MAX_BYTES];
	struct packet q = {.data = out};
	struct tcp_syn syn;
	struct conn c;
	int partial = may_be_partial && l4_checksum_is_partial(p);
	int right = l4_checksum_ok(p, 0);

	tcp_syn_read(p, &syn);
	tcp_syn_clamp(p, mss_max, may_be_partial);
	must(p->bytes == p->payload);
	must(partial ? l4_checksum_is_partial(p) : l4_checksum_ok(p, 0) == right);
	must(tcp_syn_read(p, &syn) || syn.mss <= mss_max);
	make_conn(&c, &p->key, FORWARD);
	tcp_syn_store(&c, p);
	q.bytes = build_stored_syn(out, sizeof(out), &c);
	must(q.bytes && packet_parse(&q, 0) == REASON_NONE && l4_checksum_ok(&q, 0));
}

static void fuzz_errors_about(const struct packet *p)
{
	static const uint8_t from4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, 0, 0, 1};
	static const uint8_t from6[16] = {0xfd, [15] = 1};
	const uint8_t *from = p->key.k.family == FAMILY_V4 ? from4 : from6;
	uint8_t whole[BUILD_MAX_BYTES];

	for (int error = ICMP_ERROR_PORT_UNREACHABLE; error <= ICMP_ERROR_TTL; error++) {
		struct packet q = {0};

		q.bytes = build_icmp_error(whole, sizeof(whole), p, error, 1280, from);
		if (!q.bytes)
			continue;
		q.data = exact_copy(whole, q.bytes);
		must(build_icmp_error(q.data, q.bytes - 1u, p, error, 1280, from) == 0);
		must(build_icmp_error(q.data, q.bytes, p, error, 1280, from) == q.bytes);
		must(packet_parse(&q, 0) ==
		     (p->kind == PACKET_ECHO ? REASON_ICMP_UNMATCHED : REASON_NONE));
		free(q.data);
	}
}

static void fuzz_answers(const struct packet *p)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	uint8_t *out = exact_copy(p->data, p->bytes); /* an echo's reply is as long as the echo */
	struct neighbour_message m;
	uint8_t rst[14 + 60];
	struct packet q = {.data = rst};

	q.bytes = build_rst_answer(rst, sizeof(rst), p);
	must(!q.bytes || (p->kind == PACKET_TCP && !(p->tcp_flags & TCP_RST)));
	/* our own address as a source may be one that nobody may have: then it is refused */
	must(!q.bytes || packet_parse(&q, 0) != REASON_NONE || l4_checksum_ok(&q, 0));
	build_echo_reply(out, p->bytes, p);
	if (p->kind == PACKET_ARP || p->kind == PACKET_ND) {
		must(!neighbour_message_read(p, &m) || p->kind == PACKET_ND);
		build_advertise_answer(out, p->bytes, p, mac);
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p = {0};
	enum direction dir;
	int may_be_partial;
	size_t bytes;

	if (size < 2 || size - 2 > UINT16_MAX)
		return 0;
	bytes = size - 2;
	dir = data[0] & CHOICE_REVERSE ? REVERSE : FORWARD;
	may_be_partial = !!(data[0] & CHOICE_MAY_BE_PARTIAL);
	p.data = exact_copy(data + 2, bytes);
	p.bytes = (uint16_t)bytes;
	if (data[0] & CHOICE_FIX)
		fix_checksums(p.data, bytes);
	if (packet_parse(&p, 0) == REASON_NONE) {
		check_offsets(&p, bytes);
		fuzz_answers(&p);
		fuzz_errors_about(&p);
		if (p.kind == PACKET_TCP || p.kind == PACKET_UDP)
			fuzz_rewrite(&p, dir, may_be_partial);
		if (p.kind == PACKET_TCP && p.tcp_flags & TCP_SYN)
			fuzz_syn(&p, (uint16_t)(data[1] * 16), may_be_partial);
		if (p.kind == PACKET_ICMP_ERROR)
			fuzz_icmp_error(&p, dir);
	}
	free(p.data);
	return 0;
}
