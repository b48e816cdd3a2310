/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of the XDP program, by BPF_PROG_TEST_RUN. */
#include "tests/unit/ebpf/xdp_limits.h"

/* At 1/s exactly @burst of 3 * @burst pass, and one more for each second that went by. */
static void check_burst(const struct wanted *w, unsigned int burst)
{
	double start = seconds();
	unsigned int passed = count_of(w, (int)(3 * burst), LIMIT_VERDICT_PASSED);

	CU_ASSERT_TRUE(passed >= burst);
	CU_ASSERT_TRUE(passed <= burst + (unsigned int)(seconds() - start) + 1);
}

static void connection_is_limited_in_packets(void)
{
	struct wanted one = tcp_to(FRAME_SYN);
	struct wanted other = tcp_to(FRAME_SYN);
	struct wanted six = tcp_to(FRAME_SYN);

	six.src = "fd00:9::9";
	six.dst = APP_IP6;
	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 5)});
	check_burst(&one, 5);
	EXACT(meet(&one), LIMIT_VERDICT_CONNECTION);
	check_burst(&other, 5);
	check_burst(&six, 5);
	EXACT(meet(&six), LIMIT_VERDICT_CONNECTION);
}

static void connection_is_limited_in_bytes_of_ip(void)
{
	struct wanted w = tcp_to(FRAME_SYN);
	struct wanted tagged;
	struct bytes frame;

	w.payload = 60; /* 100 bytes */
	limit_only(WEB, (struct limits_rules){.bytes = per_second(1, 350)});
	EXACT(count_of(&w, 3, LIMIT_VERDICT_PASSED), 3);
	EXACT(meet(&w), LIMIT_VERDICT_CONNECTION);
	w.payload = 0; /* 40 fit into the 50 that are left */
	EXACT(meet(&w), LIMIT_VERDICT_PASSED);

	/* neither padding nor a tag counts */
	tagged = tcp_to(FRAME_SYN);
	tagged.vlan = 7;
	limit_only(TAG, (struct limits_rules){.bytes = per_second(1, 99)});
	for (int i = 0; i < 3; i++) {
		frame = frame_of(&tagged);
		bytes_add(&frame, 60);
		EXACT(world_meet(&world, TAGGED, &frame).verdict,
		      i < 2 ? LIMIT_VERDICT_PASSED : LIMIT_VERDICT_CONNECTION);
	}
}

static void refused_bytes_give_the_packet_back(void)
{
	struct wanted big = tcp_to(FRAME_SYN);
	struct wanted small;

	limit_only(WEB,
		   (struct limits_rules){.packets = per_second(1, 3), .bytes = per_second(1, 200)});
	small = big;
	big.payload = 300;
	EXACT(count_of(&big, 10, LIMIT_VERDICT_CONNECTION), 10);
	check_burst(&small, 3);
}

static void every_algorithm_is_enforced(void)
{
	static const struct limit_spec specs[] = {
		{LIMIT_TOKEN_BUCKET, 1, 10, 0},
		{LIMIT_LEAKY_BUCKET, 1, 10, 0},
		{LIMIT_FIXED_WINDOW, 10, 0, 3600000000000ull},
		{LIMIT_SLIDING_WINDOW, 10, 0, 3600000000000ull},
	};

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct wanted w = tcp_to(FRAME_SYN);
		uint64_t most = specs[i].burst;

		if (!most)
			most = specs[i].rate_per_second * (specs[i].window_ns / 1000000000);
		limit_only(WEB, (struct limits_rules){.packets = specs[i]});
		if (most > 10) { /* an hour's worth */
			struct bytes frame = frame_of(&w);
			struct limit_counters before = world_counters(&world, LISTENER(WEB));
			struct limit_counters after;
			uint64_t passed;

			world_run(&world, APP, &frame, (uint32_t)(2 * most + 100));
			after = world_counters(&world, LISTENER(WEB));
			passed = after.packets[LIMIT_VERDICT_PASSED] -
				 before.packets[LIMIT_VERDICT_PASSED];
			CU_ASSERT_TRUE(passed >= most && passed <= 2 * most);
			EXACT(after.packets[LIMIT_VERDICT_CONNECTION] -
				      before.packets[LIMIT_VERDICT_CONNECTION],
			      2 * most + 100 - passed);
		} else {
			check_burst(&w, (unsigned int)most);
		}
	}
}

static void each_direction_has_a_bucket_of_its_own(void)
{
	const struct wanted answer = {.src = "10.8.0.9",
				      .dst = NET_IP,
				      .sport = 80,
				      .dport = SNAT_LOW,
				      .proto = FRAME_PROTO_TCP,
				      .tcp_flags = FRAME_SYN | FRAME_ACK};
	struct wanted w = tcp_to(FRAME_SYN);
	struct bytes frame = frame_of(&answer);
	int verdicts[6];

	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 5)});
	check_burst(&w, 5);
	world_own_port(&world, 0, LIMIT_OWNER(WEB, 11));
	for (int i = 0; i < 6; i++)
		verdicts[i] = world_meet(&world, NET, &frame).verdict;
	for (int i = 0; i < 5; i++)
		EXACT(verdicts[i], LIMIT_VERDICT_PASSED);
	EXACT(verdicts[5], LIMIT_VERDICT_CONNECTION);

	/* the port's next connection begins anew */
	world_own_port(&world, 0, LIMIT_OWNER(WEB, 12));
	EXACT(world_meet(&world, NET, &frame).verdict, LIMIT_VERDICT_PASSED);
	world_own_port(&world, 0, 0);
}

static void direction_that_is_not_limited_passes(void)
{
	const struct wanted answer = {.src = "10.8.0.9",
				      .dst = NET_IP,
				      .sport = 80,
				      .dport = SNAT_LOW + 1,
				      .proto = FRAME_PROTO_TCP,
				      .tcp_flags = FRAME_ACK};
	struct wanted w = tcp_to(FRAME_SYN);
	struct bytes frame = frame_of(&answer);

	world_own_port(&world, 1, LIMIT_OWNER(WEB, 1));
	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 2),
					      .directions = LIMIT_TO_ENDPOINT});
	check_burst(&w, 2);
	for (int i = 0; i < 6; i++)
		EXACT(world_meet(&world, NET, &frame).verdict, LIMIT_VERDICT_PASSED);
	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 2),
					      .directions = LIMIT_TO_CLIENT});
	EXACT(count_of(&w, 6, LIMIT_VERDICT_PASSED), 6);
	EXACT(world_meet(&world, NET, &frame).verdict, LIMIT_VERDICT_PASSED);
	EXACT(world_meet(&world, NET, &frame).verdict, LIMIT_VERDICT_PASSED);
	EXACT(world_meet(&world, NET, &frame).verdict, LIMIT_VERDICT_CONNECTION);
	world_own_port(&world, 1, 0);
}

/* Connections from @src: how many of 12 SYNs of new ones have @verdict. */
static unsigned int starts_from(const char *src, int verdict)
{
	unsigned int count = 0;

	for (int i = 0; i < 12; i++) {
		struct wanted w = tcp_to(FRAME_SYN);

		w.src = src;
		if (strchr(src, ':'))
			w.dst = APP_IP6;
		count += meet(&w) == verdict;
	}
	return count;
}

static void starts_are_limited_per_source(void)
{
	struct wanted data = tcp_to(FRAME_ACK);

	limit_only(WEB, (struct limits_rules){.source = per_second(1, 4)});
	EXACT(starts_from("10.9.1.1", LIMIT_VERDICT_PASSED) / 2, 2);
	EXACT(starts_from("10.9.1.1", LIMIT_VERDICT_SOURCE), 12);
	EXACT(starts_from("10.9.1.2", LIMIT_VERDICT_SOURCE), 8);
	EXACT(starts_from("fd00:9::12", LIMIT_VERDICT_SOURCE), 8);
	data.src = "10.9.1.1"; /* only starts are */
	EXACT(count_of(&data, 5, LIMIT_VERDICT_PASSED), 5);
}

static void starts_are_limited_per_listener(void)
{
	limit_only(WEB, (struct limits_rules){.source = per_second(1, 10),
					      .listener = per_second(1, 6)});
	EXACT(starts_from("10.9.2.1", LIMIT_VERDICT_LISTENER), 6);
	EXACT(starts_from("10.9.2.2", LIMIT_VERDICT_LISTENER), 12);
	/* what the listener refused its source has got back */
	limit_only(WEB, (struct limits_rules){.source = per_second(1, 10)});
	EXACT(starts_from("10.9.2.2", LIMIT_VERDICT_PASSED), 10);
}

static void only_a_syn_begins_with_a_full_bucket(void)
{
	struct wanted w = tcp_to(FRAME_ACK);
	struct limit_counters before = world_counters(&world, LISTENER(WEB));
	struct limit_counters after;

	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 100)});
	EXACT(meet(&w), LIMIT_VERDICT_CONNECTION);
	after = world_counters(&world, LISTENER(WEB));
	EXACT(after.events[LIMIT_EVENT_COLD_START], before.events[LIMIT_EVENT_COLD_START] + 1);
	EXACT(after.events[LIMIT_EVENT_FULL_START], before.events[LIMIT_EVENT_FULL_START]);
	w.tcp_flags = FRAME_SYN; /* of an entry that is there: no new bucket */
	CU_ASSERT_TRUE(count_of(&w, 10, LIMIT_VERDICT_PASSED) <= 1);
}

static void beyond_the_coarse_word_buckets_begin_empty(void)
{
	struct limits_rules rules = {.packets = per_second(1, 100), .coarse = other_shape(1, 2)};
	struct wanted warm[2] = {tcp_to(FRAME_SYN), tcp_to(FRAME_SYN)};
	struct wanted cold = tcp_to(FRAME_SYN);
	struct wanted stray = tcp_to(FRAME_ACK);

	limit_only(WEB, rules);
	EXACT(count_of(&warm[0], 20, LIMIT_VERDICT_PASSED), 20);
	EXACT(count_of(&warm[1], 20, LIMIT_VERDICT_PASSED), 20);
	EXACT(meet(&cold), LIMIT_VERDICT_PASSED); /* the SYN itself */
	cold.tcp_flags = FRAME_ACK;
	EXACT(meet(&cold), LIMIT_VERDICT_CONNECTION);
	EXACT(meet(&stray), LIMIT_VERDICT_COLD);
}

static void udp_flow_is_charged_where_it_begins(void)
{
	struct limits_rules rules = udp_rules(per_second(1, 50));
	struct wanted flows[4] = {udp_to(), udp_to(), udp_to(), udp_to()};

	rules.source = per_second(1, 3);
	limit_only(DNS, rules);
	EXACT(meet(&flows[0]), LIMIT_VERDICT_PASSED);
	EXACT(count_of(&flows[0], 20, LIMIT_VERDICT_PASSED), 20);
	EXACT(meet(&flows[1]), LIMIT_VERDICT_PASSED);
	EXACT(meet(&flows[2]), LIMIT_VERDICT_PASSED);
	EXACT(meet(&flows[3]), LIMIT_VERDICT_SOURCE);
	EXACT(meet(&flows[1]), LIMIT_VERDICT_PASSED);
}

static void observed_limit_passes_and_counts(void)
{
	struct limits_rules rules = {.packets = per_second(1, 5), .action = LIMIT_OBSERVE};
	struct wanted w = tcp_to(FRAME_SYN);
	struct bytes frame = frame_of(&w);
	struct outcome o = {0};

	limit_only(WEB, rules);
	EXACT(count_of(&w, 5, LIMIT_VERDICT_PASSED), 5);
	o = world_meet(&world, APP, &frame);
	EXACT(o.verdict, LIMIT_VERDICT_WOULD_CONNECTION);
	EXACT(o.action, XDP_REDIRECT);

	/* enforced from now on, the bucket begins anew */
	rules.action = LIMIT_DROP;
	limit_only(WEB, rules);
	check_burst(&w, 5);
}

/* The first refusal counts, but for one that is enforced. */
static void observed_and_enforced_limits_meet(void)
{
	struct limits_rules rules = {.source = per_second(1, 2),
				     .source_action = LIMIT_OBSERVE,
				     .listener = per_second(1, 3)};

	for (int observed = 0; observed < 2; observed++) {
		const int verdicts[] = {
			LIMIT_VERDICT_PASSED, LIMIT_VERDICT_PASSED, LIMIT_VERDICT_WOULD_SOURCE,
			observed ? LIMIT_VERDICT_WOULD_SOURCE : LIMIT_VERDICT_LISTENER};

		rules.listener_action = observed ? LIMIT_OBSERVE : LIMIT_DROP;
		limit_only(WEB, rules);
		for (int i = 0; i < 4; i++) {
			struct wanted w = tcp_to(FRAME_SYN);

			w.src = observed ? "10.9.3.2" : "10.9.3.1";
			EXACT(meet(&w), verdicts[i]);
		}
	}
}

static void mark_sets_congestion_experienced_up_to_the_hard_limit(void)
{
	static const char *const sources[] = {"10.9.0.9", "fd00:9::9"};

	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 4), .action = LIMIT_MARK});
	for (int six = 0; six < 2; six++) {
		struct wanted w = tcp_to(FRAME_SYN);
		struct outcome o[9];
		struct bytes frame;

		w.src = sources[six];
		w.dst = six ? APP_IP6 : APP_IP;
		w.ecn = 2;
		for (int i = 0; i < 9; i++) {
			struct frame parsed = {0};

			frame = frame_of(&w);
			o[i] = world_meet(&world, APP, &frame);
			frame_parse(&parsed, frame.data, frame.data + frame.size);
			CU_ASSERT_EQUAL(parsed.kind, FRAME_TCP);
			EXACT(parsed.ecn, i >= 4 && i < 8 ? 3 : 2);
			CU_ASSERT_TRUE(six || sum16(frame.data + 14, 20) == 0xffff);
		}
		for (int i = 0; i < 8; i++) {
			EXACT(o[i].action, XDP_REDIRECT);
			EXACT(o[i].verdict, i < 4 ? LIMIT_VERDICT_PASSED : LIMIT_VERDICT_MARKED);
		}
		EXACT(o[8].verdict, LIMIT_VERDICT_CONNECTION);
		EXACT(o[8].action, XDP_DROP);
	}
}

static void what_cannot_be_marked_is_dropped(void)
{
	struct limits_rules rules = udp_rules(per_second(1, 4));
	struct wanted tcp = tcp_to(FRAME_SYN);
	struct wanted udp = udp_to();

	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 4), .action = LIMIT_MARK});
	check_burst(&tcp, 4);
	rules.action = LIMIT_MARK;
	limit_only(DNS, rules);
	udp.ecn = 1;
	check_burst(&udp, 4);
	udp = udp_to();
	udp.ecn = 1;
	EXACT(count_of(&udp, 12, LIMIT_VERDICT_MARKED), 0);
}

/* Every checksum of a header that differs in id and ECN stays right. */
static void mark_keeps_the_ipv4_checksum(void)
{
	struct wanted w = tcp_to(FRAME_SYN);

	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 1),
					      .bytes = per_second(1 << 30, 1 << 30),
					      .action = LIMIT_MARK});
	for (unsigned int id = 0; id < 3000; id++) {
		struct bytes frame;
		struct ipv4 *ip;

		if (id % 2 == 0)
			w = tcp_to(FRAME_SYN); /* the second one is marked */
		w.ecn = 1 + id / 2 % 3;
		frame = frame_of(&w);
		ip = (struct ipv4 *)(frame.data + 14);
		ip->id = htons((uint16_t)(id * 22));
		ip->check = 0;
		ip->check = htons((uint16_t)~sum16(ip, 20));
		world_run(&world, APP, &frame, 1);
		EXACT(ip->tos, id % 2 ? 3 : w.ecn);
		CU_ASSERT_EQUAL(sum16(ip, 20), 0xffff);
	}
}

enum { CHURN_ROUNDS = 20, CHURN = 3 * (2 * WORLD_CONNECTIONS + 512) };

/*
 * One datagram of a limited flow, then CHURN flows of others, more than the map holds; and again.
 * Return: how many of the limited flow passed. @full: buckets that began full.
 */
static unsigned int churn(struct limit_spec coarse, uint64_t *full)
{
	struct limits_rules rules = udp_rules(per_second(1, 4));
	struct wanted limited = udp_to();
	struct limit_counters before = world_counters(&world, LISTENER(DNS));
	struct bytes other = frame_of(&limited);
	struct ipv4 *ip = (struct ipv4 *)(other.data + 14);
	unsigned int passed = 0;

	rules.coarse = coarse;
	limit_only(DNS, rules);
	for (uint32_t i = 0; i < CHURN_ROUNDS; i++) {
		struct bytes frame = frame_of(&limited);

		passed += world_run(&world, APP, &frame, 1) == XDP_REDIRECT;
		for (uint32_t n = 0; n < CHURN; n++) {
			ip->src = htonl(0x0a400000u + i * CHURN + n);
			world_run(&world, APP, &other, 1);
		}
	}
	*full = world_counters(&world, LISTENER(DNS)).events[LIMIT_EVENT_FULL_START] -
		before.events[LIMIT_EVENT_FULL_START];
	return passed;
}

static void churning_the_map_does_not_refill_a_bucket(void)
{
	double start = seconds();
	unsigned int bypassed;
	unsigned int passed;
	uint64_t full;
	double took;

	passed = churn(other_shape(1, 8), &full);
	took = seconds() - start;
	CU_ASSERT_TRUE(full <= 8 + (uint64_t)took + 1);
	/* its burst, and what comes back: the churners take the few full starts there are */
	CU_ASSERT_TRUE(passed <= 4 + 4 * ((unsigned int)took + 1));

	/* the same without: evicted again and again, it begins full each time */
	bypassed = churn(plenty, &full);
	EXACT(full, CHURN_ROUNDS * (CHURN + 1));
	EXACT(bypassed, CHURN_ROUNDS);
}

static void limits_change_under_a_live_connection(void)
{
	struct wanted w = tcp_to(FRAME_SYN);

	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 10)});
	EXACT(count_of(&w, 5, LIMIT_VERDICT_PASSED), 5);
	limit_only(WEB, (struct limits_rules){.packets = per_second(1, 6)});
	EXACT(meet(&w), LIMIT_VERDICT_PASSED);
	limit_only(WEB, (struct limits_rules){0});
	EXACT(count_of(&w, 50, LIMIT_VERDICT_PASSED), 50);
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
		SUITE_TEST(only_a_syn_begins_with_a_full_bucket),
		SUITE_TEST(beyond_the_coarse_word_buckets_begin_empty),
		SUITE_TEST(udp_flow_is_charged_where_it_begins),
		SUITE_TEST(observed_limit_passes_and_counts),
		SUITE_TEST(observed_and_enforced_limits_meet),
		SUITE_TEST(mark_sets_congestion_experienced_up_to_the_hard_limit),
		SUITE_TEST(what_cannot_be_marked_is_dropped),
		SUITE_TEST(mark_keeps_the_ipv4_checksum),
		SUITE_TEST(churning_the_map_does_not_refill_a_bucket),
		SUITE_TEST(limits_change_under_a_live_connection),
		CU_TEST_INFO_NULL,
	};

	return world_suite(&world, "xdp: limits", tests);
}
