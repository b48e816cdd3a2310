/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The golden layout of everything that two programs share. A field that moves, grows or
 * disappears is a new REGION_ABI (golden_region.inc) or IMAGE_ABI (golden_image.inc): raise it,
 * then bring the rows and the number below up to date. The test prints the rows that differ.
 */
#include <stddef.h>
#include <string.h>

#include "shm/image.h"
#include "shm/publish.h"
#include "tests/unit/shm/suite.h"

enum { GOLDEN_REGION_ABI = 3, GOLDEN_IMAGE_ABI = 3 };

struct row {
	const char *name;
	const char *field; /* NULL: the struct itself */
	size_t off, bytes;
	size_t golden_off, golden_bytes;
};
#define S(name, bytes)                                        \
	{                                                     \
#name, NULL, 0, sizeof(struct name), 0, bytes \
	}
#define F(name, field, off, bytes)                                                              \
	{                                                                                       \
#name, #field, offsetof(struct name, field), sizeof(((struct name *)0)->field), \
			off, bytes                                                              \
	}

static const struct row region_rows[] = {
#include "tests/unit/shm/golden_region.inc"
};
static const struct row image_rows[] = {
#include "tests/unit/shm/golden_image.inc"
};

static void compare(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct row *r = &rows[i];

		if (r->off == r->golden_off && r->bytes == r->golden_bytes)
			continue;
		if (r->field)
			printf("now F(%s, %s, %zu, %zu),\n", r->name, r->field, r->off, r->bytes);
		else
			printf("now S(%s, %zu),\n", r->name, r->bytes);
		CU_FAIL("the layout changed: raise the ABI");
	}
	CU_PASS("the layout is the golden one");
}

static void the_region_is_that_of_its_abi(void)
{
	CU_ASSERT_EQUAL(REGION_ABI, GOLDEN_REGION_ABI);
	compare(region_rows, sizeof(region_rows) / sizeof(region_rows[0]));
}

static void the_image_is_that_of_its_abi(void)
{
	CU_ASSERT_EQUAL(IMAGE_ABI, GOLDEN_IMAGE_ABI);
	compare(image_rows, sizeof(image_rows) / sizeof(image_rows[0]));
}

/* Numbers that stand in shared memory. */
static void enumerators_keep_their_values(void)
{
	static const struct {
		uint64_t value, golden;
	} rows[] = {
		{REGION_MAGIC, 0x4745524e44464f46},
		{IMAGE_MAGIC, 0x504e4446},
		{SECTION_SLOTS, 1},
		{SECTION_REGISTRY_LISTENERS, 2},
		{SECTION_REGISTRY_CLUSTERS, 3},
		{SECTION_REGISTRY_ENDPOINTS, 4},
		{SECTION_WORKERS, 5},
		{SECTION_INTERFACE_COUNTERS, 6},
		{SECTION_LISTENER_COUNTERS, 7},
		{SECTION_CLUSTER_COUNTERS, 8},
		{SECTION_ENDPOINT_COUNTERS, 9},
		{SECTION_PORTS, 10},
		{SECTION_CONNECTIONS, 11},
		{SECTION_POLICY_COUNTERS, 12},
		{SECTION_LISTENER_STATE, 13},
		{SECTION_CLUSTER_STATE, 14},
		{SECTION_ENDPOINT_STATE, 15},
		{SECTION_SOURCES, 16},
		{SECTION_CLUSTER_OUTCOMES, 17},
		{SECTION_ENDPOINT_OUTCOMES, 18},
		{SECTION_EVENTS, 19},
		{SECTION_INTERFACES, 20},
		{SECTION_LIMIT_COUNTERS, 21},
		{SECTION_FLOW_LIMITS, 22},
		{SECTION_LIMIT_SOURCES, 23},
		{SECTION_HISTOGRAMS, 24},
		{SECTION_HISTOGRAM_BLOCKS, 25},
		{SECTION_KERNEL_NEIGHBOURS, 26},
		{SECTION_CAPTURE_CONTROL, 27},
		{SECTION_CAPTURE_RINGS, 28},
		{CAPTURE_TRANSMITTED, 3},
		{CAPTURE_REASON, 64},
		{HISTOGRAM_CONNECT, 0},
		{HISTOGRAM_FIRST_BYTE, 1},
		{HISTOGRAM_DURATION, 2},
		{HISTOGRAM_QUEUE_WAIT, 3},
		{HISTOGRAM_OCTAVES, 32},
		{HISTOGRAM_OCTAVE_BUCKETS, 16},
		{HISTOGRAM_SLOT_BLOCKS, 16},
		{KERNEL_NEIGHBOUR_NONE, 0},
		{KERNEL_NEIGHBOUR_KNOWN, 1},
		{KERNEL_NEIGHBOUR_GONE, 2},
		{KERNEL_NEIGHBOURS, 1024},
		{NEIGHBOUR_WISHES, 32},
		{CONN_REPLIED, 64},
		{CONN_ASKED, 1024},
		{WORKER_STOPPED, 0},
		{WORKER_RUNNING, 1},
		{WORKER_PARKED, 2},
		{NACK_NONE, 0},
		{NACK_IMAGE, 1},
		{NACK_RESTART, 2},
		{NACK_REGISTRY, 3},
		{NACK_RESOURCES, 4},
		{CONN_FREE, 0},
		{CONN_SYN_SENT, 1},
		{CONN_SYN_RCVD, 2},
		{CONN_ESTABLISHED, 3},
		{CONN_CLOSING, 4},
		{CONN_RESTING, 5},
		{CONN_WAITING, 6},
		{CONN_TOMBSTONE, 7},
		{CALL_LISTENER_PERMIT, 1},
		{CALL_CLUSTER_PERMIT, 2},
		{CALL_SOURCE_PERMIT, 4},
		{CALL_ENDPOINT_PERMIT, 8},
		{CALL_CLUSTER_PROBE, 16},
		{CALL_ENDPOINT_PROBE, 32},
		{CALL_RETRY_ON_WIRE, 64},
		{CALL_LISTENER_QUEUED, 128},
		{CALL_CLUSTER_QUEUED, 256},
		{CALL_ATTEMPT, 512},
		{CALL_NO_SLOT, 0xffff},
		{CALL_NO_CLUSTER_EPOCH, 1},
		{CALL_NO_ENDPOINT_EPOCH, 2},
		{CALL_STARTED, 4},
		{CALL_BUDGETED, 8},
		{CALL_WAS_PROBE, 16},
		{CALL_OPEN, 32},
		{BREAKER_CLOSED, 0},
		{BREAKER_OPEN, 1},
		{BREAKER_HALF_OPEN, 2},
		{HEALTH_UNKNOWN, 0},
		{HEALTH_HEALTHY, 1},
		{HEALTH_UNHEALTHY, 2},
		{OVERRIDE_NONE, 0},
		{OVERRIDE_OPEN, 1},
		{OVERRIDE_CLOSED, 2},
		{EVENT_BREAKER_OPENED, 1},
		{EVENT_BREAKER_HALF_OPEN, 2},
		{EVENT_BREAKER_CLOSED, 3},
		{EVENT_EJECTED, 4},
		{EVENT_PROBING, 5},
		{EVENT_READMITTED, 6},
		{EVENT_EJECTION_REFUSED, 7},
		{EVENT_PANIC_BEGAN, 8},
		{EVENT_PANIC_ENDED, 9},
		{EVENT_HEALTH_CHANGED, 10},
		{EVENT_STALE_TABLE, 11},
		{EVENT_ENDPOINTS_CHANGED, 12},
		{EVENT_POLICY_APPLIED, 13},
		{EVENT_POLICY_REFUSED, 14},
		{EVENT_POLICY_ROLLED_BACK, 15},
		{EVENT_DATAPLANE_READY, 16},
		{EVENT_DATAPLANE_DIED, 17},
		{EVENT_DATAPLANE_LOST, 18},
		{EVENT_DRAINING, 19},
		{SUBJECT_LISTENER, 1},
		{SUBJECT_CLUSTER, 2},
		{SUBJECT_ENDPOINT, 3},
		{FAMILY_V4, 4},
		{FAMILY_V6, 6},
		{PROTO_TCP, 6},
		{PROTO_UDP, 17},
		{DEVICE_AF_XDP, 1},
		{DEVICE_PCI, 2},
		{DEVICE_VDEV, 3},
		{IDLE_ADAPTIVE, 0},
		{IDLE_POLL, 1},
		{HUGEPAGES_AUTO, 0},
		{HUGEPAGES_NEVER, 1},
		{HUGEPAGES_ALWAYS, 2},
		{LB_ROUND_ROBIN, 0},
		{LB_MAGLEV, 1},
		{LB_RANDOM, 2},
		{LB_LEAST_REQUESTS, 3},
		{LB_PEAK_EWMA, 4},
		{LB_RING_HASH, 5},
		{LB_RENDEZVOUS, 6},
		{MODE_OFF, 0},
		{MODE_ENFORCE, 1},
		{MODE_OBSERVE, 2},
		{WINDOW_CALLS, 0},
		{WINDOW_DURATION, 1},
		{SCOPE_CLUSTER, 0},
		{SCOPE_SOURCE, 1},
		{RETRY_ON_CONNECT_FAILURE, 1},
		{RETRY_ON_CONNECT_TIMEOUT, 2},
		{JITTER_FULL, 0},
		{JITTER_NONE, 1},
		{HEALTH_NONE, 0},
		{HEALTH_TCP, 1},
		{HEALTH_HTTP, 2},
		{OUTLIER_SUCCESS_RATE, 1},
		{OUTLIER_LATENCY, 2},
		{SOURCE_LIST, 0},
		{SOURCE_FILE, 1},
		{SOURCE_DNS, 2},
		{LIMITER_AUTO, 0},
		{LIMITER_XDP, 1},
		{LIMITER_DPDK, 2},
		{LIMITER_NONE, 3},
		{IMAGE_LIMIT_NONE, 0},
		{IMAGE_LIMIT_TOKEN_BUCKET, 1},
		{IMAGE_LIMIT_LEAKY_BUCKET, 2},
		{IMAGE_LIMIT_FIXED_WINDOW, 3},
		{IMAGE_LIMIT_SLIDING_WINDOW, 4},
		{IMAGE_LIMIT_DROP, 0},
		{IMAGE_LIMIT_MARK, 1},
		{IMAGE_LIMIT_OBSERVE, 2},
		{IMAGE_LIMIT_TO_ENDPOINT, 1},
		{IMAGE_LIMIT_TO_CLIENT, 2},
		{ON_LOSS_DROP, 0},
		{ON_LOSS_PASS, 1},
		{ADDRESS_KERNEL, 1},
		{HASH_ON_SOURCE_IP, 1},
		{HASH_ON_SOURCE_PORT, 2},
		{REASON_SLOTS, 64},
		{POLICY_COUNTER_SLOTS, 40},
		{EVENT_RING, 1024},
		{WINDOW_BUCKETS, 10},
		{BUDGET_MARKS, 16},
		{LATENCY_BUCKETS, 60},
		{SOURCES_PER_LINE, 8},
		{SOURCE_LIMITS_PER_LINE, 4},
		{WORKER_LIMIT_SLOTS, 16},
		{WORKER_LIMIT_EVENT_SLOTS, 4},
		{POLICY_SLOTS, 3},
		{MAX_INTERFACES, 16},
		{NAME_BYTES, 64},
		{OWNER_BUCKETS, 64},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(rows[i].value, rows[i].golden);
}

/* A word of one writer shares no cache line with a word of another. */
static void writers_have_lines_of_their_own(void)
{
#define LINE(field) (offsetof(struct region_header, field) / 64)
	CU_ASSERT(LINE(pad0[5]) < LINE(active));
	CU_ASSERT(LINE(pad1[2]) < LINE(reading));
	CU_ASSERT(LINE(nack_text[191]) < LINE(sections));
#undef LINE
	CU_ASSERT_EQUAL(sizeof(struct worker_block) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct interface_counters) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct listener_counters) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct call_counters) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct conn) % 64, 0);
	CU_ASSERT_EQUAL(offsetof(struct conn, call) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct policy_counters) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct listener_state) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct cluster_state) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct endpoint_state) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct source_line) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct outcomes) % 64, 0);
	/* a worker has an even number of listeners' */
	CU_ASSERT_EQUAL(2 * sizeof(struct worker_limit_counters) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct flow_limit), 64);
	CU_ASSERT_EQUAL(sizeof(struct source_limit_line), 64);
	CU_ASSERT_EQUAL(offsetof(struct event_ring, entries) % 64, 0);
	CU_ASSERT_EQUAL(sizeof(struct event), 64);
}

static const struct test tests[] = {
	TEST(the_region_is_that_of_its_abi),
	TEST(the_image_is_that_of_its_abi),
	TEST(enumerators_keep_their_values),
	TEST(writers_have_lines_of_their_own),
};

int main(void)
{
	return suite_run("layout", tests, sizeof(tests) / sizeof(tests[0]));
}
