/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker's limiter decides, row for row as test_xdp_limit asks of the XDP program. */
#include "tests/unit/ebpf/worker_limits.h"

static struct worker_world world;

static const struct sent syn = {.flags = TCP_SYN};
static const struct sent ack = {.flags = TCP_ACK};
static const struct sent datagram = {.kind = PACKET_UDP};

#define PASSED     WORKER_LIMIT_PASSED
#define CONNECTION WORKER_LIMIT_CONNECTION

static struct image_limit plenty(void)
{
	return per_second(1 << 30, 1 << 30);
}

static void fresh(uint32_t slot, struct image_rate_limit limits)
{
	worker_world_close(&world);
	worker_world_open(&world);
	worker_world_limit(&world, slot, limits);
}

static void connection_is_limited_in_packets(void)
{
	struct sent six = ack;

	six.family = FAMILY_V6;
	fresh(WEB, (struct image_rate_limit){.packets = per_second(1, 5)});
	CU_ASSERT_EQUAL(begin(&world, 0, WEB, syn), PASSED);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 15, PASSED), 4);
	CU_ASSERT_EQUAL(meet(&world, 0, FORWARD, ack), CONNECTION);
	CU_ASSERT_EQUAL(begin(&world, 1, WEB, syn), PASSED);
	CU_ASSERT_EQUAL(count_of(&world, 1, FORWARD, six, 15, PASSED), 4);
	world.now_ns += 2 * SECOND_NS;
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 15, PASSED), 2);
	CU_ASSERT_EQUAL(world.flows[0].to[FORWARD].passed, (7ull << LIMIT_PASSED_SHIFT) + 7 * 40);
	CU_ASSERT_EQUAL(world.flows[0].to[FORWARD].refused, 11 + 1 + 13);
	CU_ASSERT_EQUAL(world.counters[WEB].events[WORKER_LIMIT_FULL_START], 2);
}

static void connection_is_limited_in_bytes_of_ip(void)
{
	struct sent big = {.flags = TCP_ACK, .bytes = 100};

	fresh(WEB, (struct image_rate_limit){.bytes = per_second(1, 350)});
	CU_ASSERT_EQUAL(count_of(&world, 3, FORWARD, big, 3, PASSED), 3);
	CU_ASSERT_EQUAL(meet(&world, 3, FORWARD, big), CONNECTION);
	CU_ASSERT_EQUAL(meet(&world, 3, FORWARD, ack), PASSED);
	big.bytes = 400; /* never */
	world.now_ns += 1000 * SECOND_NS;
	CU_ASSERT_EQUAL(meet(&world, 3, FORWARD, big), CONNECTION);
	CU_ASSERT_EQUAL(begin(&world, 4, WEB, big), CONNECTION);
}

static void refused_bytes_give_the_packet_back(void)
{
	struct sent big = {.flags = TCP_ACK, .bytes = 300};

	fresh(WEB,
	      (struct image_rate_limit){.packets = per_second(1, 3), .bytes = per_second(1, 200)});
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, big, 10, CONNECTION), 10);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 10, PASSED), 3);
}

static void every_algorithm_is_enforced(void)
{
	static const struct image_limit limits[] = {
		{.algorithm = IMAGE_LIMIT_TOKEN_BUCKET, .rate = 10, .burst = 10},
		{.algorithm = IMAGE_LIMIT_LEAKY_BUCKET, .rate = 10, .burst = 10},
		{.algorithm = IMAGE_LIMIT_FIXED_WINDOW, .rate = 10, .window_ms = 1000},
		{.algorithm = IMAGE_LIMIT_SLIDING_WINDOW, .rate = 10, .window_ms = 1000},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit_spec spec = {limits[i].algorithm, limits[i].rate,
						limits[i].burst, limits[i].window_ms * 1000000ull};
		uint64_t units = 0;

		fresh(WEB, (struct image_rate_limit){.packets = limits[i]});
		CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 30, PASSED), 10);
		fresh(WEB, (struct image_rate_limit){.packets = limits[i]});
		for (int ms = 0; ms < 5000; ms += 10, world.now_ns += 10000000)
			units += meet(&world, 0, FORWARD, ack) == PASSED;
		CU_ASSERT(within_bound(&spec, units, 5 * SECOND_NS));
		CU_ASSERT(units >= 40);
	}
}

static void each_direction_has_a_bucket_of_its_own(void)
{
	fresh(WEB, (struct image_rate_limit){.packets = per_second(1, 5)});
	CU_ASSERT_EQUAL(begin(&world, 0, WEB, syn), PASSED);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 4);
	CU_ASSERT_EQUAL(count_of(&world, 0, REVERSE, ack, 9, PASSED), 5);
	CU_ASSERT_EQUAL(meet(&world, 0, REVERSE, ack), CONNECTION);
	/* the entry's next connection begins anew, both ways */
	CU_ASSERT_EQUAL(begin(&world, 0, WEB, syn), PASSED);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 4);
	CU_ASSERT_EQUAL(count_of(&world, 0, REVERSE, ack, 9, PASSED), 5);
}

static void direction_that_is_not_limited_passes(void)
{
	for (int dir = FORWARD; dir <= REVERSE; dir++) {
		fresh(WEB, (struct image_rate_limit){.packets = per_second(1, 2),
						     .directions = (uint8_t)(1 << dir)});
		CU_ASSERT_EQUAL(count_of(&world, 0, dir, ack, 9, PASSED), 2);
		CU_ASSERT_EQUAL(count_of(&world, 0, !dir, ack, 9, PASSED), 9);
	}
}

static int starts_from(uint32_t source, uint8_t family, int verdict)
{
	const struct sent s = {.flags = TCP_SYN, .source = source, .family = family};
	int count = 0;

	for (uint32_t i = 0; i < 12; i++)
		count += begin(&world, i, WEB, s) == verdict;
	return count;
}

static void starts_are_limited_per_source(void)
{
	struct sent data = {.flags = TCP_ACK, .source = 0x0a090101};

	fresh(WEB, (struct image_rate_limit){.source = per_second(1, 4)});
	CU_ASSERT_EQUAL(starts_from(0x0a090101, 0, PASSED), 4);
	CU_ASSERT_EQUAL(starts_from(0x0a090101, 0, WORKER_LIMIT_SOURCE), 12);
	CU_ASSERT_EQUAL(starts_from(0x0a090102, 0, WORKER_LIMIT_SOURCE), 8);
	CU_ASSERT_EQUAL(starts_from(0x0a090101, FAMILY_V6, WORKER_LIMIT_SOURCE), 8);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, data, 5, PASSED), 5); /* only starts are */
	/* a repeated SYN is one */
	data.flags = TCP_SYN;
	CU_ASSERT_EQUAL(meet(&world, 0, FORWARD, data), WORKER_LIMIT_SOURCE);
	CU_ASSERT_EQUAL(meet(&world, 0, REVERSE, data), PASSED);
}

static void starts_are_limited_per_listener(void)
{
	fresh(WEB,
	      (struct image_rate_limit){.source = per_second(1, 10), .listener = per_second(1, 6)});
	CU_ASSERT_EQUAL(starts_from(1, 0, WORKER_LIMIT_LISTENER), 6);
	CU_ASSERT_EQUAL(starts_from(2, 0, WORKER_LIMIT_LISTENER), 12);
	/* what the listener refused its source has got back */
	worker_world_limit(&world, WEB, (struct image_rate_limit){.source = per_second(1, 10)});
	CU_ASSERT_EQUAL(starts_from(2, 0, PASSED), 10);
}

static void udp_flow_is_charged_where_it_begins(void)
{
	fresh(DNS, (struct image_rate_limit){.packets = per_second(1, 50),
					     .source = per_second(1, 3),
					     .listener = plenty()});
	CU_ASSERT_EQUAL(begin(&world, 0, DNS, datagram), PASSED);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, datagram, 20, PASSED), 20);
	CU_ASSERT_EQUAL(begin(&world, 1, DNS, datagram), PASSED);
	CU_ASSERT_EQUAL(begin(&world, 2, DNS, datagram), PASSED);
	CU_ASSERT_EQUAL(begin(&world, 3, DNS, datagram), WORKER_LIMIT_SOURCE);
	CU_ASSERT_EQUAL(meet(&world, 1, FORWARD, datagram), PASSED);
}

static void observed_limit_passes_and_counts(void)
{
	struct image_rate_limit limits = {.packets = per_second(1, 5),
					  .action = IMAGE_LIMIT_OBSERVE};

	fresh(WEB, limits);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 5);
	CU_ASSERT_EQUAL(meet(&world, 0, FORWARD, ack), WORKER_LIMIT_WOULD_CONNECTION);
	/* enforced from now on, the bucket begins anew */
	limits.action = IMAGE_LIMIT_DROP;
	worker_world_limit(&world, WEB, limits);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 5);
}

/* The first refusal counts, but for one that is enforced. */
static void observed_and_enforced_limits_meet(void)
{
	struct image_rate_limit limits = {.source = per_second(1, 2),
					  .source_action = IMAGE_LIMIT_OBSERVE,
					  .listener = per_second(1, 3)};

	for (int observed = 0; observed < 2; observed++) {
		const int verdicts[] = {PASSED, PASSED, WORKER_LIMIT_WOULD_SOURCE,
					observed ? WORKER_LIMIT_WOULD_SOURCE
						 : WORKER_LIMIT_LISTENER};

		limits.listener_action = observed ? IMAGE_LIMIT_OBSERVE : IMAGE_LIMIT_DROP;
		fresh(WEB, limits);
		for (uint32_t i = 0; i < 4; i++)
			CU_ASSERT_EQUAL(begin(&world, i, WEB, syn), verdicts[i]);
	}
}

static uint16_t folded(const uint8_t *at, int n)
{
	uint32_t sum = 0;

	for (int i = 0; i < n; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void mark_sets_congestion_experienced_up_to_the_hard_limit(void)
{
	for (int six = 0; six < 2; six++) {
		struct sent s = {.flags = TCP_ACK, .ecn = 2, .family = six ? FAMILY_V6 : 0};

		fresh(WEB, (struct image_rate_limit){.packets = per_second(1, 4),
						     .action = IMAGE_LIMIT_MARK});
		CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, s, 4, PASSED), 4);
		CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, s, 4, WORKER_LIMIT_MARKED), 4);
		CU_ASSERT_EQUAL(meet(&world, 0, FORWARD, s), CONNECTION);
		/* rules as they were before the marking */
		world.now_ns += 5 * SECOND_NS;
		CU_ASSERT_EQUAL(meet(&world, 0, FORWARD, s), PASSED);
	}
}

static void what_cannot_be_marked_is_dropped(void)
{
	struct sent udp = {.kind = PACKET_UDP, .ecn = 1};

	fresh(WEB,
	      (struct image_rate_limit){.packets = per_second(1, 4), .action = IMAGE_LIMIT_MARK});
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 12, CONNECTION), 8);
	CU_ASSERT_EQUAL(count_of(&world, 1, FORWARD, udp, 12, CONNECTION), 8);
}

/* Every checksum of a header that differs in id and ECN stays right. */
static void mark_keeps_the_ipv4_checksum(void)
{
	fresh(WEB,
	      (struct image_rate_limit){.packets = per_second(1, 1), .action = IMAGE_LIMIT_MARK});
	for (uint32_t id = 0; id < 65536; id++) {
		struct sent s = {.flags = TCP_ACK, .ecn = (uint8_t)(1 + id % 3)};
		uint8_t frame[64];
		struct packet p = packet_of(frame, &s);
		uint8_t *ip = frame + p.l3;
		uint16_t check;

		ip[4] = (uint8_t)(id >> 8);
		ip[5] = (uint8_t)id;
		check = (uint16_t)~folded(ip, 20);
		ip[10] = (uint8_t)(check >> 8);
		ip[11] = (uint8_t)check;
		world.flows[0] = (struct flow_limit){0};
		for (int i = 0; i < 2; i++)
			CU_ASSERT_EQUAL(
				limiter_packet(&world.limiter, &p, &world.conns[0], 0, FORWARD),
				REASON_NONE);
		CU_ASSERT_EQUAL(ip[1], 0x23);
		CU_ASSERT_EQUAL(folded(ip, 20), 0xffff);
	}
	for (int ecn = 1; ecn < 4; ecn++) {
		struct sent s = {.flags = TCP_ACK, .ecn = (uint8_t)ecn, .family = FAMILY_V6};
		uint8_t frame[64];
		struct packet p = packet_of(frame, &s);

		world.flows[0] = (struct flow_limit){0};
		for (int i = 0; i < 2; i++)
			limiter_packet(&world.limiter, &p, &world.conns[0], 0, FORWARD);
		CU_ASSERT_EQUAL(frame[15], 0x37);
	}
}

static void limits_change_under_a_live_connection(void)
{
	fresh(WEB, (struct image_rate_limit){.packets = per_second(1, 10)});
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 5, PASSED), 5);
	worker_world_limit(&world, WEB, (struct image_rate_limit){.packets = per_second(1, 6)});
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 5, PASSED), 1);
	worker_world_limit(&world, WEB, (struct image_rate_limit){0});
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 50, -1), 50); /* not even counted */
	/* another algorithm begins anew */
	worker_world_limit(
		&world, WEB,
		(struct image_rate_limit){
			.packets = {.algorithm = IMAGE_LIMIT_LEAKY_BUCKET, .rate = 1, .burst = 6}});
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 6);
}

static void entries_of_no_connection_are_not_judged(void)
{
	fresh(WEB,
	      (struct image_rate_limit){.packets = per_second(1, 1), .source = per_second(1, 1)});
	world.conns[0].state = CONN_TOMBSTONE;
	CU_ASSERT_EQUAL(count_of(&world, 0, REVERSE, ack, 5, -1), 5);
	world.conns[0].state = CONN_RESTING; /* a SYN is judged as the start it may be */
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, syn, 5, -1), 5);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 5, PASSED), 1);
}

static void other_interfaces_are_not_judged(void)
{
	fresh(WEB, (struct image_rate_limit){.packets = per_second(1, 5)});
	CU_ASSERT(limiter_judges(&world.limiter, LIMITED_INTERFACE));
	CU_ASSERT(limiter_judges(&world.limiter, 1));
	CU_ASSERT_FALSE(limiter_judges(&world.limiter, OTHER_INTERFACE));
	CU_ASSERT_FALSE(limiter_judges(&world.limiter, MAX_INTERFACES - 1));
	/* a client from there: what a client from here left does not matter */
	CU_ASSERT_EQUAL(begin(&world, 0, WEB, syn), PASSED);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 4);
	limiter_open(&world.limiter, 0, OTHER_INTERFACE);
	CU_ASSERT_EQUAL(count_of(&world, 0, REVERSE, ack, 9, PASSED), 5);
	CU_ASSERT_EQUAL(count_of(&world, 0, FORWARD, ack, 9, PASSED), 5);
	/* no listener has limits */
	world.policy->limited = 0;
	limiter_set_policy(&world.limiter, world.policy);
	CU_ASSERT_FALSE(limiter_judges(&world.limiter, LIMITED_INTERFACE));
	limiter_open(&world.limiter, 0, LIMITED_INTERFACE);
	CU_ASSERT_EQUAL(world.flows[0].to[FORWARD].shape, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(connection_is_limited_in_packets),
		SUITE_TEST(connection_is_limited_in_bytes_of_ip),
		SUITE_TEST(refused_bytes_give_the_packet_back),
		SUITE_TEST(every_algorithm_is_enforced),
		SUITE_TEST(each_direction_has_a_bucket_of_its_own),
		SUITE_TEST(direction_that_is_not_limited_passes),
		SUITE_TEST(starts_are_limited_per_source),
		SUITE_TEST(starts_are_limited_per_listener),
		SUITE_TEST(udp_flow_is_charged_where_it_begins),
		SUITE_TEST(observed_limit_passes_and_counts),
		SUITE_TEST(observed_and_enforced_limits_meet),
		SUITE_TEST(mark_sets_congestion_experienced_up_to_the_hard_limit),
		SUITE_TEST(what_cannot_be_marked_is_dropped),
		SUITE_TEST(mark_keeps_the_ipv4_checksum),
		SUITE_TEST(limits_change_under_a_live_connection),
		SUITE_TEST(entries_of_no_connection_are_not_judged),
		SUITE_TEST(other_interfaces_are_not_judged),
		CU_TEST_INFO_NULL,
	};
	unsigned int rc;

	worker_world_open(&world);
	rc = (unsigned int)suite_run("worker_limit", tests);
	worker_world_close(&world);
	return (int)rc;
}
