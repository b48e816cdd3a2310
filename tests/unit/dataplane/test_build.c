/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/build.h"

#include <arpa/inet.h>

#include "dataplane/pkt/parse.h"

#include "tests/unit/dataplane/frames.h"
#include "tests/unit/dataplane/suite.h"

static const uint8_t our_mac[6] = {2, 0xfe, 0, 0, 0, 9};
static const uint8_t zero_macs[12];
static const uint8_t from4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, 9, 0, 254};
static const uint8_t from6[16] = {0xfd, 2, [15] = 0xfe};

static void parse(struct packet *p, struct frame *f)
{
	p->data = f->b;
	p->bytes = f->n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(p, 0), REASON_NONE);
}

/* What was built, as a frame whose offsets are known. */
static void take(struct frame *f, const uint8_t *out, uint16_t bytes)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->b, out, bytes);
	f->n = bytes;
	f->l3 = 14;
	f->l4 = frame_is_v6(f) ? 54 : 34;
}

/* Right checksums, MACs empty, lengths that agree, DF and no id on IPv4. */
static void assert_sound(const struct frame *f)
{
	CU_ASSERT_TRUE(frame_is_right(f));
	CU_ASSERT_EQUAL(f->l3 + frame_ip_bytes(f), f->n);
	CU_ASSERT_EQUAL(memcmp(f->b, zero_macs, sizeof(zero_macs)), 0);
	CU_ASSERT_EQUAL(get16(f->b + 12), frame_is_v6(f) ? 0x86dd : 0x0800);
	if (!frame_is_v6(f))
		CU_ASSERT_EQUAL(get32(f->b + 18), 0x00004000);
}

static int same_ends_turned_round(const struct packet *a, const struct packet *b)
{
	return a->key.k.src == b->key.k.dst && a->key.k.dst == b->key.k.src &&
	       a->key.k.sport == b->key.k.dport && a->key.k.dport == b->key.k.sport &&
	       !memcmp(a->key.src6, b->key.dst6, 16) && !memcmp(a->key.dst6, b->key.src6, 16);
}

static void rst_answers_as_rfc_9293_says(void)
{
	static const struct {
		uint8_t flags;
		uint16_t payload;
		uint8_t answer;
		uint32_t seq, ack;
	} rows[] = {
		{TCP_SYN, 0, TCP_RST | TCP_ACK, 0, 0x01020305},
		{TCP_SYN, 10, TCP_RST | TCP_ACK, 0, 0x0102030f},
		{TCP_SYN | TCP_ACK, 0, TCP_RST, 0x0a0b0c0d, 0},
		{TCP_ACK, 100, TCP_RST, 0x0a0b0c0d, 0},
		{TCP_FIN | TCP_ACK, 1, TCP_RST, 0x0a0b0c0d, 0},
	};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame f, built;
	struct packet p = {0}, q = {0};

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame_spec s = {.family = i % 2 ? FAMILY_V6 : FAMILY_V4,
				       .tagged = i % 3 == 0,
				       .flags = rows[i / 2].flags,
				       .payload_bytes = rows[i / 2].payload};

		frame_make(&f, &s);
		parse(&p, &f);
		take(&built, out, build_rst_answer(out, sizeof(out), &p));
		assert_sound(&built);
		parse(&q, &built);
		CU_ASSERT_EQUAL(q.kind, PACKET_TCP);
		CU_ASSERT_EQUAL(q.tcp_flags, rows[i / 2].answer);
		CU_ASSERT_EQUAL(q.ttl, 64);
		CU_ASSERT_EQUAL(q.bytes, q.payload);
		CU_ASSERT_TRUE(same_ends_turned_round(&p, &q));
		CU_ASSERT_EQUAL(get32(built.b + built.l4 + 4), rows[i / 2].seq);
		CU_ASSERT_EQUAL(get32(built.b + built.l4 + 8), rows[i / 2].ack);
	}
}

static void nothing_answers_a_rst_or_another_protocol(void)
{
	static const struct frame_spec specs[] = {
		{.flags = TCP_RST},
		{.flags = TCP_RST | TCP_ACK, .family = FAMILY_V6},
		{.proto = PROTO_UDP},
	};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame f;
	struct packet p = {0};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_make(&f, &specs[i]);
		parse(&p, &f);
		CU_ASSERT_EQUAL(build_rst_answer(out, sizeof(out), &p), 0);
	}
}

static void make_conn(struct conn *c, uint8_t family)
{
	memset(c, 0, sizeof(*c));
	c->fwd.proto = c->rev.proto = PROTO_TCP;
	c->fwd.family = c->rev.family = family;
	c->fwd.sport = htons(40001);
	c->fwd.dport = htons(8080);
	c->rev.sport = htons(80);
	c->rev.dport = htons(33000);
	if (family == FAMILY_V4) {
		c->fwd.src = htonl(0x0a000007);
		c->fwd.dst = htonl(0x0a090001);
		c->rev.src = htonl(0x0a140050);
		c->rev.dst = htonl(0x0a140002);
	} else {
		memcpy(c->client6, frame_client6, 16);
		memcpy(c->listener6, frame_listener6, 16);
		memset(c->endpoint6, 0x3e, 16);
		memset(c->snat6, 0x3a, 16);
	}
	c->isn = 0xffffffff;
	c->syn_window = 64240;
	c->syn_ttl = 57;
}

/* @k: the key that an answer to the built packet would carry. */
static void assert_from_conn(const struct packet *q, const struct conn *c, enum direction dir)
{
	const struct conn_key *k = dir == FORWARD ? &c->rev : &c->fwd;

	CU_ASSERT_EQUAL(q->key.k.src, k->dst);
	CU_ASSERT_EQUAL(q->key.k.dst, k->src);
	CU_ASSERT_EQUAL(q->key.k.sport, k->dport);
	CU_ASSERT_EQUAL(q->key.k.dport, k->sport);
	if (k->family == FAMILY_V4)
		return;
	CU_ASSERT_EQUAL(memcmp(q->key.src6, dir == FORWARD ? c->snat6 : c->listener6, 16), 0);
	CU_ASSERT_EQUAL(memcmp(q->key.dst6, dir == FORWARD ? c->endpoint6 : c->client6, 16), 0);
}

static void resets_of_a_connection_go_to_their_end(void)
{
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame built;
	struct packet q = {0};
	struct conn c;

	for (int v6 = 0; v6 < 2; v6++) {
		make_conn(&c, v6 ? FAMILY_V6 : FAMILY_V4);
		take(&built, out, build_rst_to_endpoint(out, sizeof(out), &c, 0xdeadbeef));
		assert_sound(&built);
		parse(&q, &built);
		assert_from_conn(&q, &c, FORWARD);
		CU_ASSERT_EQUAL(q.tcp_flags, TCP_RST);
		CU_ASSERT_EQUAL(get32(built.b + built.l4 + 4), 0xdeadbeef);
		CU_ASSERT_EQUAL(get32(built.b + built.l4 + 8), 0);

		c.fwd_ack = 0x89abcdef;
		c.rev_ack = 0x01234567;
		take(&built, out, build_rst_to_client(out, sizeof(out), &c));
		assert_sound(&built);
		parse(&q, &built);
		assert_from_conn(&q, &c, REVERSE);
		CU_ASSERT_EQUAL(q.tcp_flags, TCP_RST | TCP_ACK);
		CU_ASSERT_EQUAL(get32(built.b + built.l4 + 4), c.fwd_ack);
		CU_ASSERT_EQUAL(get32(built.b + built.l4 + 8), c.rev_ack);
	}
}

static void stored_syn_carries_what_was_stored(void)
{
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame built;
	struct packet q = {0};
	struct conn c;

	for (int v6 = 0; v6 < 2; v6++) {
		for (int n = 0; n <= CONN_SYN_OPTION_BYTES; n += 4) {
			make_conn(&c, v6 ? FAMILY_V6 : FAMILY_V4);
			memset(c.syn_options, 1, sizeof(c.syn_options));
			c.syn_option_bytes = (uint8_t)n;
			take(&built, out, build_stored_syn(out, sizeof(out), &c));
			assert_sound(&built);
			parse(&q, &built);
			assert_from_conn(&q, &c, FORWARD);
			CU_ASSERT_EQUAL(q.tcp_flags, TCP_SYN);
			CU_ASSERT_EQUAL(q.ttl, 57);
			CU_ASSERT_EQUAL(q.payload, q.l4 + 20 + n);
			CU_ASSERT_EQUAL(q.bytes, q.payload);
			CU_ASSERT_EQUAL(get32(built.b + built.l4 + 4), 0xffffffff);
			CU_ASSERT_EQUAL(get16(built.b + built.l4 + 14), 64240);
		}
	}
}

static void stored_syn_with_an_impossible_length_is_not_built(void)
{
	static const uint8_t lengths[] = {1, 2, 3, 5, 39, 41, 44, 252, 255};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct conn c;

	make_conn(&c, FAMILY_V4);
	for (size_t i = 0; i < sizeof(lengths); i++) {
		c.syn_option_bytes = lengths[i];
		CU_ASSERT_EQUAL(build_stored_syn(out, sizeof(out), &c), 0);
	}
}

static void echo_reply_returns_what_was_sent(void)
{
	uint8_t out[14 + 1500] = {0};
	struct frame f, built;

	for (uint16_t n = 0; n <= 1452; n += 11) {
		for (int v6 = 0; v6 < 2; v6++) {
			struct frame_spec s = {.family = v6 ? FAMILY_V6 : FAMILY_V4,
					       .proto = v6 ? 58 : 1,
					       .flags = v6 ? 128 : 8,
					       .ttl = 3,
					       .payload_bytes = n};
			struct packet p = {0};
			int at = v6 ? 22 : 26;
			size_t half = v6 ? 16 : 4;

			frame_make(&f, &s);
			f.b[f.l4 + 1] = 1;
			put32(f.b + f.l4 + 4, 0x1234abcd);
			frame_fix(&f);
			parse(&p, &f);
			take(&built, out, build_echo_reply(out, sizeof(out), &p));
			assert_sound(&built);
			CU_ASSERT_EQUAL(built.n, f.n);
			CU_ASSERT_EQUAL(built.b[built.l4], v6 ? 129 : 0);
			CU_ASSERT_EQUAL(built.b[built.l4 + 1], 0);
			CU_ASSERT_EQUAL(built.b[v6 ? 21 : 22], 64);
			CU_ASSERT_EQUAL(memcmp(built.b + at, f.b + at + half, half), 0);
			CU_ASSERT_EQUAL(memcmp(built.b + at + half, f.b + at, half), 0);
			CU_ASSERT_EQUAL(memcmp(built.b + built.l4 + 4, f.b + f.l4 + 4, n + 4u), 0);
		}
	}
}

static void echo_to_a_group_is_not_answered(void)
{
	struct frame_spec s4 = {.proto = 1, .flags = 8};
	struct frame_spec s6 = {.family = FAMILY_V6, .proto = 58, .flags = 128};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame f;
	struct packet p = {0};

	frame_make(&f, &s4);
	put32(f.b + 30, 0xe0000001);
	frame_fix(&f);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_echo_reply(out, sizeof(out), &p), 0);
	put32(f.b + 30, 0xffffffff);
	frame_fix(&f);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_echo_reply(out, sizeof(out), &p), 0);
	frame_make(&f, &s6);
	f.b[38] = 0xff;
	frame_fix(&f);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_echo_reply(out, sizeof(out), &p), 0);
	frame_make(&f, &s4);
	f.b[0] = 0xff;
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_echo_reply(out, sizeof(out), &p), 0);
}

static const struct {
	enum icmp_error error;
	uint8_t type4, code4, type6, code6;
	uint32_t rest;
} errors[] = {
	{ICMP_ERROR_PORT_UNREACHABLE, 3, 3, 1, 4, 0},
	{ICMP_ERROR_ADMIN_PROHIBITED, 3, 13, 1, 1, 0},
	{ICMP_ERROR_HOST_UNREACHABLE, 3, 1, 1, 3, 0},
	{ICMP_ERROR_TOO_BIG, 3, 4, 2, 0, 1400},
	{ICMP_ERROR_TTL, 11, 0, 3, 0, 0},
};

static void check_error(const struct frame_spec *s, size_t e)
{
	int v6 = s->family == FAMILY_V6;
	uint16_t most = v6 ? 1280 - 48 : 576 - 28;
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame f, built;
	struct packet p = {0}, q = {0};
	uint16_t quoted;

	frame_make(&f, s);
	parse(&p, &f);
	take(&built, out,
	     build_icmp_error(out, sizeof(out), &p, errors[e].error, 1400, v6 ? from6 : from4));
	assert_sound(&built);
	quoted = p.ip_bytes < most ? p.ip_bytes : most;
	CU_ASSERT_EQUAL(built.n, built.l4 + 8 + quoted);
	CU_ASSERT_EQUAL(built.b[built.l4], v6 ? errors[e].type6 : errors[e].type4);
	CU_ASSERT_EQUAL(built.b[built.l4 + 1], v6 ? errors[e].code6 : errors[e].code4);
	CU_ASSERT_EQUAL(get32(built.b + built.l4 + 4), errors[e].rest);
	CU_ASSERT_EQUAL(memcmp(built.b + built.l4 + 8, f.b + f.l3, quoted), 0);
	CU_ASSERT_EQUAL(memcmp(built.b + (v6 ? 22 : 26), v6 ? from6 : from4 + 12, v6 ? 16 : 4), 0);
	if (p.kind == PACKET_ECHO)
		return;
	/* its receiver finds the flow it is about */
	parse(&q, &built);
	CU_ASSERT_EQUAL(q.kind, PACKET_ICMP_ERROR);
	CU_ASSERT_TRUE(same_ends_turned_round(&p, &q));
}

static void icmp_errors_quote_what_fits(void)
{
	static const struct frame_spec specs[] = {
		{.proto = PROTO_UDP},
		{.flags = TCP_SYN, .tagged = 1},
		{.payload_bytes = 507}, /* quoted whole: 547 bytes */
		{.payload_bytes = 508},
		{.payload_bytes = 509},
		{.payload_bytes = 1460},
		{.proto = 1, .flags = 8, .payload_bytes = 60},
		{.family = FAMILY_V6, .proto = PROTO_UDP},
		{.family = FAMILY_V6, .payload_bytes = 1171},
		{.family = FAMILY_V6, .payload_bytes = 1172},
		{.family = FAMILY_V6, .payload_bytes = 1173},
		{.family = FAMILY_V6, .proto = 58, .flags = 128, .payload_bytes = 1440},
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
			check_error(&specs[i], e);
}

static void no_icmp_error_about_errors_groups_and_neighbours(void)
{
	struct frame_spec udp = {.proto = PROTO_UDP};
	struct frame_spec udp6 = {.family = FAMILY_V6, .proto = PROTO_UDP};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct frame f, about;
	struct packet p = {0};

	frame_make(&about, &udp);
	frame_make_error(&f, &about, 3, 28);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_icmp_error(out, sizeof(out), &p, ICMP_ERROR_TTL, 0, from4), 0);
	frame_make_arp(&f, 1);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_icmp_error(out, sizeof(out), &p, ICMP_ERROR_TTL, 0, from4), 0);
	frame_make_nd(&f, 135);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_icmp_error(out, sizeof(out), &p, ICMP_ERROR_TTL, 0, from6), 0);
	frame_make(&f, &udp);
	f.b[0] = 0xff;
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_icmp_error(out, sizeof(out), &p, ICMP_ERROR_TTL, 0, from4), 0);
	frame_make(&f, &udp);
	f.b[30] = 239;
	frame_fix(&f);
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_icmp_error(out, sizeof(out), &p, ICMP_ERROR_TTL, 0, from4), 0);
	frame_make(&f, &udp6);
	f.b[38] = 0xff;
	parse(&p, &f);
	CU_ASSERT_EQUAL(build_icmp_error(out, sizeof(out), &p, ICMP_ERROR_TTL, 0, from6), 0);
}

/* @size one too small gives 0 and writes nothing; exact size suffices, up to a guard page. */
#define CHECK_SIZES(call)                                               \
	do {                                                            \
		uint8_t zeros[14 + 1500] = {0};                         \
		uint8_t *out = zeros;                                   \
		size_t size = sizeof(zeros);                            \
		size_t whole = (call);                                  \
                                                                        \
		CU_ASSERT_FATAL(whole > 0 && whole <= BUILD_MAX_BYTES); \
		memset(zeros, 0, sizeof(zeros));                        \
		for (size = 0; size < whole; size++) {                  \
			out = guard_place(zeros, size);                 \
			CU_ASSERT_EQUAL((call), 0);                     \
			CU_ASSERT_EQUAL(memcmp(out, zeros, size), 0);   \
		}                                                       \
		out = guard_place(zeros, size);                         \
		CU_ASSERT_EQUAL((call), whole);                         \
	} while (0)

static void nothing_is_written_past_the_size(void)
{
	static const struct frame_spec echo = {.proto = 1, .flags = 8, .payload_bytes = 9};
	static const struct frame_spec big = {.family = FAMILY_V6, .payload_bytes = 1400};
	static const struct frame_spec big4 = {.payload_bytes = 1400};
	static const struct frame_spec syn = {.flags = TCP_SYN};
	struct frame f;
	struct packet p = {0};
	struct conn c;

	make_conn(&c, FAMILY_V6);
	c.syn_option_bytes = 40;
	CHECK_SIZES(build_rst_to_client(out, size, &c));
	CHECK_SIZES(build_rst_to_endpoint(out, size, &c, 1));
	CHECK_SIZES(build_stored_syn(out, size, &c));
	CHECK_SIZES(build_solicit(out, size, our_mac, from4, from4, NULL));
	CHECK_SIZES(build_solicit(out, size, our_mac, from6, from6, NULL));
	CHECK_SIZES(build_advertise(out, size, our_mac, from4));
	CHECK_SIZES(build_advertise(out, size, our_mac, from6));
	frame_make(&f, &syn);
	parse(&p, &f);
	CHECK_SIZES(build_rst_answer(out, size, &p));
	frame_make(&f, &big);
	parse(&p, &f);
	CHECK_SIZES(build_icmp_error(out, size, &p, ICMP_ERROR_TOO_BIG, 1280, from6));
	frame_make(&f, &big4);
	parse(&p, &f);
	CHECK_SIZES(build_icmp_error(out, size, &p, ICMP_ERROR_TOO_BIG, 1280, from4));
	frame_make(&f, &echo);
	parse(&p, &f);
	CHECK_SIZES(build_echo_reply(out, size, &p));
	frame_make_arp(&f, 1);
	parse(&p, &f);
	CHECK_SIZES(build_advertise_answer(out, size, &p, our_mac));
	frame_make_nd(&f, 135);
	parse(&p, &f);
	CHECK_SIZES(build_advertise_answer(out, size, &p, our_mac));
}

static CU_TestInfo tests[] = {
	SUITE_TEST(rst_answers_as_rfc_9293_says),
	SUITE_TEST(nothing_answers_a_rst_or_another_protocol),
	SUITE_TEST(resets_of_a_connection_go_to_their_end),
	SUITE_TEST(stored_syn_carries_what_was_stored),
	SUITE_TEST(stored_syn_with_an_impossible_length_is_not_built),
	SUITE_TEST(echo_reply_returns_what_was_sent),
	SUITE_TEST(echo_to_a_group_is_not_answered),
	SUITE_TEST(icmp_errors_quote_what_fits),
	SUITE_TEST(no_icmp_error_about_errors_groups_and_neighbours),
	SUITE_TEST(nothing_is_written_past_the_size),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("build", tests);
}
