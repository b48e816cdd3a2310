/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbour messages: built, read, refused. The rest of pkt/build.h is in test_build.c. */
#include "dataplane/pkt/build.h"

#include <stdio.h>

#include "dataplane/pkt/parse.h"

#include "tests/unit/dataplane/frames.h"
#include "tests/unit/dataplane/suite.h"

static const uint8_t our_mac[6] = {2, 0xfe, 0, 0, 0, 9};
static const uint8_t their_mac[6] = {2, 0, 0, 0, 0, 2}; /* source of all test frames */
static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};
static const uint8_t unspecified[16];
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t ours4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, 9, 0, 1};
static const uint8_t client4[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, 0, 0, 7};
static const uint8_t ours6[16] = {0xfd, 2, [15] = 0xfe};
static const uint8_t target6[16] = {0xfd, 2, [12] = 0x11, 0xab, 0xcd, 0xef};

static void parse(struct packet *p, struct frame *f)
{
	p->data = f->b;
	p->bytes = f->n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(p, 0), REASON_NONE);
}

/* Parse and read a frame that was built; it ends at its last byte. */
static void read_built(struct packet *p, struct neighbour_message *m, const uint8_t *out,
		       uint16_t bytes)
{
	p->data = guard_place(out, bytes);
	p->bytes = bytes;
	CU_ASSERT_EQUAL_FATAL(packet_parse(p, 0), REASON_NONE);
	CU_ASSERT_EQUAL_FATAL(neighbour_message_read(p, m), 0);
	CU_ASSERT_EQUAL(memcmp(p->data + 6, our_mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(m->sender_mac, our_mac, 6), 0);
	CU_ASSERT_TRUE(m->has_mac);
}

static void arp_request_asks_everybody_or_one(void)
{
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct packet p = {0};

	for (int unicast = 0; unicast < 2; unicast++) {
		read_built(&p, &m, out,
			   build_solicit(out, sizeof(out), our_mac, ours4, client4,
					 unicast ? their_mac : NULL));
		CU_ASSERT_EQUAL(p.kind, PACKET_ARP);
		CU_ASSERT_EQUAL(memcmp(p.data, unicast ? their_mac : broadcast, 6), 0);
		CU_ASSERT_EQUAL(memcmp(m.sender_ip, ours4, 16), 0);
		CU_ASSERT_EQUAL(memcmp(m.target_ip, client4, 16), 0);
		CU_ASSERT_TRUE(m.is_request);
		CU_ASSERT_FALSE(m.solicited);
		CU_ASSERT_EQUAL(p.bytes, 42);
	}
}

static void solicitation_asks_the_solicited_node_group_or_one(void)
{
	static const uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, 0xab, 0xcd, 0xef};
	static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0xab, 0xcd, 0xef};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct packet p = {0};

	for (int unicast = 0; unicast < 2; unicast++) {
		read_built(&p, &m, out,
			   build_solicit(out, sizeof(out), our_mac, ours6, target6,
					 unicast ? their_mac : NULL));
		CU_ASSERT_EQUAL(p.kind, PACKET_ND);
		CU_ASSERT_EQUAL(memcmp(p.data, unicast ? their_mac : group_mac, 6), 0);
		CU_ASSERT_EQUAL(memcmp(p.data + 38, unicast ? target6 : group, 16), 0);
		CU_ASSERT_EQUAL(memcmp(m.sender_ip, ours6, 16), 0);
		CU_ASSERT_EQUAL(memcmp(m.target_ip, target6, 16), 0);
		CU_ASSERT_TRUE(m.is_request);
		CU_ASSERT_EQUAL(p.data[54], 135);
		CU_ASSERT_EQUAL(p.data[78], 1); /* source link-layer address */
	}
}

static void arp_request_is_answered_to_its_sender(void)
{
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct packet asked = {0}, p = {0};
	struct frame f;

	frame_make_arp(&f, 1);
	parse(&asked, &f);
	read_built(&p, &m, out, build_advertise_answer(out, sizeof(out), &asked, our_mac));
	CU_ASSERT_EQUAL(memcmp(p.data, their_mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(p.data + 32, their_mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(m.sender_ip, ours4, 16), 0);
	CU_ASSERT_EQUAL(memcmp(m.target_ip, client4, 16), 0);
	CU_ASSERT_FALSE(m.is_request);
	CU_ASSERT_TRUE(m.solicited);
	CU_ASSERT_TRUE(m.override);
	frame_make_arp(&f, 2);
	parse(&asked, &f);
	CU_ASSERT_EQUAL(build_advertise_answer(out, sizeof(out), &asked, our_mac), 0);
}

static void solicitation_is_answered_to_its_sender(void)
{
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct packet asked = {0}, p = {0};
	struct frame f;

	for (int with_option = 0; with_option < 2; with_option++) {
		frame_make_nd(&f, 135);
		if (with_option)
			f.b[54 + 24 + 7] = 0x77; /* another MAC than the frame's source */
		else
			f.b[54 + 24] = 14; /* a nonce: no link-layer address */
		frame_fix(&f);
		parse(&asked, &f);
		read_built(&p, &m, out, build_advertise_answer(out, sizeof(out), &asked, our_mac));
		CU_ASSERT_EQUAL(memcmp(p.data, their_mac, 5), 0);
		CU_ASSERT_EQUAL(p.data[5], with_option ? 0x77 : 2);
		CU_ASSERT_EQUAL(memcmp(p.data + 22, frame_listener6, 16), 0);
		CU_ASSERT_EQUAL(memcmp(p.data + 38, frame_client6, 16), 0);
		CU_ASSERT_EQUAL(memcmp(m.target_ip, frame_listener6, 16), 0);
		CU_ASSERT_EQUAL(p.data[54], 136);
		CU_ASSERT_EQUAL(p.data[78], 2); /* target link-layer address */
		CU_ASSERT_TRUE(m.solicited);
		CU_ASSERT_TRUE(m.override);
	}
	frame_make_nd(&f, 136);
	parse(&asked, &f);
	CU_ASSERT_EQUAL(build_advertise_answer(out, sizeof(out), &asked, our_mac), 0);
}

/* Somebody is about to take our address: all nodes hear that it is in use. */
static void probe_is_answered_to_all_nodes(void)
{
	static const uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, [15] = 1};
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct packet asked = {0}, p = {0};
	struct frame f;

	frame_make_nd(&f, 135);
	memset(f.b + 22, 0, 16);
	memcpy(f.b + 38, group, 16);
	f.b[54 + 24] = 14;
	frame_fix(&f);
	parse(&asked, &f);
	CU_ASSERT_EQUAL(neighbour_message_read(&asked, &m), 0);
	CU_ASSERT_EQUAL(memcmp(m.sender_ip, unspecified, 16), 0);
	CU_ASSERT_FALSE(m.has_mac);
	read_built(&p, &m, out, build_advertise_answer(out, sizeof(out), &asked, our_mac));
	CU_ASSERT_EQUAL(memcmp(p.data, all_nodes_mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(p.data + 38, all_nodes, 16), 0);
	CU_ASSERT_FALSE(m.solicited);
	CU_ASSERT_TRUE(m.override);

	frame_make_arp(&f, 1);
	memset(f.b + 28, 0, 4);
	parse(&asked, &f);
	CU_ASSERT_EQUAL(neighbour_message_read(&asked, &m), 0);
	CU_ASSERT_EQUAL(memcmp(m.sender_ip, unspecified, 16), 0);
	read_built(&p, &m, out, build_advertise_answer(out, sizeof(out), &asked, our_mac));
	CU_ASSERT_EQUAL(memcmp(p.data, their_mac, 6), 0);
}

static void announcements_are_heard_by_all(void)
{
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct packet p = {0};

	read_built(&p, &m, out, build_advertise(out, sizeof(out), our_mac, ours4));
	CU_ASSERT_EQUAL(memcmp(p.data, broadcast, 6), 0);
	CU_ASSERT_EQUAL(memcmp(m.sender_ip, ours4, 16), 0);
	CU_ASSERT_EQUAL(memcmp(m.target_ip, ours4, 16), 0);
	CU_ASSERT_TRUE(m.is_request);
	read_built(&p, &m, out, build_advertise(out, sizeof(out), our_mac, ours6));
	CU_ASSERT_EQUAL(memcmp(p.data, all_nodes_mac, 6), 0);
	CU_ASSERT_EQUAL(memcmp(p.data + 38, all_nodes, 16), 0);
	CU_ASSERT_EQUAL(memcmp(m.sender_ip, ours6, 16), 0);
	CU_ASSERT_FALSE(m.is_request);
	CU_ASSERT_FALSE(m.solicited);
	CU_ASSERT_TRUE(m.override);
}

static void advertisement_flags_are_read(void)
{
	struct neighbour_message m;
	struct frame f;
	struct packet p = {0};

	for (uint8_t flags = 0; flags < 8; flags++) {
		frame_make_nd(&f, 136);
		f.b[54 + 4] = (uint8_t)(flags << 5);
		frame_fix(&f);
		parse(&p, &f);
		CU_ASSERT_EQUAL(neighbour_message_read(&p, &m), 0);
		CU_ASSERT_EQUAL(m.solicited, flags >> 1 & 1);
		CU_ASSERT_EQUAL(m.override, flags & 1);
		CU_ASSERT_FALSE(m.is_request);
		CU_ASSERT_EQUAL(memcmp(m.sender_ip, frame_client6, 16), 0);
		CU_ASSERT_EQUAL(memcmp(m.sender_mac, their_mac, 6), 0);
	}
}

/* A reply that nobody asked for names its sender as the target. */
static void gratuitous_reply_is_no_answer(void)
{
	struct neighbour_message m;
	struct frame f;
	struct packet p = {0};

	frame_make_arp(&f, 2);
	parse(&p, &f);
	CU_ASSERT_EQUAL(neighbour_message_read(&p, &m), 0);
	CU_ASSERT_TRUE(m.solicited);
	memcpy(f.b + 38, f.b + 28, 4);
	parse(&p, &f);
	CU_ASSERT_EQUAL(neighbour_message_read(&p, &m), 0);
	CU_ASSERT_FALSE(m.solicited);
}

static void options_are_judged(void)
{
	static const struct {
		const char *what;
		uint8_t type, n;
		uint8_t options[24];
		int result, has_mac;
	} rows[] = {
		{"none", 135, 0, {0}, 0, 0},
		{"the MAC", 135, 8, {1, 1, 2, 0, 0, 0, 0, 5}, 0, 1},
		{"of the other kind", 135, 8, {2, 1, 2, 0, 0, 0, 0, 5}, 0, 0},
		{"of the other kind, advertised", 136, 8, {1, 1, 2, 0, 0, 0, 0, 5}, 0, 0},
		{"unknown ones before it", 136, 24, {14, 2, [16] = 2, 1, 2, 0, 0, 0, 0, 5}, 0, 1},
		{"length 0", 135, 8, {1, 0, 2, 0, 0, 0, 0, 5}, -1, 0},
		{"unknown, length 0", 135, 8, {99, 0}, -1, 0},
		{"longer than the message", 135, 8, {99, 2}, -1, 0},
		{"length 255", 136, 16, {99, 255}, -1, 0},
		{"less than eight bytes", 135, 4, {1, 1, 2, 0}, -1, 0},
		{"a rest of one byte", 135, 9, {1, 1, 2, 0, 0, 0, 0, 5, 1}, -1, 0},
		{"a MAC of two units", 135, 16, {1, 2, 2, 0, 0, 0, 0, 5}, -1, 0},
		{"a group as MAC", 135, 8, {1, 1, 3, 0, 0, 0, 0, 5}, -1, 0},
		{"broadcast as MAC", 136, 8, {2, 1, 255, 255, 255, 255, 255, 255}, -1, 0},
		{"zero as MAC", 136, 8, {2, 1, 0}, -1, 0},
	};
	struct neighbour_message m;
	struct packet p = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t body[16 + 24];
		struct frame_spec s = {.family = FAMILY_V6,
				       .proto = 58,
				       .flags = rows[i].type,
				       .ttl = 255,
				       .payload = body,
				       .payload_bytes = (uint16_t)(16 + rows[i].n)};
		struct frame f;
		int result;

		memcpy(body, target6, 16);
		memcpy(body + 16, rows[i].options, 24);
		frame_make(&f, &s);
		p.data = guard_place(f.b, f.n);
		p.bytes = f.n;
		CU_ASSERT_EQUAL_FATAL(packet_parse(&p, 0), REASON_NONE);
		result = neighbour_message_read(&p, &m);
		if (result != rows[i].result)
			printf("\n%s: %d\n", rows[i].what, result);
		CU_ASSERT_EQUAL(result, rows[i].result);
		if (!result)
			CU_ASSERT_EQUAL(m.has_mac, rows[i].has_mac);
	}
}

static void probe_that_claims_a_mac_is_refused(void)
{
	static const uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, [15] = 1};
	uint8_t out[BUILD_MAX_BYTES] = {0};
	struct neighbour_message m;
	struct frame f;
	struct packet p = {0};

	frame_make_nd(&f, 135);
	memset(f.b + 22, 0, 16);
	memcpy(f.b + 38, group, 16);
	frame_fix(&f);
	parse(&p, &f);
	CU_ASSERT_EQUAL(neighbour_message_read(&p, &m), -1);
	CU_ASSERT_EQUAL(build_advertise_answer(out, sizeof(out), &p, our_mac), 0);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(arp_request_asks_everybody_or_one),
	SUITE_TEST(solicitation_asks_the_solicited_node_group_or_one),
	SUITE_TEST(arp_request_is_answered_to_its_sender),
	SUITE_TEST(solicitation_is_answered_to_its_sender),
	SUITE_TEST(probe_is_answered_to_all_nodes),
	SUITE_TEST(announcements_are_heard_by_all),
	SUITE_TEST(advertisement_flags_are_read),
	SUITE_TEST(gratuitous_reply_is_no_answer),
	SUITE_TEST(options_are_judged),
	SUITE_TEST(probe_that_claims_a_mac_is_refused),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("build_neighbour", tests);
}
