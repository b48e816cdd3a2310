/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/residue.h"

#include "shm/region.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 2, SLOTS = 4 };

static struct worker_block workers[WORKERS];
static struct interface_counters interfaces[WORKERS * MAX_INTERFACES];
static struct listener_counters listeners[WORKERS * SLOTS];
static struct call_counters clusters[WORKERS * SLOTS], endpoints[WORKERS * SLOTS];
static struct policy_counters policies[WORKERS * SLOTS];

static const struct region region = {
	.shape = {.workers = WORKERS,
		  .listener_slots = SLOTS,
		  .cluster_slots = SLOTS,
		  .endpoint_slots = SLOTS},
	.workers = workers,
	.interface_counters = interfaces,
	.listener_counters = listeners,
	.cluster_counters = clusters,
	.endpoint_counters = endpoints,
	.policy_counters = policies,
};

static struct residue alive[WORKERS];

static void reset(void)
{
	memset(workers, 0, sizeof(workers));
	memset(interfaces, 0, sizeof(interfaces));
	memset(listeners, 0, sizeof(listeners));
	memset(clusters, 0, sizeof(clusters));
	memset(endpoints, 0, sizeof(endpoints));
	memset(policies, 0, sizeof(policies));
	for (uint32_t i = 0; i < WORKERS; i++) {
		residue_destroy(&alive[i]);
		if (residue_create(&alive[i], &region.shape))
			abort();
	}
}

/* What goes on is in `alive`: nothing, unless a test says so. */
static void book(void)
{
	residue_book_packets(&region);
	for (uint32_t i = 0; i < WORKERS; i++)
		residue_book_calls(&region, i, &alive[i]);
}

static uint64_t balance(const struct packet_counters *p)
{
	uint64_t out = p->transmitted + p->consumed + p->handed_out + p->held;

	for (int i = 0; i < REASON_SLOTS; i++)
		out += p->dropped[i];
	return p->received + p->handed_in + p->originated - out;
}

static void packets_of_a_burst_are_booked_once(void)
{
	struct packet_counters *p = &workers[0].packets;

	reset();
	p->received = 100;
	p->originated = 10;
	p->transmitted = 60;
	p->consumed = 5;
	p->held = 7;
	p->dropped[REASON_TTL] = 3;
	book();
	CU_ASSERT_EQUAL(p->dropped[REASON_DATAPLANE_RESTART], 42);
	CU_ASSERT_EQUAL(p->held, 0);
	CU_ASSERT_EQUAL(balance(p), 0);
	book();
	CU_ASSERT_EQUAL(p->dropped[REASON_DATAPLANE_RESTART], 42);
}

static void packets_in_rings_are_booked(void)
{
	reset();
	workers[0].packets.received = 50;
	workers[0].packets.handed_out = 50;
	workers[1].packets.handed_in = 40;
	workers[1].packets.transmitted = 40;
	book();
	CU_ASSERT_EQUAL(workers[0].packets.dropped[REASON_DATAPLANE_RESTART], 10);
	CU_ASSERT_EQUAL(workers[0].packets.handed_in, 10);
	CU_ASSERT_EQUAL(balance(&workers[0].packets), 0);
	CU_ASSERT_EQUAL(balance(&workers[1].packets), 0);
}

static void frames_that_only_their_interface_counted_are_booked(void)
{
	struct packet_counters *p = &workers[1].packets;

	reset();
	interfaces[1 * MAX_INTERFACES + 0].rx_packets = 70;
	interfaces[1 * MAX_INTERFACES + 2].rx_packets = 30;
	interfaces[1 * MAX_INTERFACES + 1].tx_packets = 90;
	p->received = 68;
	p->transmitted = 60;
	book();
	CU_ASSERT_EQUAL(p->received, 100);
	CU_ASSERT_EQUAL(p->transmitted, 90);
	CU_ASSERT_EQUAL(p->dropped[REASON_DATAPLANE_RESTART], 10);
	CU_ASSERT_EQUAL(balance(p), 0);
	CU_ASSERT_EQUAL(workers[0].packets.received, 0);
}

static void verdicts_without_a_reason_get_one(void)
{
	struct listener_counters *l = &listeners[0 * SLOTS + 1];

	reset();
	l->calls = (struct call_counters){.started = 9, .failed = 4, .rejected = 5};
	l->failed[REASON_CONNECT_TIMEOUT] = 3;
	l->rejected[REASON_TABLE_FULL] = 2;
	l->rejected[REASON_NO_PORT] = 2;
	book();
	book();
	CU_ASSERT_EQUAL(l->calls.failed, 4);
	CU_ASSERT_EQUAL(l->failed[REASON_DATAPLANE_RESTART], 1);
	CU_ASSERT_EQUAL(l->rejected[REASON_DATAPLANE_RESTART], 1);
}

static void calls_without_a_verdict_failed(void)
{
	struct listener_counters *l = &listeners[1 * SLOTS + 3];

	reset();
	l->calls = (struct call_counters){.started = 10,
					  .succeeded = 4,
					  .failed = 1,
					  .cancelled = 1,
					  .rejected = 1,
					  .opened = 9,
					  .closed = 2};
	l->failed[REASON_CONNECT_TIMEOUT] = 1;
	clusters[2] = endpoints[1] = l->calls;
	book();
	CU_ASSERT_EQUAL(l->calls.failed, 4);
	CU_ASSERT_EQUAL(l->failed[REASON_DATAPLANE_RESTART], 3);
	CU_ASSERT_EQUAL(l->calls.closed, 9);
	CU_ASSERT_EQUAL(clusters[2].failed, 4);
	CU_ASSERT_EQUAL(endpoints[1].failed, 4);
	CU_ASSERT_EQUAL(endpoints[1].closed, 9);
}

/* Queued, or between two attempts: no endpoint has counted it. */
static void waiting_calls_failed_too(void)
{
	struct listener_counters *l = &listeners[0 * SLOTS + 1];

	reset();
	l->calls = (struct call_counters){
		.started = 6, .rejected = 2, .succeeded = 1, .opened = 4, .closed = 1};
	l->rejected[REASON_QUEUE_FULL] = 2;
	clusters[1] = l->calls;
	policies[1].rejected[REASON_QUEUE_FULL] = 2;
	book();
	book();
	CU_ASSERT_EQUAL(l->calls.failed, 3);
	CU_ASSERT_EQUAL(l->calls.closed, 4);
	CU_ASSERT_EQUAL(l->failed[REASON_DATAPLANE_RESTART], 3);
	CU_ASSERT_EQUAL(clusters[1].failed, 3);
	CU_ASSERT_EQUAL(policies[1].failed[REASON_DATAPLANE_RESTART], 3);
	CU_ASSERT_EQUAL(policies[1].rejected[REASON_DATAPLANE_RESTART], 0);
}

/* Worker 1 carries on two calls of listener 3 (one with its verdict), cluster 2, endpoint 1. */
static void what_goes_on_is_not_booked(void)
{
	const struct call_counters before = {
		.started = 10, .succeeded = 5, .failed = 1, .opened = 9, .closed = 2};
	struct conn c = {.listener = 3, .cluster = 2, .endpoint = 1};

	reset();
	listeners[1 * SLOTS + 3].calls = before;
	clusters[1 * SLOTS + 2] = endpoints[1 * SLOTS + 1] = before;
	residue_count(&alive[1], &c);
	c.call.marks = CALL_STARTED;
	c.call.held = CALL_ATTEMPT;
	residue_count(&alive[1], &c);
	book();
	book();
	CU_ASSERT_EQUAL(listeners[1 * SLOTS + 3].calls.failed, 4);
	CU_ASSERT_EQUAL(listeners[1 * SLOTS + 3].calls.closed, 7);
	CU_ASSERT_EQUAL(clusters[1 * SLOTS + 2].failed, 4);
	CU_ASSERT_EQUAL(clusters[1 * SLOTS + 2].closed, 7);
	CU_ASSERT_EQUAL(endpoints[1 * SLOTS + 1].failed, 4);
	CU_ASSERT_EQUAL(endpoints[1 * SLOTS + 1].closed, 7);
	CU_ASSERT_EQUAL(listeners[1 * SLOTS + 3].calls.started, 10);
}

/* Killed between the entry and its counter, either way round. */
static void a_counter_that_came_too_late_is_made_up_for(void)
{
	struct listener_counters *l = &listeners[0];
	struct conn c = {.call = {.marks = CALL_STARTED}};

	reset();
	l->calls = (struct call_counters){.started = 7, .succeeded = 7, .opened = 7, .closed = 7};
	residue_count(&alive[0], &c);
	book();
	CU_ASSERT_EQUAL(l->calls.started, 8);
	CU_ASSERT_EQUAL(l->calls.opened, 8);
	CU_ASSERT_EQUAL(l->calls.failed, 0);
	CU_ASSERT_EQUAL(l->calls.closed, 7);
}

static void a_clean_stop_leaves_nothing_to_book(void)
{
	struct packet_counters *p = &workers[1].packets;

	reset();
	p->received = 5;
	p->transmitted = 5;
	listeners[0].calls.started = listeners[0].calls.succeeded = 3;
	book();
	CU_ASSERT_EQUAL(p->dropped[REASON_DATAPLANE_RESTART], 0);
	CU_ASSERT_EQUAL(listeners[0].calls.failed, 0);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("residue", NULL, NULL);

	CU_ADD_TEST(s, packets_of_a_burst_are_booked_once);
	CU_ADD_TEST(s, packets_in_rings_are_booked);
	CU_ADD_TEST(s, frames_that_only_their_interface_counted_are_booked);
	CU_ADD_TEST(s, calls_without_a_verdict_failed);
	CU_ADD_TEST(s, verdicts_without_a_reason_get_one);
	CU_ADD_TEST(s, waiting_calls_failed_too);
	CU_ADD_TEST(s, what_goes_on_is_not_booked);
	CU_ADD_TEST(s, a_counter_that_came_too_late_is_made_up_for);
	CU_ADD_TEST(s, a_clean_stop_leaves_nothing_to_book);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	for (uint32_t i = 0; i < WORKERS; i++)
		residue_destroy(&alive[i]);
	return failed != 0;
}
