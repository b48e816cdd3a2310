/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/tcp_syn.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "dataplane/pkt/build.h"
#include "dataplane/pkt/l4_checksum.h"
#include "dataplane/pkt/parse.h"
#include "dataplane/pkt/rewrite.h"

#include "tests/unit/dataplane/frames.h"
#include "tests/unit/dataplane/suite.h"

enum { MSS_MAX = 1300, NO_WSCALE = 0xff };

/* Options as they come, and what is left of them after a clamp to MSS_MAX. */
struct row {
	const char *what;
	uint8_t n;
	uint8_t options[40];
	uint8_t clamped[40];
	int read; /* what tcp_syn_read() returns of the options that came */
	struct tcp_syn syn;
};

#define MSS(v) 2, 4, (v) >> 8, (v)&0xff

static const struct row rows[] = {
	{"none", 0, {0}, {0}, 0, {0, NO_WSCALE, 0}},
	{"what Linux sends",
	 20,
	 {MSS(1460), 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
	 {MSS(1300), 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
	 0,
	 {1460, 7, 1}},
	{"MSS at the bound", 4, {MSS(1300)}, {MSS(1300)}, 0, {1300, NO_WSCALE, 0}},
	{"MSS one above", 4, {MSS(1301)}, {MSS(1300)}, 0, {1301, NO_WSCALE, 0}},
	{"MSS below", 4, {MSS(536)}, {MSS(536)}, 0, {536, NO_WSCALE, 0}},
	{"MSS 65535", 4, {MSS(65535)}, {MSS(1300)}, 0, {65535, NO_WSCALE, 0}},
	{"MSS 0", 4, {MSS(0)}, {MSS(0)}, 0, {0, NO_WSCALE, 0}},
	{"MSS at an odd place", 8, {1, MSS(1460)}, {1, MSS(1300)}, 0, {1460, NO_WSCALE, 0}},
	{"MSS at the last bytes",
	 8,
	 {1, 1, 1, 1, MSS(9000)},
	 {1, 1, 1, 1, MSS(1300)},
	 0,
	 {9000, NO_WSCALE, 0}},
	{"MSS odd, after a window scale",
	 8,
	 {3, 3, 14, MSS(1460), 0},
	 {3, 3, 14, MSS(1300), 0},
	 0,
	 {1460, 14, 0}},
	{"two MSS", 8, {MSS(1400), MSS(1500)}, {MSS(1300), MSS(1300)}, 0, {1500, NO_WSCALE, 0}},
	{"window scale 15", 4, {3, 3, 15, 0}, {3, 3, 15, 0}, 0, {0, 14, 0}},
	{"window scale 255", 4, {3, 3, 255, 0}, {3, 3, 255, 0}, 0, {0, 14, 0}},
	{"nothing is read behind the end",
	 8,
	 {0, MSS(1460), 34, 2, 0},
	 {0, MSS(1460), 34, 2, 0},
	 0,
	 {0, NO_WSCALE, 0}},
	{"only NOPs", 4, {1, 1, 1, 1}, {1, 1, 1, 1}, 0, {0, NO_WSCALE, 0}},
	{"unknown option",
	 8,
	 {200, 5, 1, 2, 3, 1, 1, 0},
	 {200, 5, 1, 2, 3, 1, 1, 0},
	 0,
	 {0, NO_WSCALE, 0}},
	{"fast open, asking", 4, {34, 2, 1, 1}, {1, 1, 1, 1}, 0, {0, NO_WSCALE, 0}},
	{"fast open with a cookie",
	 16,
	 {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, MSS(1460), 1, 1},
	 {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, MSS(1300), 1, 1},
	 0,
	 {1460, NO_WSCALE, 0}},
	{"fast open at an odd place, odd length",
	 8,
	 {1, 34, 5, 9, 9, 9, 0, 0},
	 {1, 1, 1, 1, 1, 1, 0, 0},
	 0,
	 {0, NO_WSCALE, 0}},
	{"experimental fast open",
	 8,
	 {254, 6, 0xf9, 0x89, 1, 2, 1, 0},
	 {1, 1, 1, 1, 1, 1, 1, 0},
	 0,
	 {0, NO_WSCALE, 0}},
	{"another experiment", 4, {254, 4, 0xf9, 0x88}, {254, 4, 0xf9, 0x88}, 0, {0, NO_WSCALE, 0}},
	{"experiment without an id", 4, {254, 2, 1, 1}, {254, 2, 1, 1}, 0, {0, NO_WSCALE, 0}},
	/* malformed: read refuses, clamp changes nothing from there on */
	{"length 0", 8, {2, 0, 1, 1, MSS(1460)}, {2, 0, 1, 1, MSS(1460)}, -1, {0}},
	{"length 1", 8, {200, 1, 1, 1, MSS(1460)}, {200, 1, 1, 1, MSS(1460)}, -1, {0}},
	{"length beyond the header", 4, {200, 5, 0, 0}, {200, 5, 0, 0}, -1, {0}},
	{"length 255", 4, {34, 255, 0, 0}, {34, 255, 0, 0}, -1, {0}},
	{"no room for a length", 4, {1, 1, 1, 2}, {1, 1, 1, 2}, -1, {0}},
	{"MSS of 3 bytes", 4, {2, 3, 0xff, 0}, {2, 3, 0xff, 0}, -1, {0}},
	{"MSS of 6 bytes", 8, {2, 6, 0xff, 0, 0, 0, 0, 0}, {2, 6, 0xff, 0, 0, 0, 0, 0}, -1, {0}},
	{"window scale of 4 bytes", 4, {3, 4, 7, 0}, {3, 4, 7, 0}, -1, {0}},
	{"SACK permitted of 3 bytes", 4, {4, 3, 0, 0}, {4, 3, 0, 0}, -1, {0}},
	{"timestamp of 8 bytes", 8, {8, 8, 0, 0, 0, 0, 0, 0}, {8, 8, 0, 0, 0, 0, 0, 0}, -1, {0}},
	{"clamped before the malformed one",
	 12,
	 {MSS(1460), 200, 0, 1, 1, MSS(1460)},
	 {MSS(1300), 200, 0, 1, 1, MSS(1460)},
	 -1,
	 {0}},
	{"forty bytes",
	 40,
	 {MSS(1460), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 34, 20},
	 {MSS(1300), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	  1,         1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
	 0,
	 {1460, NO_WSCALE, 0}},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void make_syn(struct frame *f, const struct row *row, int v6, uint16_t payload_bytes)
{
	struct frame_spec s = {.family = v6 ? FAMILY_V6 : FAMILY_V4,
			       .flags = TCP_SYN,
			       .options = row->options,
			       .option_bytes = row->n,
			       .payload_bytes = payload_bytes};

	frame_make(f, &s);
}

static void parse(struct packet *p, const struct frame *f)
{
	p->data = guard_place(f->b, f->n);
	p->bytes = f->n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(p, 0), REASON_NONE);
}

static void options_are_read(void)
{
	struct frame f;
	struct packet p = {0};
	struct tcp_syn syn;

	for (int i = 0; i < ROWS; i++) {
		int result;

		make_syn(&f, &rows[i], i % 2, 0);
		parse(&p, &f);
		result = tcp_syn_read(&p, &syn);
		if (result != rows[i].read)
			printf("\n%s: %d\n", rows[i].what, result);
		CU_ASSERT_EQUAL(result, rows[i].read);
		if (result)
			continue;
		CU_ASSERT_EQUAL(syn.mss, rows[i].syn.mss);
		CU_ASSERT_EQUAL(syn.wscale, rows[i].syn.wscale);
		CU_ASSERT_EQUAL(syn.has_timestamp, rows[i].syn.has_timestamp);
	}
}

/* Every row, both families, with and without data, whole and partial checksum. */
static void clamp_changes_what_it_must_and_nothing_else(void)
{
	static const uint16_t data[] = {0, 1, 2, 33, 1000};
	struct frame f, wanted;
	struct packet p = {0};

	for (int i = 0; i < ROWS * 20; i++) {
		const struct row *row = &rows[i / 20];
		struct row after = *row;
		int v6 = i % 2;
		int partial = i / 2 % 2;

		memcpy(after.options, row->clamped, sizeof(after.options));
		make_syn(&wanted, &after, v6, 0);
		make_syn(&f, row, v6, data[i / 4 % 5]);
		if (partial) {
			frame_make_partial(&f);
			frame_make_partial(&wanted);
		}
		parse(&p, &f);
		tcp_syn_clamp(&p, MSS_MAX, partial || i % 3);
		if (p.bytes != wanted.n || memcmp(p.data, wanted.b, wanted.n) != 0)
			printf("\n%s, %u bytes of data, partial %d\n", row->what, data[i / 4 % 5],
			       partial);
		CU_ASSERT_EQUAL_FATAL(p.bytes, wanted.n);
		CU_ASSERT_EQUAL(p.ip_bytes, wanted.n - wanted.l3);
		CU_ASSERT_EQUAL(memcmp(p.data, wanted.b, wanted.n), 0);
	}
}

/* A connection of the parsed SYN to some endpoint. */
static void make_conn(struct conn *c, const struct packet *p)
{
	static const uint8_t to6[16] = {0xfd, 5, [15] = 80}, from6[16] = {0xfd, 5, [15] = 2};

	memset(c, 0, sizeof(*c));
	c->fwd = p->key.k;
	c->rev = (struct conn_key){
		.sport = 0x5000, .dport = 0x1234, .proto = PROTO_TCP, .family = p->key.k.family};
	if (p->key.k.family == FAMILY_V4) {
		c->rev.src = 0x01020304;
		c->rev.dst = 0x05060708;
	} else {
		memcpy(c->client6, p->key.src6, 16);
		memcpy(c->listener6, p->key.dst6, 16);
		memcpy(c->endpoint6, to6, 16);
		memcpy(c->snat6, from6, 16);
	}
	rewrite_prepare(c);
}

static void clamped_partial_sum_is_completed_by_the_rewrite(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	for (int i = 0; i < ROWS * 2; i++) {
		make_syn(&f, &rows[i / 2], i % 2, 77);
		frame_make_partial(&f);
		parse(&p, &f);
		make_conn(&c, &p);
		tcp_syn_clamp(&p, MSS_MAX, 1);
		rewrite_packet(&p, &c, FORWARD, 1);
		memcpy(f.b, p.data, p.bytes);
		CU_ASSERT_TRUE(frame_is_right(&f));
	}
}

static void every_mss_is_clamped_with_the_right_checksum(void)
{
	static const struct row row = {.n = 8, .options = {1, MSS(0), 1, 1, 1}};
	struct frame f;
	struct packet p = {0};
	uint32_t wrong = 0;

	for (uint32_t mss = 0; mss <= 0xffff; mss += 3) {
		make_syn(&f, &row, 0, 0);
		put16(f.b + f.l4 + 23, mss);
		frame_fix(&f);
		parse(&p, &f);
		tcp_syn_clamp(&p, (uint16_t)(mss / 2 + 500), 0);
		memcpy(f.b, p.data, p.bytes);
		wrong += !frame_is_right(&f);
		wrong += get16(f.b + f.l4 + 23) != (mss < mss / 2 + 500 ? mss : mss / 2 + 500);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* Clamp, store, translate; the stored SYN built anew is the frame that was forwarded. */
static void rebuilt_syn_is_the_forwarded_one(void)
{
	uint8_t out[BUILD_MAX_BYTES];
	struct frame f;
	struct packet p = {0};
	struct conn c;
	uint16_t bytes;

	for (int i = 0; i < ROWS * 2; i++) {
		int v6 = i % 2;

		make_syn(&f, &rows[i / 2], v6, 9);
		parse(&p, &f);
		make_conn(&c, &p);
		memset(c.syn_options, 0xee, sizeof(c.syn_options));
		tcp_syn_clamp(&p, MSS_MAX, 0);
		tcp_syn_store(&c, &p);
		CU_ASSERT_EQUAL(c.isn, 0x01020304);
		CU_ASSERT_EQUAL(c.syn_window, 0x7210);
		CU_ASSERT_EQUAL(c.syn_ttl, 63);
		CU_ASSERT_EQUAL(c.syn_option_bytes, rows[i / 2].n);
		rewrite_packet(&p, &c, FORWARD, 0);
		bytes = build_stored_syn(out, sizeof(out), &c);
		CU_ASSERT_EQUAL_FATAL(bytes, p.bytes);
		/* not kept: IPv4 id, and the acknowledgement field that a SYN does not use */
		memcpy(f.b, p.data, p.bytes);
		if (!v6)
			put16(f.b + f.l3 + 4, 0);
		put32(f.b + f.l4 + 8, 0);
		frame_fix(&f);
		CU_ASSERT_EQUAL(memcmp(out + 12, f.b + 12, bytes - 12u), 0);
	}
}

/* Another endpoint may lie behind a smaller MTU. */
static void stored_options_are_clamped_for_another_attempt(void)
{
	for (int i = 0; i < ROWS; i++) {
		struct conn stored, c;
		struct packet p = {0};
		struct frame f;

		make_syn(&f, &rows[i], 0, 0);
		parse(&p, &f);
		make_conn(&c, &p);
		tcp_syn_store(&c, &p);
		tcp_syn_clamp_stored(&c, MSS_MAX);
		make_conn(&stored, &p);
		tcp_syn_clamp(&p, MSS_MAX, 0);
		tcp_syn_store(&stored, &p);
		CU_ASSERT_EQUAL(memcmp(&c.syn_options, &stored.syn_options, sizeof(c.syn_options)),
				0);
		c.syn_option_bytes = sizeof(c.syn_options) + 1; /* spoilt in shared memory */
		memset(c.syn_options, 1, sizeof(c.syn_options));
		tcp_syn_clamp_stored(&c, MSS_MAX);
		CU_ASSERT_EQUAL(c.syn_options[0], 1);
	}
}

static void store_never_keeps_a_ttl_of_zero(void)
{
	struct frame f;
	struct packet p = {0};
	struct conn c;

	for (uint8_t ttl = 0; ttl < 3; ttl++) {
		make_syn(&f, &rows[1], 0, 0);
		f.b[f.l3 + 8] = ttl;
		frame_fix(&f);
		parse(&p, &f);
		tcp_syn_store(&c, &p);
		CU_ASSERT_EQUAL(c.syn_ttl, 1);
	}
}

/* Any bytes as options: no fault at the guard, checksum and lengths stay right. */
static void random_options_do_no_harm(void)
{
	static const uint8_t kinds[] = {0, 1, 2, 3, 4, 8, 34, 254};
	uint64_t seed = 99;
	uint32_t wrong = 0;
	struct row row = {0};
	struct tcp_syn syn;
	struct frame f;
	struct packet p = {0};

	for (int round = 0; round < 300000; round++) {
		row.n = (uint8_t)(random32(&seed) % 11 * 4);
		for (int i = 0; i < row.n; i++)
			row.options[i] = random32(&seed) % 3
						 ? kinds[random32(&seed) % sizeof(kinds)]
						 : (uint8_t)random32(&seed);
		make_syn(&f, &row, round % 2, round % 7 ? 0 : 5);
		parse(&p, &f);
		wrong += tcp_syn_read(&p, &syn) == 0 && syn.wscale > 14 && syn.wscale != NO_WSCALE;
		tcp_syn_clamp(&p, MSS_MAX, 1);
		wrong += !l4_checksum_ok(&p, 0) || p.bytes != p.payload;
		wrong += tcp_syn_read(&p, &syn) == 0 && syn.mss > MSS_MAX;
		wrong += packet_parse(&p, 0) != REASON_NONE;
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(options_are_read),
	SUITE_TEST(clamp_changes_what_it_must_and_nothing_else),
	SUITE_TEST(clamped_partial_sum_is_completed_by_the_rewrite),
	SUITE_TEST(every_mss_is_clamped_with_the_right_checksum),
	SUITE_TEST(rebuilt_syn_is_the_forwarded_one),
	SUITE_TEST(stored_options_are_clamped_for_another_attempt),
	SUITE_TEST(store_never_keeps_a_ttl_of_zero),
	SUITE_TEST(random_options_do_no_harm),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("tcp_syn", tests);
}
