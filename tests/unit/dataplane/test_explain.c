/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation changes nothing, and says what call_start() says. */
#include "dataplane/explain/explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "dataplane/explain/scratch.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

#define MAGLEV                                                                           \
	"  - name: web\n    load_balancing: {algorithm: maglev, hash_on: [source_ip]}\n" \
	"    bulkhead: {max_concurrent: 1, max_queue: 1, queue_timeout: 1s}\n"

static struct image_header *image;
static struct region region;

static void setup(void)
{
	image = fixture_compile_with("  - name: web\n", MAGLEV);
	fixture_region(&region, image);
}

static void teardown(void)
{
	region_close(&region);
	free(image);
}

static struct explain_question question(uint32_t client)
{
	return (struct explain_question){
		.image = image,
		.region = &region,
		.now_ns = 5000000000,
		.client = image_ip_v4(htonl(0x0a000100 + client)),
		.destination = image_ip_v4(inet_addr("10.0.0.1")),
		.client_port = htons(4000),
		.destination_port = htons(80),
		.proto = PROTO_TCP,
		.family = FAMILY_V4,
		.cluster = EXPLAIN_NONE,
	};
}

static void asking_changes_nothing(void)
{
	struct explain_question q;
	uint8_t *before;
	struct explanation e;

	setup();
	q = question(1);
	before = malloc(region.bytes);
	memcpy(before, region.header, region.bytes);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
		CU_ASSERT_EQUAL(e.next, EXPLAIN_SEND);
	}
	CU_ASSERT_EQUAL(memcmp(before, region.header, region.bytes), 0);
	free(before);
	teardown();
}

static void the_chosen_one_is_the_first_that_may_be(void)
{
	uint32_t seen = 0;

	setup();
	for (uint32_t i = 0; i < 100; i++) {
		const struct explain_question q = question(i);
		struct explanation e;

		CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
		CU_ASSERT(e.sure && e.hashed);
		CU_ASSERT_EQUAL(e.candidate_count, 2);
		CU_ASSERT_EQUAL(e.endpoint, e.candidate[0].endpoint);
		CU_ASSERT_NOT_EQUAL(e.candidate[0].endpoint, e.candidate[1].endpoint);
		CU_ASSERT(e.worker < 2);
		seen |= 1u << e.endpoint;
	}
	CU_ASSERT_EQUAL(__builtin_popcount(seen), 2);
	teardown();
}

static struct endpoint_state *state_of(uint32_t endpoint)
{
	struct scratch s;
	struct endpoint_state *state;

	CU_ASSERT_EQUAL_FATAL(scratch_create(&s, image, &region, 1), 0);
	state = &region.endpoint_state[s.view.endpoint_slot[endpoint]];
	scratch_free(&s);
	return state;
}

static void a_drained_one_is_passed_over(void)
{
	struct explain_question q;
	struct explanation e;
	uint32_t first;

	setup();
	q = question(1);
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	first = e.endpoint;
	state_of(first)->admin = admin_pack((struct admin_word){.drained = 1});
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT_EQUAL(e.candidate[0].endpoint, first);
	CU_ASSERT_EQUAL(e.candidate[0].objections, EXPLAIN_DRAINED);
	CU_ASSERT_EQUAL(e.endpoint, e.candidate[1].endpoint);
	CU_ASSERT_EQUAL(e.usable, 1);
	state_of(e.endpoint)->admin = admin_pack((struct admin_word){.override = OVERRIDE_OPEN});
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT_EQUAL(e.next, EXPLAIN_REJECT);
	CU_ASSERT_EQUAL(e.reason, REASON_NO_ENDPOINT);
	teardown();
}

static void permits_and_the_queue_count(void)
{
	struct explain_question q;
	struct explanation e;
	struct scratch s;
	struct bulkhead_state *state;

	setup();
	q = question(1);
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT_EQUAL_FATAL(scratch_create(&s, image, &region, 1), 0);
	state = &region.cluster_state[s.view.cluster_slot[e.cluster]].bulkhead;
	scratch_free(&s);
	state->word = 1ull << 32;
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT_EQUAL(e.next, EXPLAIN_WAIT);
	CU_ASSERT_EQUAL(e.wait_ns, 1000000000);
	state->word = 1ull << 32 | 1;
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT_EQUAL(e.next, EXPLAIN_REJECT);
	CU_ASSERT_EQUAL(e.reason, REASON_QUEUE_FULL);
	teardown();
}

static void what_has_no_listener_is_not_decided(void)
{
	struct explain_question q;
	struct explanation e;

	setup();
	q = question(1);
	q.destination_port = htons(81);
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT_EQUAL(e.next, EXPLAIN_NOTHING);
	CU_ASSERT(e.ours && !e.snat_port);
	q.destination_port = htons(40000);
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT(e.ours && e.snat_port);
	q.destination = image_ip_v4(inet_addr("10.0.0.99"));
	CU_ASSERT_EQUAL_FATAL(explain(&q, &e), 0);
	CU_ASSERT(!e.ours);
	teardown();
}

static void a_name_without_a_slot_is_an_error(void)
{
	struct explain_question q;
	struct explanation e;

	setup();
	q = question(1);
	memset(region.endpoint_registry, 0,
	       region.shape.endpoint_slots * sizeof(*region.endpoint_registry));
	CU_ASSERT_EQUAL(explain(&q, &e), -ENOENT);
	teardown();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(asking_changes_nothing),
	SUITE_TEST(the_chosen_one_is_the_first_that_may_be),
	SUITE_TEST(a_drained_one_is_passed_over),
	SUITE_TEST(permits_and_the_queue_count),
	SUITE_TEST(what_has_no_listener_is_not_decided),
	SUITE_TEST(a_name_without_a_slot_is_an_error),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("explain", tests);
}
