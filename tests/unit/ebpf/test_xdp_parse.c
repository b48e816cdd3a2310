/* SPDX-License-Identifier: Apache-2.0 */
/* ebpf/parse.h natively: at the end of readable memory, and beside the worker's parser. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/pkt/parse.h"
#include "tests/unit/dataplane/suite.h"
#include "tests/unit/ebpf/xdp_frame.h"

static uint8_t *guard; /* what follows cannot be read */

static struct frame parse(const struct bytes *b)
{
	struct frame f = {0};
	uint8_t *at = guard - b->size;

	memcpy(at, b->data, b->size);
	frame_parse(&f, at, guard);
	return f;
}

static const struct wanted tcp4 = {.src = "10.0.0.1",
				   .dst = "10.0.0.2",
				   .sport = 1,
				   .dport = 2,
				   .proto = FRAME_PROTO_TCP,
				   .tcp_flags = FRAME_ACK};
static const struct wanted udp4 = {
	.src = "10.0.0.1", .dst = "10.0.0.2", .sport = 3, .dport = 4, .proto = FRAME_PROTO_UDP};
static const struct wanted tcp6 = {.src = "fd00::1",
				   .dst = "fd00::2",
				   .sport = 1,
				   .dport = 2,
				   .proto = FRAME_PROTO_TCP,
				   .tcp_flags = FRAME_SYN};
static const struct wanted udp6 = {
	.src = "fd00::1", .dst = "fd00::2", .sport = 3, .dport = 4, .proto = FRAME_PROTO_UDP};
static const struct wanted quoted4 = {
	.src = "10.0.0.2", .dst = "10.0.0.9", .sport = 5, .dport = 6, .proto = FRAME_PROTO_TCP};
static const struct wanted quoted6 = {
	.src = "fd00::2", .dst = "fd00::9", .sport = 5, .dport = 6, .proto = FRAME_PROTO_UDP};
static const struct wanted error4 = {.src = "10.0.0.1",
				     .dst = "10.0.0.2",
				     .proto = FRAME_PROTO_ICMP,
				     .icmp_type = 3,
				     .quote = &quoted4};
static const struct wanted error6 = {.src = "fd00::1",
				     .dst = "fd00::2",
				     .proto = FRAME_PROTO_ICMPV6,
				     .icmp_type = 1,
				     .quote = &quoted6};
static const struct wanted *const bases[] = {&tcp4, &udp4, &tcp6, &udp6, &error4, &error6};
enum { BASES = sizeof(bases) / sizeof(bases[0]) };

static void reads_nothing_past_the_end(void)
{
	for (int i = 0; i < BASES; i++) {
		for (uint8_t options = 0; options < 3; options++) {
			struct wanted w = *bases[i];
			struct bytes whole;

			w.options = options;
			w.vlan = options;
			whole = frame_of(&w);
			for (uint32_t size = 0; size <= whole.size; size++) {
				struct bytes cut = whole;
				struct frame f;

				cut.size = size;
				f = parse(&cut);
				CU_ASSERT_EQUAL(size < whole.size, f.kind == FRAME_MALFORMED);
			}
		}
	}
}

static void lengths_that_contradict_are_malformed(void)
{
	static const struct {
		const struct wanted *base;
		uint32_t at; /* behind the Ethernet header */
		uint8_t value;
	} rows[] = {
		{&tcp4, 0, 0x44},  /* header of 16 bytes */
		{&tcp4, 0, 0x4f},  /* longer than the packet */
		{&tcp4, 0, 0x65},  /* version */
		{&tcp4, 3, 19},    /* shorter than its header */
		{&tcp4, 3, 41},    /* longer than the frame */
		{&tcp4, 32, 0x40}, /* TCP header of 16 bytes */
		{&udp4, 25, 7},    /* UDP of 7 bytes */
		{&tcp6, 0, 0x40},  /* version */
		{&tcp6, 5, 21},    /* longer than the frame */
		{&tcp6, 52, 0x40}, /* TCP header of 16 bytes */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes b = frame_of(rows[i].base);

		b.data[14 + rows[i].at] = rows[i].value;
		CU_ASSERT_EQUAL(parse(&b).kind, FRAME_MALFORMED);
	}
}

static uint64_t random64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dull;
}

/* A frame with up to three bytes and its length changed, IPv4's checksum mostly right. */
static struct bytes mutated(uint64_t *random)
{
	struct wanted w = *bases[random64(random) % BASES];
	struct bytes b;
	uint64_t changes = random64(random) % 4;
	uint32_t l3;

	w.vlan = random64(random) % 4 == 0 ? 5 : 0;
	w.options = random64(random) % 8 == 0;
	w.payload = (uint16_t)(random64(random) % 40);
	b = frame_of(&w);
	for (uint64_t i = 0; i < changes; i++)
		b.data[random64(random) % b.size] = (uint8_t)random64(random);
	if (random64(random) % 8 == 0)
		b.size = (uint32_t)(random64(random) % (b.size + 1));
	else if (random64(random) % 8 == 0)
		bytes_add(&b, (uint32_t)(random64(random) % 20));
	l3 = w.vlan ? 18 : 14;
	if (b.size >= l3 + 20 && b.data[l3] == 0x45) {
		struct ipv4 *ip = (struct ipv4 *)(b.data + l3);

		ip->check = 0;
		ip->check = htons((uint16_t)~sum16(ip, 20));
	}
	return b;
}

static int same_tuple(const struct frame *f, const struct packet *p)
{
	struct image_ip src = flow_source(&p->key);
	struct image_ip dst = flow_destination(&p->key);

	return !memcmp(&f->src, &src, sizeof(src)) && !memcmp(&f->dst, &dst, sizeof(dst)) &&
	       f->sport == p->key.k.sport && f->dport == p->key.k.dport;
}

/* Else a packet could pass the limits as one and be forwarded as another. */
static void what_the_worker_forwards_is_parsed_alike(void)
{
	enum { FRAMES = 300000 };
	uint64_t random = 0x9e3779b97f4a7c15;
	int forwarded = 0;
	int differ = 0;

	for (int i = 0; i < FRAMES; i++) {
		struct bytes b = mutated(&random);
		struct packet p = {.data = b.data, .bytes = (uint16_t)b.size};
		struct frame f;

		if (packet_parse(&p, 0) != REASON_NONE)
			continue;
		f = parse(&b);
		switch (p.kind) {
		case PACKET_TCP:
			differ += f.kind != FRAME_TCP || !same_tuple(&f, &p) ||
				  (p.tcp_flags & 0x17) != (f.tcp_flags & 0x17);
			break;
		case PACKET_UDP:
			differ += f.kind != FRAME_UDP || !same_tuple(&f, &p);
			break;
		case PACKET_ICMP_ERROR:
			differ += f.kind != FRAME_ICMP_ERROR || !same_tuple(&f, &p);
			break;
		default:
			continue;
		}
		differ += f.bytes != p.ip_bytes || f.vlan != p.vlan || f.tagged != p.tagged ||
			  f.l3 != p.l3;
		forwarded++;
	}
	CU_ASSERT_EQUAL(differ, 0);
	CU_ASSERT_TRUE(forwarded > FRAMES / 5);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(reads_nothing_past_the_end),
		SUITE_TEST(lengths_that_contradict_are_malformed),
		SUITE_TEST(what_the_worker_forwards_is_parsed_alike),
		CU_TEST_INFO_NULL,
	};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE))
		return 1;
	guard = pages + page;
	return suite_run("xdp: parse", tests);
}
