/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/neighbour.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

static const uint64_t SECOND = 1000000000;
static const uint64_t START = 5000000000;
static const uint8_t MAC_A[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t MAC_B[6] = {2, 0, 0, 0, 0, 0xb};

struct ip {
	uint8_t b[16];
};

static struct ip ip_number(uint32_t n)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};

	memcpy(&ip.b[12], &n, sizeof(n));
	return ip;
}

static struct neighbour_table *fresh(void)
{
	struct neighbour_table *t = neighbour_table_create(42);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static void hear(struct neighbour_table *t, uint32_t n, const uint8_t mac[6], int override,
		 int solicited, uint64_t now_ns)
{
	neighbour_learn(t, 0, ip_number(n).b, mac, 0, override, solicited, now_ns);
}

static void new_entry_is_asked_for_three_times_then_fails_then_is_asked_again(void)
{
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen;
	uint16_t n = neighbour_find(t, 0, ip_number(1).b, START, &gen);

	for (uint64_t i = 0; i < NEIGHBOUR_QUESTIONS; i++) {
		CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + i * SECOND, &v), -EAGAIN);
		CU_ASSERT_EQUAL(v.ask, 1);
		CU_ASSERT_EQUAL(v.state, NEIGHBOUR_INCOMPLETE);
		CU_ASSERT_EQUAL(v.generation, gen);
		CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + (i + 1) * SECOND - 1, &v),
				-EAGAIN);
		CU_ASSERT_EQUAL(v.ask, 0);
	}
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + 3 * SECOND, &v), -EHOSTUNREACH);
	CU_ASSERT_EQUAL(v.ask, 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_FAILED);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + 8 * SECOND - 1, &v), -EHOSTUNREACH);
	CU_ASSERT_EQUAL(v.ask, 0);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + 8 * SECOND, &v), -EAGAIN);
	CU_ASSERT_EQUAL(v.ask, 1);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + 9 * SECOND, &v), -EAGAIN);
	CU_ASSERT_EQUAL(v.ask, 1);
	neighbour_table_destroy(t);
}

static void same_address_is_found_again_other_interface_is_another(void)
{
	struct neighbour_table *t = fresh();
	uint8_t gen, again, interface, ip[16];
	uint16_t n = neighbour_find(t, 3, ip_number(1).b, START, &gen);

	CU_ASSERT_EQUAL(neighbour_find(t, 3, ip_number(1).b, START, &again), n);
	CU_ASSERT_EQUAL(again, gen);
	CU_ASSERT_NOT_EQUAL(neighbour_find(t, 4, ip_number(1).b, START, &again), n);
	CU_ASSERT_EQUAL(neighbour_address(t, n, gen, &interface, ip), 0);
	CU_ASSERT_EQUAL(interface, 3);
	CU_ASSERT_EQUAL(memcmp(ip, ip_number(1).b, 16), 0);
	CU_ASSERT_EQUAL(neighbour_address(t, n, (uint8_t)(gen + 1), &interface, ip), -1);
	CU_ASSERT_EQUAL(neighbour_address(t, NEIGHBOUR_NONE, gen, &interface, ip), -1);
	neighbour_table_destroy(t);
}

static void answer_makes_it_reachable_until_it_ages_and_probes_keep_the_mac(void)
{
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint64_t aged = START + NEIGHBOUR_REACHABLE_NS;
	uint8_t gen;
	uint16_t n = neighbour_find(t, 0, ip_number(1).b, START, &gen);

	hear(t, 1, MAC_A, 1, 1, START);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, aged - 1, &v), 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_REACHABLE);
	CU_ASSERT_EQUAL(v.ask, 0);
	CU_ASSERT_EQUAL(memcmp(v.mac, MAC_A, 6), 0);
	for (uint64_t i = 0; i < NEIGHBOUR_QUESTIONS; i++) {
		CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, aged + i * SECOND, &v), 0);
		CU_ASSERT_EQUAL(v.state, NEIGHBOUR_STALE);
		CU_ASSERT_EQUAL(v.ask, 2);
		CU_ASSERT_EQUAL(memcmp(v.mac, MAC_A, 6), 0);
		CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, aged + i * SECOND + 1, &v), 0);
		CU_ASSERT_EQUAL(v.ask, 0);
	}
	/* nobody answers: everybody is asked, the MAC is no longer used */
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, aged + 3 * SECOND, &v), -EAGAIN);
	CU_ASSERT_EQUAL(v.ask, 1);
	hear(t, 1, MAC_B, 1, 1, aged + 3 * SECOND);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, aged + 3 * SECOND, &v), 0);
	CU_ASSERT_EQUAL(memcmp(v.mac, MAC_B, 6), 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_REACHABLE);
	neighbour_table_destroy(t);
}

static void failed_entry_recovers_when_it_speaks(void)
{
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen;
	uint16_t n = neighbour_find(t, 0, ip_number(1).b, START, &gen);

	for (uint64_t i = 0; i < 4; i++)
		neighbour_resolve(t, n, gen, START + i * SECOND, &v);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_FAILED);
	hear(t, 1, MAC_A, 1, 0, START + 3 * SECOND);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + 3 * SECOND, &v), 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_STALE);
	neighbour_table_destroy(t);
}

static void who_has_no_address_yet_is_nobodys_neighbour(void)
{
	static const uint8_t nobody[16];
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen;
	uint16_t n;

	neighbour_learn(t, 0, nobody, MAC_A, 1, 1, 0, START);
	n = neighbour_find(t, 0, nobody, START, &gen);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START, &v), -EAGAIN);
	neighbour_table_destroy(t);
}

/* RFC 4861 7.2.5, from REACHABLE with MAC_A (or STALE where said). */
static void learning_follows_rfc_4861(void)
{
	static const struct {
		int stale, other_mac, override, solicited;
		uint8_t state;
		const uint8_t *mac;
	} rows[] = {
		{0, 0, 0, 0, NEIGHBOUR_REACHABLE, MAC_A}, {0, 0, 0, 1, NEIGHBOUR_REACHABLE, MAC_A},
		{0, 0, 1, 0, NEIGHBOUR_REACHABLE, MAC_A}, {0, 1, 0, 0, NEIGHBOUR_STALE, MAC_A},
		{0, 1, 0, 1, NEIGHBOUR_STALE, MAC_A},     {0, 1, 1, 0, NEIGHBOUR_STALE, MAC_B},
		{0, 1, 1, 1, NEIGHBOUR_REACHABLE, MAC_B}, {1, 0, 0, 0, NEIGHBOUR_STALE, MAC_A},
		{1, 0, 0, 1, NEIGHBOUR_REACHABLE, MAC_A}, {1, 1, 0, 0, NEIGHBOUR_STALE, MAC_A},
		{1, 1, 0, 1, NEIGHBOUR_STALE, MAC_A},     {1, 1, 1, 0, NEIGHBOUR_STALE, MAC_B},
		{1, 1, 1, 1, NEIGHBOUR_REACHABLE, MAC_B},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct neighbour_table *t = fresh();
		struct neighbour_view v;
		uint8_t gen;
		uint16_t n = neighbour_find(t, 0, ip_number(1).b, START, &gen);

		hear(t, 1, MAC_A, 1, !rows[i].stale, START);
		hear(t, 1, rows[i].other_mac ? MAC_B : MAC_A, rows[i].override, rows[i].solicited,
		     START);
		CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START, &v), 0);
		CU_ASSERT_EQUAL(v.state, rows[i].state);
		CU_ASSERT_EQUAL(memcmp(v.mac, rows[i].mac, 6), 0);
		neighbour_table_destroy(t);
	}
}

static void learning_creates_only_when_told_and_never_a_multicast_mac(void)
{
	static const uint8_t multicast[6] = {1, 0, 0x5e, 0, 0, 1}, zero[6] = {0};
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen;
	uint16_t n;

	hear(t, 1, MAC_A, 1, 1, START);
	n = neighbour_find(t, 0, ip_number(1).b, START, &gen);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START, &v), -EAGAIN);
	hear(t, 1, multicast, 1, 1, START);
	hear(t, 1, zero, 1, 1, START);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START, &v), -EAGAIN);

	neighbour_learn(t, 0, ip_number(2).b, MAC_B, 1, 1, 0, START);
	n = neighbour_find(t, 0, ip_number(2).b, START, &gen);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START, &v), 0);
	CU_ASSERT_EQUAL(memcmp(v.mac, MAC_B, 6), 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_STALE);
	neighbour_table_destroy(t);
}

static void static_entry_never_changes_ages_or_leaves(void)
{
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen, other;
	uint16_t n;

	CU_ASSERT_EQUAL(neighbour_set_static(t, 0, ip_number(1).b, MAC_B), 0);
	CU_ASSERT_EQUAL(neighbour_set_static(t, 0, ip_number(1).b, MAC_A), 0);
	n = neighbour_find(t, 0, ip_number(1).b, START, &gen);
	hear(t, 1, MAC_B, 1, 1, START);
	for (uint32_t i = 2; i < 50000; i++)
		neighbour_find(t, 0, ip_number(i).b, START + i * SECOND, &other);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START + 100000 * SECOND, &v), 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_STATIC);
	CU_ASSERT_EQUAL(v.ask, 0);
	CU_ASSERT_EQUAL(memcmp(v.mac, MAC_A, 6), 0);
	neighbour_table_destroy(t);
}

static void clock_stepping_back_neither_asks_nor_ages(void)
{
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen;
	uint16_t n = neighbour_find(t, 0, ip_number(1).b, START, &gen);

	neighbour_resolve(t, n, gen, START, &v);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START - SECOND, &v), -EAGAIN);
	CU_ASSERT_EQUAL(v.ask, 0);
	hear(t, 1, MAC_A, 1, 1, START);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START - SECOND, &v), 0);
	CU_ASSERT_EQUAL(v.state, NEIGHBOUR_REACHABLE);
	neighbour_table_destroy(t);
}

/* Connections with real next hops; strangers invent addresses. */
static void flood_of_invented_addresses_displaces_only_itself(void)
{
	enum { REAL = 1000, INVENTED = 200000, ARRIVING = 500 };
	struct neighbour_table *t = fresh();
	static uint16_t number[REAL];
	static uint8_t gen[REAL];
	uint64_t now = START;
	struct neighbour_view v;
	uint8_t other;

	for (uint32_t i = 0; i < REAL; i++) {
		number[i] = neighbour_find(t, 0, ip_number(i).b, now, &gen[i]);
		CU_ASSERT_NOT_EQUAL(number[i], NEIGHBOUR_NONE);
		hear(t, i, MAC_A, 1, 1, now);
	}
	now += SECOND;
	for (uint32_t i = 0; i < INVENTED; i++) {
		neighbour_find(t, 0, ip_number(1000000 + i).b, now + i, &other);
		neighbour_learn(t, 0, ip_number(9000000 + i).b, MAC_B, 1, 1, 0, now + i);
	}
	now += INVENTED;
	for (uint32_t i = 0; i < REAL; i++) {
		CU_ASSERT_EQUAL(neighbour_resolve(t, number[i], gen[i], now, &v), 0);
		CU_ASSERT_EQUAL(memcmp(v.mac, MAC_A, 6), 0);
	}
	/* and new real ones still get in while the flood goes on, and stay to be answered */
	for (uint32_t i = 0; i < ARRIVING; i++) {
		uint8_t mine;
		uint16_t n = neighbour_find(t, 1, ip_number(i).b, now + i, &mine);

		CU_ASSERT_NOT_EQUAL_FATAL(n, NEIGHBOUR_NONE);
		neighbour_find(t, 0, ip_number(20000000 + i).b, now + i, &other);
		neighbour_learn(t, 1, ip_number(i).b, MAC_B, 0, 1, 1, now + i);
		CU_ASSERT_EQUAL(neighbour_resolve(t, n, mine, now + i, &v), 0);
	}
	neighbour_table_destroy(t);
}

static void full_of_recent_use_says_so_and_opens_up_when_unused(void)
{
	enum { MANY = 40000 };
	struct neighbour_table *t = fresh();
	uint64_t later = START + NEIGHBOUR_RECENT_NS + SECOND;
	uint32_t in = 0;
	uint8_t gen;

	for (uint32_t i = 0; i < MANY; i++)
		if (neighbour_find(t, 0, ip_number(i).b, START, &gen) != NEIGHBOUR_NONE) {
			hear(t, i, MAC_A, 1, 1, START);
			in++;
		}
	CU_ASSERT_EQUAL(in, NEIGHBOUR_ENTRIES);
	CU_ASSERT_EQUAL(neighbour_find(t, 0, ip_number(MANY).b, START + SECOND, &gen),
			NEIGHBOUR_NONE);
	CU_ASSERT_EQUAL(neighbour_set_static(t, 0, ip_number(MANY).b, MAC_A), -ENOSPC);
	CU_ASSERT_NOT_EQUAL(neighbour_find(t, 0, ip_number(MANY).b, later, &gen), NEIGHBOUR_NONE);
	neighbour_table_destroy(t);
}

/* Two choices of a set: nine tenths of the places can be taken before anyone is refused. */
static void addresses_spread_over_the_table(void)
{
	enum { MOST = NEIGHBOUR_ENTRIES * 9 / 10 };
	struct neighbour_table *t = fresh();
	uint32_t refused = 0;
	uint8_t gen;

	for (uint32_t i = 0; i < MOST; i++) {
		refused += neighbour_find(t, 0, ip_number(i).b, START, &gen) == NEIGHBOUR_NONE;
		hear(t, i, MAC_A, 1, 1, START);
	}
	CU_ASSERT(refused <= MOST / 100);
	neighbour_table_destroy(t);
}

static void reused_entry_refuses_the_old_generation(void)
{
	struct neighbour_table *t = fresh();
	struct neighbour_view v;
	uint8_t gen, other, interface, ip[16];
	uint16_t n = neighbour_find(t, 0, ip_number(0).b, START, &gen);
	uint32_t i = 1;
	int rc = 0;

	hear(t, 0, MAC_A, 1, 1, START);
	for (; i < 100000 && rc != -ESTALE; i++) {
		neighbour_find(t, 0, ip_number(i).b, START + NEIGHBOUR_RECENT_NS + i, &other);
		neighbour_learn(t, 0, ip_number(i).b, MAC_B, 0, 1, 1,
				START + NEIGHBOUR_RECENT_NS + i);
		if (neighbour_address(t, n, gen, &interface, ip))
			rc = -ESTALE;
	}
	CU_ASSERT_EQUAL(rc, -ESTALE);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, gen, START, &v), -ESTALE);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, (uint8_t)(gen + 1), START, &v), 0);
	CU_ASSERT_EQUAL(memcmp(v.mac, MAC_B, 6), 0);
	neighbour_table_destroy(t);
}

/*
 * Workers find, resolve and learn while entries are recycled under them. Address i owns MAC
 * {2, 1, i}; whoever resolves i must never see another's.
 */
enum { THREADS = 4, ROUNDS = 40000, SHARED = 64 };

static struct neighbour_table *shared;
static uint32_t asked[SHARED];
static uint32_t wrong;

static void mac_number(uint32_t n, uint8_t mac[6])
{
	mac[0] = 2;
	mac[1] = 1;
	memcpy(&mac[2], &n, 4);
}

static void one_round(uint32_t me, uint32_t i, uint32_t *random)
{
	struct neighbour_view v;
	uint32_t n = (*random = *random * 1664525 + 1013904223) >> 8;
	uint64_t now = START + i;
	uint8_t gen, mac[6], interface, ip[16];
	uint16_t at;
	int rc;

	n = i % 4 ? n % SHARED : 1000 + me * ROUNDS + i; /* every fourth is invented */
	at = neighbour_find(shared, 0, ip_number(n).b, now, &gen);
	if (at == NEIGHBOUR_NONE)
		return;
	mac_number(n, mac);
	rc = neighbour_resolve(shared, at, gen, now, &v);
	if (rc == 0 && memcmp(v.mac, mac, 6) != 0)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	if (neighbour_address(shared, at, gen, &interface, ip) == 0 &&
	    memcmp(ip, ip_number(n).b, 16) != 0)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	if (n < SHARED && v.ask)
		__atomic_add_fetch(&asked[n], 1, __ATOMIC_RELAXED);
	if (n < SHARED && i > ROUNDS / 2)
		neighbour_learn(shared, 0, ip_number(n).b, mac, 0, 1, i & 1, now);
	else if (n >= SHARED)
		neighbour_learn(shared, 0, ip_number(n + 1).b, mac, 1, 1, 1, now);
}

static void *worker(void *arg)
{
	uint32_t me = *(uint32_t *)arg, random = me * 7919;

	for (uint32_t i = 0; i < ROUNDS; i++)
		one_round(me, i, &random);
	return NULL;
}

static void workers_never_mix_up_addresses(void)
{
	pthread_t threads[THREADS];
	uint32_t number[THREADS];
	struct neighbour_view v;
	uint8_t gen;

	shared = fresh();
	for (uint32_t i = 0; i < SHARED; i++) /* in the table once, whoever finds them first */
		neighbour_find(shared, 0, ip_number(i).b, START, &gen);
	for (uint32_t i = 0; i < THREADS; i++) {
		number[i] = i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, worker, &number[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	for (uint32_t i = 0; i < SHARED; i++) {
		uint16_t n = neighbour_find(shared, 0, ip_number(i).b, START + ROUNDS, &gen);

		/* Less than a retry interval went by: asked once, but again when recycled. */
		CU_ASSERT(asked[i] >= 1);
		CU_ASSERT_EQUAL(neighbour_resolve(shared, n, gen, START + ROUNDS, &v), 0);
	}
	neighbour_table_destroy(shared);
}

static struct neighbour_table *race_table;
static uint16_t race_number;
static uint8_t race_generation;
static uint32_t race_questions;

static void *race_worker(void *arg)
{
	struct neighbour_view v;

	for (uint64_t now = START; now < START + 3 * SECOND; now += SECOND / 2000) {
		neighbour_resolve(race_table, race_number, race_generation, now, &v);
		__atomic_add_fetch(&race_questions, v.ask, __ATOMIC_RELAXED);
	}
	return arg;
}

static void one_worker_asks_an_interval(void)
{
	pthread_t threads[THREADS];

	race_table = fresh();
	race_number = neighbour_find(race_table, 0, ip_number(1).b, START, &race_generation);
	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, race_worker, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(race_questions, NEIGHBOUR_QUESTIONS);
	neighbour_table_destroy(race_table);
}

int main(void)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("neighbour", NULL, NULL);
	CU_ADD_TEST(suite, new_entry_is_asked_for_three_times_then_fails_then_is_asked_again);
	CU_ADD_TEST(suite, same_address_is_found_again_other_interface_is_another);
	CU_ADD_TEST(suite, answer_makes_it_reachable_until_it_ages_and_probes_keep_the_mac);
	CU_ADD_TEST(suite, failed_entry_recovers_when_it_speaks);
	CU_ADD_TEST(suite, learning_follows_rfc_4861);
	CU_ADD_TEST(suite, learning_creates_only_when_told_and_never_a_multicast_mac);
	CU_ADD_TEST(suite, who_has_no_address_yet_is_nobodys_neighbour);
	CU_ADD_TEST(suite, static_entry_never_changes_ages_or_leaves);
	CU_ADD_TEST(suite, clock_stepping_back_neither_asks_nor_ages);
	CU_ADD_TEST(suite, flood_of_invented_addresses_displaces_only_itself);
	CU_ADD_TEST(suite, full_of_recent_use_says_so_and_opens_up_when_unused);
	CU_ADD_TEST(suite, addresses_spread_over_the_table);
	CU_ADD_TEST(suite, reused_entry_refuses_the_old_generation);
	CU_ADD_TEST(suite, workers_never_mix_up_addresses);
	CU_ADD_TEST(suite, one_worker_asks_an_interval);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
