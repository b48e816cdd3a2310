/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/rewrite.h"

#include "dataplane/pkt/parse.h"

#include "tests/unit/dataplane/frames.h"
#include "tests/unit/dataplane/suite.h"

static uint64_t seed = 0x2545f4914f6cdd1d;

static const uint8_t endpoint4[4] = {10, 20, 0, 80};
static const uint8_t snat4[4] = {10, 20, 0, 2};
static const uint8_t endpoint6[16] = {0xfd, 9, [3] = 0xee, [15] = 0x50};
static const uint8_t snat6[16] = {0xfd, 9, [15] = 2};

static const struct frame_spec specs[] = {
	{.payload_bytes = 0},
	{.payload_bytes = 1},
	{.payload_bytes = 1400, .tagged = 1, .vlan = 5},
	{.proto = PROTO_UDP, .payload_bytes = 0},
	{.proto = PROTO_UDP, .payload_bytes = 7},
	{.family = FAMILY_V6, .payload_bytes = 3},
	{.family = FAMILY_V6, .payload_bytes = 1300},
	{.family = FAMILY_V6, .proto = PROTO_UDP, .payload_bytes = 2, .tagged = 1},
};
enum { SPECS = sizeof(specs) / sizeof(specs[0]) };

static void set_ports(struct conn_key *k, uint16_t sport, uint16_t dport)
{
	put16((uint8_t *)&k->sport, sport);
	put16((uint8_t *)&k->dport, dport);
}

/* The connection that frames of @s belong to. */
static void make_conn(struct conn *c, const struct frame_spec *s)
{
	memset(c, 0, sizeof(*c));
	c->fwd.proto = s->proto ? s->proto : PROTO_TCP;
	c->fwd.family = s->family ? s->family : FAMILY_V4;
	c->rev = c->fwd;
	set_ports(&c->fwd, 40001, 8080);
	set_ports(&c->rev, 80, 33000);
	if (c->fwd.family == FAMILY_V4) {
		memcpy(&c->fwd.src, frame_client4, 4);
		memcpy(&c->fwd.dst, frame_listener4, 4);
		memcpy(&c->rev.src, endpoint4, 4);
		memcpy(&c->rev.dst, snat4, 4);
	} else {
		memcpy(c->client6, frame_client6, 16);
		memcpy(c->listener6, frame_listener6, 16);
		memcpy(c->endpoint6, endpoint6, 16);
		memcpy(c->snat6, snat6, 16);
	}
	rewrite_prepare(c);
}

static void random_bytes(void *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)at)[i] = (uint8_t)random32(&seed);
}

/* Any addresses and ports, corners among them. */
static void randomise_conn(struct conn *c)
{
	int corner = random32(&seed) % 4 == 0;

	random_bytes(&c->fwd, 12); /* addresses and ports */
	random_bytes(&c->rev, 12);
	random_bytes(c->client6, 16);
	random_bytes(c->listener6, 16);
	random_bytes(c->endpoint6, 16);
	random_bytes(c->snat6, 16);
	if (corner) {
		memset(&c->rev, random32(&seed) % 2 ? 0xff : 0, 12);
		memset(c->endpoint6, random32(&seed) % 2 ? 0xff : 0, 16);
		memset(c->snat6, random32(&seed) % 2 ? 0xff : 0, 16);
	}
	rewrite_prepare(c);
}

/* Write the key's packet into the frame: as the packets of this direction come in. */
static void frame_set_ends(struct frame *f, const struct conn *c, enum direction dir)
{
	const struct conn_key *k = dir == FORWARD ? &c->fwd : &c->rev;
	uint8_t *l3 = f->b + f->l3;

	if (k->family == FAMILY_V4) {
		memcpy(l3 + 12, &k->src, 4);
		memcpy(l3 + 16, &k->dst, 4);
	} else {
		memcpy(l3 + 8, dir == FORWARD ? c->client6 : c->endpoint6, 16);
		memcpy(l3 + 24, dir == FORWARD ? c->listener6 : c->snat6, 16);
	}
	memcpy(f->b + f->l4, &k->sport, 4);
}

/* Exchange source and destination: no checksum changes. */
static void frame_turn_round(struct frame *f)
{
	size_t half = frame_is_v6(f) ? 16 : 4;
	uint8_t *src = f->b + f->l3 + (frame_is_v6(f) ? 8 : 12);
	uint8_t *ports = f->b + f->l4;
	uint8_t kept[16];

	memcpy(kept, src, half);
	memcpy(src, src + half, half);
	memcpy(src + half, kept, half);
	memcpy(kept, ports, 2);
	memcpy(ports, ports + 2, 2);
	memcpy(ports + 2, kept, 2);
}

/* The translation by its definition: the other key's packet turned round, TTL one less. */
static void expect_rewritten(struct frame *f, const struct conn *c, enum direction dir)
{
	frame_set_ends(f, c, dir == FORWARD ? REVERSE : FORWARD);
	frame_turn_round(f);
	f->b[f->l3 + (frame_is_v6(f) ? 7 : 8)]--;
}

/* Parsed without the parser: random addresses need not be ones it accepts. */
static void view(struct packet *p, struct frame *f)
{
	memset(p, 0, sizeof(*p));
	p->data = f->b;
	p->bytes = f->n;
	p->l3 = f->l3;
	p->l4 = f->l4;
	p->ip_bytes = frame_ip_bytes(f);
	p->kind = frame_proto(f) == 6 ? PACKET_TCP : PACKET_UDP;
	p->key.k.proto = frame_proto(f);
	p->key.k.family = frame_is_v6(f) ? FAMILY_V6 : FAMILY_V4;
}

static void both_directions_are_translated_in_every_field(void)
{
	struct frame f, expected;
	struct packet p = {0};
	struct conn c;

	for (int i = 0; i < SPECS; i++) {
		for (enum direction dir = FORWARD; dir <= REVERSE; dir++) {
			make_conn(&c, &specs[i]);
			frame_make(&f, &specs[i]);
			frame_set_ends(&f, &c, dir);
			frame_fix(&f);
			expected = f;
			expect_rewritten(&expected, &c, dir);
			frame_fix(&expected);
			p.data = f.b;
			p.bytes = f.n;
			CU_ASSERT_EQUAL(packet_parse(&p, 0), REASON_NONE);
			rewrite_packet(&p, &c, dir, 0);
			CU_ASSERT_EQUAL(memcmp(f.b, expected.b, f.n), 0);
			CU_ASSERT_EQUAL(p.ttl, 64);
		}
	}
}

/* The translation shown in numbers, so that not only the test's own idea of it is checked. */
static void forward_goes_from_snat_to_endpoint_reverse_from_listener_to_client(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	make_conn(&c, &specs[0]);
	frame_make(&f, &specs[0]);
	view(&p, &f);
	rewrite_packet(&p, &c, FORWARD, 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 26, snat4, 4), 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 30, endpoint4, 4), 0);
	CU_ASSERT_EQUAL(get16(f.b + 34), 33000);
	CU_ASSERT_EQUAL(get16(f.b + 36), 80);
	rewrite_packet(&p, &c, REVERSE, 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 26, frame_listener4, 4), 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 30, frame_client4, 4), 0);
	CU_ASSERT_EQUAL(get16(f.b + 34), 8080);
	CU_ASSERT_EQUAL(get16(f.b + 36), 40001);
	CU_ASSERT_EQUAL(f.b[22], 62);

	make_conn(&c, &specs[5]);
	frame_make(&f, &specs[5]);
	view(&p, &f);
	rewrite_packet(&p, &c, FORWARD, 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 22, snat6, 16), 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 38, endpoint6, 16), 0);
	rewrite_packet(&p, &c, REVERSE, 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 22, frame_listener6, 16), 0);
	CU_ASSERT_EQUAL(memcmp(f.b + 38, frame_client6, 16), 0);
}

/* Random addresses, ports, TTL and payload words; the header's checksums in full each time. */
static void random_packets_keep_the_very_checksum_of_a_full_computation(void)
{
	struct frame f[SPECS], wanted;
	struct packet p = {0};
	struct conn c[SPECS];
	uint32_t wrong = 0;

	for (int i = 0; i < SPECS; i++) {
		frame_make(&f[i], &specs[i]);
		make_conn(&c[i], &specs[i]);
	}
	for (uint32_t round = 0; round < 2000000; round++) {
		uint32_t i = round % SPECS;
		enum direction dir = random32(&seed) % 2 ? FORWARD : REVERSE;
		int partial = random32(&seed) % 4 == 0;

		randomise_conn(&c[i]);
		put16(f[i].b + f[i].l3 + (frame_is_v6(&f[i]) ? 1 : 4), random32(&seed) & 0xffff);
		f[i].b[f[i].l3 + (frame_is_v6(&f[i]) ? 7 : 8)] =
			(uint8_t)(2 + random32(&seed) % 254);
		if (f[i].n > f[i].l4 + 8)
			f[i].b[f[i].l4 + 8] = (uint8_t)random32(&seed);
		frame_set_ends(&f[i], &c[i], dir);
		frame_fix(&f[i]);
		if (partial)
			frame_make_partial(&f[i]);
		wanted = f[i];
		expect_rewritten(&wanted, &c[i], dir);
		view(&p, &f[i]);
		rewrite_packet(&p, &c[i], dir, partial || round % 2);
		frame_fix(&wanted);
		wrong += memcmp(f[i].b, wanted.b, f[i].n) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* The endpoint sends back what it got: the client gets what it sent. */
static void forward_then_back_gives_the_packet_that_came(void)
{
	struct frame f, came;
	struct packet p = {0};
	struct conn c;
	uint32_t wrong = 0;

	for (uint32_t round = 0; round < 200000; round++) {
		const struct frame_spec *s = &specs[round % SPECS];

		make_conn(&c, s);
		randomise_conn(&c);
		frame_make(&f, s);
		frame_set_ends(&f, &c, FORWARD);
		frame_fix(&f);
		came = f;
		view(&p, &f);
		rewrite_packet(&p, &c, FORWARD, 0);
		frame_turn_round(&f);
		rewrite_packet(&p, &c, REVERSE, 0);
		frame_turn_round(&f);
		f.b[f.l3 + (frame_is_v6(&f) ? 7 : 8)] += 2;
		frame_fix_l3(&f);
		wrong += memcmp(f.b, came.b, f.n) != 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void udp_without_checksum_stays_without(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	for (int may_be_partial = 0; may_be_partial < 2; may_be_partial++) {
		make_conn(&c, &specs[4]);
		frame_make(&f, &specs[4]);
		put16(f.b + f.l4 + 6, 0);
		view(&p, &f);
		rewrite_packet(&p, &c, FORWARD, may_be_partial);
		CU_ASSERT_EQUAL(get16(f.b + f.l4 + 6), 0);
		CU_ASSERT_EQUAL(get16(f.b + f.l3 + 10), frame_right_l3(&f));
	}
}

/* Payload chosen so that the translated datagram's sum is complete: 0 must be sent as 0xffff. */
static void udp_checksum_that_becomes_zero_is_sent_as_ones(void)
{
	struct frame_spec s = {.proto = PROTO_UDP, .payload_bytes = 2};
	struct frame f, wanted;
	struct packet p = {0};
	struct conn c;

	for (int partial = 0; partial < 2; partial++) {
		make_conn(&c, &s);
		frame_make(&f, &s);
		wanted = f;
		expect_rewritten(&wanted, &c, FORWARD);
		put16(wanted.b + wanted.l4 + 8, 0);
		frame_fix(&wanted);
		put16(f.b + f.l4 + 8, frame_l4_check(&wanted));
		frame_fix(&f);
		if (partial)
			frame_make_partial(&f);
		view(&p, &f);
		rewrite_packet(&p, &c, FORWARD, partial);
		CU_ASSERT_EQUAL(frame_l4_check(&f), 0xffff);
		CU_ASSERT_TRUE(frame_is_right(&f));
		rewrite_packet(&p, &c, FORWARD, 0); /* from 0xffff on, as sum and as zero */
		CU_ASSERT_TRUE(frame_l4_check(&f) != 0);
	}
}

static void wrong_checksum_stays_wrong(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	for (int i = 0; i < SPECS; i++) {
		make_conn(&c, &specs[i]);
		frame_make(&f, &specs[i]);
		put16(f.b + frame_check_offset(&f), frame_l4_check(&f) ^ 0x40u);
		view(&p, &f);
		rewrite_packet(&p, &c, FORWARD, 1);
		CU_ASSERT_FALSE(frame_is_right(&f));
	}
}

static void partial_sum_is_completed_only_where_it_may_be(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	for (int i = 0; i < SPECS; i++) {
		for (int may_be_partial = 0; may_be_partial < 2; may_be_partial++) {
			make_conn(&c, &specs[i]);
			frame_make(&f, &specs[i]);
			frame_make_partial(&f);
			view(&p, &f);
			rewrite_packet(&p, &c, FORWARD, may_be_partial);
			CU_ASSERT_EQUAL(frame_is_right(&f), may_be_partial);
		}
	}
}

/* The UDP length, not the IP length, is in the partial sum. */
static void partial_sum_of_a_short_datagram_is_completed(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	make_conn(&c, &specs[4]);
	frame_make(&f, &specs[4]);
	put16(f.b + f.l4 + 4, 8 + 3);
	frame_make_partial(&f);
	view(&p, &f);
	rewrite_packet(&p, &c, FORWARD, 1);
	CU_ASSERT_TRUE(frame_is_right(&f));
}

/*
 * An error about the packet that @dir's receiver was sent by Fender, from a router, as the parser
 * takes it. Its quote holds @quoted bytes.
 */
static void make_error(struct frame *error, struct frame *sent, const struct conn *c,
		       enum direction dir, uint16_t quoted)
{
	int v6 = frame_is_v6(sent);
	struct packet p = {0};

	frame_set_ends(sent, c, dir);
	frame_fix(sent);
	view(&p, sent);
	rewrite_packet(&p, c, dir, 0);
	frame_make_error(error, sent, v6 ? 2 : 3, quoted);
}

static void check_error(const struct frame_spec *s, enum direction sent_dir, uint16_t quoted)
{
	/* an error about what went forward comes from the endpoint's side: reverse */
	enum direction dir = sent_dir == FORWARD ? REVERSE : FORWARD;
	struct frame original, sent, error, answer;
	struct packet p = {0};
	struct conn c;
	const uint8_t *to, *from;
	int v6 = s->family == FAMILY_V6;
	uint16_t inner;

	make_conn(&c, s);
	frame_make(&original, s);
	sent = original;
	make_error(&error, &sent, &c, sent_dir, quoted);
	frame_set_ends(&original, &c, sent_dir);
	frame_fix(&original);
	p.data = guard_place(error.b, error.n);
	p.bytes = error.n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(&p, 0), REASON_NONE);
	CU_ASSERT_EQUAL(p.key.k.sport, (dir == REVERSE ? &c.rev : &c.fwd)->sport);
	CU_ASSERT_EQUAL(p.key.k.dport, (dir == REVERSE ? &c.rev : &c.fwd)->dport);
	CU_ASSERT_EQUAL(p.key.k.src, (dir == REVERSE ? &c.rev : &c.fwd)->src);
	CU_ASSERT_EQUAL(p.key.k.dst, (dir == REVERSE ? &c.rev : &c.fwd)->dst);
	rewrite_icmp_error(&p, &c, dir);

	answer = error;
	memcpy(answer.b, p.data, error.n);
	CU_ASSERT_TRUE(frame_is_right(&answer));
	CU_ASSERT_EQUAL(answer.b[answer.l3 + (v6 ? 7 : 8)], 63);
	/* to the sender of the original, from whom it was sent to */
	to = answer.b + answer.l3;
	from = original.b + original.l3;
	if (v6) {
		CU_ASSERT_EQUAL(memcmp(to + 8, from + 24, 16), 0);
		CU_ASSERT_EQUAL(memcmp(to + 24, from + 8, 16), 0);
	} else {
		CU_ASSERT_EQUAL(memcmp(to + 12, from + 16, 4), 0);
		CU_ASSERT_EQUAL(memcmp(to + 16, from + 12, 4), 0);
	}
	/* and it quotes what was sent, but for the TTL that Fender and others took from it */
	inner = (uint16_t)(answer.l4 + 8);
	original.b[original.l3 + (v6 ? 7 : 8)]--;
	frame_fix_l3(&original);
	/* half of a checksum cannot be followed */
	if (frame_proto(&original) == PROTO_TCP && quoted == original.l4 - original.l3 + 17)
		quoted--;
	CU_ASSERT_EQUAL(memcmp(answer.b + inner, original.b + original.l3, quoted), 0);
}

static void icmp_errors_quote_what_their_receiver_sent(void)
{
	for (int i = 0; i < SPECS; i++) {
		struct frame f;
		uint16_t least;
		uint16_t most;

		frame_make(&f, &specs[i]);
		least = (uint16_t)(f.l4 - f.l3 + 8);
		most = frame_ip_bytes(&f) < 548 ? frame_ip_bytes(&f) : 548;
		for (uint16_t quoted = least; quoted <= most; quoted++) {
			check_error(&specs[i], FORWARD, quoted);
			check_error(&specs[i], REVERSE, quoted);
		}
	}
}

static void quoted_header_checksum_is_made_right(void)
{
	struct frame sent, error;
	struct packet p = {0};
	struct conn c;

	make_conn(&c, &specs[0]);
	frame_make(&sent, &specs[0]);
	make_error(&error, &sent, &c, FORWARD, 28);
	put16(error.b + error.l4 + 8 + 10, 0);
	frame_fix(&error);
	p.data = error.b;
	p.bytes = error.n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(&p, 0), REASON_NONE);
	rewrite_icmp_error(&p, &c, REVERSE);
	CU_ASSERT_TRUE(frame_is_right(&error));
	CU_ASSERT_EQUAL(reference_fold(reference_sum(error.b + error.l4 + 8, 20)), 0xffff);
}

static void quoted_udp_without_checksum_stays_without(void)
{
	struct frame sent, error;
	struct packet p = {0};
	struct conn c;

	make_conn(&c, &specs[4]);
	frame_make(&sent, &specs[4]);
	make_error(&error, &sent, &c, FORWARD, 28);
	put16(error.b + error.l4 + 8 + 20 + 6, 0);
	frame_fix(&error);
	p.data = error.b;
	p.bytes = error.n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(&p, 0), REASON_NONE);
	rewrite_icmp_error(&p, &c, REVERSE);
	CU_ASSERT_EQUAL(get16(error.b + error.l4 + 8 + 20 + 6), 0);
	CU_ASSERT_TRUE(frame_is_right(&error));
}

static CU_TestInfo tests[] = {
	SUITE_TEST(both_directions_are_translated_in_every_field),
	SUITE_TEST(forward_goes_from_snat_to_endpoint_reverse_from_listener_to_client),
	SUITE_TEST(random_packets_keep_the_very_checksum_of_a_full_computation),
	SUITE_TEST(forward_then_back_gives_the_packet_that_came),
	SUITE_TEST(udp_without_checksum_stays_without),
	SUITE_TEST(udp_checksum_that_becomes_zero_is_sent_as_ones),
	SUITE_TEST(wrong_checksum_stays_wrong),
	SUITE_TEST(partial_sum_is_completed_only_where_it_may_be),
	SUITE_TEST(partial_sum_of_a_short_datagram_is_completed),
	SUITE_TEST(icmp_errors_quote_what_their_receiver_sent),
	SUITE_TEST(quoted_header_checksum_is_made_right),
	SUITE_TEST(quoted_udp_without_checksum_stays_without),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("rewrite", tests);
}
