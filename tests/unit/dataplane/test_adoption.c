/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/adoption.h"

#include "dataplane/policy/budget.h"
#include "dataplane/policy/rebuild.h"

#include <string.h>

#include "tests/unit/dataplane/suite.h"

enum { CLUSTERS = 2, ENDPOINTS = 4, NOW = 77 };

/* Two clusters; names keep their slots, which are other numbers than their positions. */
struct policy {
	struct image_header image;
	struct image_cluster clusters[CLUSTERS];
	struct image_endpoint endpoints[ENDPOINTS];
	uint16_t cluster_slot[CLUSTERS], endpoint_slot[ENDPOINTS];
	uint16_t cluster_at[8], endpoint_at[8];
	struct policy_view view;
};

static struct cluster_state clusters[8];
static struct endpoint_state endpoints[8];
static const struct policy_state state = {
	.clusters = clusters, .endpoints = endpoints, .cluster_slots = 8, .endpoint_slots = 8};

static void bind(struct policy *p)
{
	memset(p->cluster_at, 0xff, sizeof(p->cluster_at));
	memset(p->endpoint_at, 0xff, sizeof(p->endpoint_at));
	for (uint32_t i = 0; i < p->image.clusters.count; i++)
		p->cluster_at[p->cluster_slot[i]] = (uint16_t)i;
	for (uint32_t i = 0; i < p->image.endpoints.count; i++)
		p->endpoint_at[p->endpoint_slot[i]] = (uint16_t)i;
	p->view = (struct policy_view){
		.image = &p->image,
		.clusters = p->clusters,
		.endpoints = p->endpoints,
		.cluster_slot = p->cluster_slot,
		.endpoint_slot = p->endpoint_slot,
		.cluster_at = p->cluster_at,
		.endpoint_at = p->endpoint_at,
	};
}

/* @first endpoints for cluster 0 (slots 5, 6, 7), the rest (slot 2) for cluster 1. */
static void make(struct policy *p, uint32_t count, uint32_t first, uint32_t rest)
{
	memset(p, 0, sizeof(*p));
	p->image.clusters.count = count;
	p->image.endpoints.count = first + rest;
	p->clusters[0].endpoint_count = first;
	p->clusters[1].first_endpoint = first;
	p->clusters[1].endpoint_count = rest;
	p->cluster_slot[0] = 4;
	p->cluster_slot[1] = 1;
	for (uint32_t i = 0; i < first; i++)
		p->endpoint_slot[i] = (uint16_t)(5 + i);
	p->endpoint_slot[first] = 2;
	bind(p);
}

static void set_modes(struct policy *p, uint8_t mode)
{
	for (uint32_t i = 0; i < CLUSTERS; i++) {
		p->clusters[i].breaker.mode = mode;
		p->clusters[i].outlier.breaker.mode = mode;
	}
}

static uint64_t word(enum breaker_phase phase, uint16_t epoch)
{
	return breaker_pack((struct breaker_word){
		.phase = (uint8_t)phase, .epoch = epoch, .until_ms = 9, .trips = 2});
}

static void reset(void)
{
	memset(clusters, 0, sizeof(clusters));
	memset(endpoints, 0, sizeof(endpoints));
}

static void endpoints_that_join_a_known_cluster_start_slowly(void)
{
	struct policy before, after;

	reset();
	make(&before, 1, 2, 0);
	make(&after, 2, 3, 1);
	adoption_begin(&before.view, NULL, &state, NOW);
	for (int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(endpoints[i].ramp_ns, 0);
	adoption_begin(&after.view, &before.view, &state, NOW);
	CU_ASSERT_EQUAL(endpoints[5].ramp_ns, 0);
	CU_ASSERT_EQUAL(endpoints[6].ramp_ns, 0);
	CU_ASSERT_EQUAL(endpoints[7].ramp_ns, NOW); /* joined */
	CU_ASSERT_EQUAL(endpoints[2].ramp_ns, 0);   /* of a new cluster: nobody to spare it */
}

static void changed_mode_starts_clean(void)
{
	static const struct {
		uint8_t from, to;
		int clean;
	} rows[] = {
		{MODE_OBSERVE, MODE_ENFORCE, 1}, {MODE_OFF, MODE_ENFORCE, 1},
		{MODE_OFF, MODE_OBSERVE, 1},     {MODE_ENFORCE, MODE_OFF, 1},
		{MODE_OBSERVE, MODE_OFF, 1},     {MODE_ENFORCE, MODE_OBSERVE, 0},
		{MODE_ENFORCE, MODE_ENFORCE, 0}, {MODE_OBSERVE, MODE_OBSERVE, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy p;
		struct breaker_word b;

		reset();
		make(&p, 2, 2, 1);
		set_modes(&p, rows[i].from);
		adoption_begin(&p.view, NULL, &state, NOW);
		clusters[4].breaker = word(BREAKER_OPEN, 11);
		endpoints[6].breaker = word(BREAKER_HALF_OPEN, 12);
		clusters[4].ejected = 1;
		set_modes(&p, rows[i].to);
		adoption_begin(&p.view, &p.view, &state, NOW);
		b = breaker_unpack(clusters[4].breaker);
		CU_ASSERT_EQUAL(b.phase, rows[i].clean ? BREAKER_CLOSED : BREAKER_OPEN);
		CU_ASSERT_EQUAL(b.epoch == 11, !rows[i].clean);
		b = breaker_unpack(endpoints[6].breaker);
		CU_ASSERT_EQUAL(b.phase, rows[i].clean ? BREAKER_CLOSED : BREAKER_HALF_OPEN);
		CU_ASSERT_EQUAL(b.epoch == 12, !rows[i].clean);
		CU_ASSERT_EQUAL(clusters[4].ejected, !rows[i].clean);
	}
}

static void budget_starts_anew_when_its_block_is_enforced(void)
{
	static const struct {
		uint8_t from, to;
		uint64_t retries;
	} rows[] = {
		{MODE_OBSERVE, MODE_ENFORCE, 0},
		{MODE_OFF, MODE_ENFORCE, 0},
		{MODE_ENFORCE, MODE_ENFORCE, 2},
		{MODE_ENFORCE, MODE_OBSERVE, 2},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct budget_state *b = &clusters[4].budget;
		struct image_retry *rules;
		struct budget_view seen;
		struct policy p;

		reset();
		make(&p, 1, 1, 0);
		rules = &p.clusters[0].retry;
		*rules = (struct image_retry){.mode = rows[i].from, .window_ms = 10000};
		rules->minimum_per_second = 1;
		adoption_begin(&p.view, NULL, &state, NOW);
		CU_ASSERT_TRUE(budget_retry(b, rules, NOW) && budget_retry(b, rules, NOW));
		rules->mode = rows[i].to;
		adoption_begin(&p.view, &p.view, &state, NOW);
		budget_look(b, rules, NOW, &seen);
		CU_ASSERT_EQUAL(seen.retries, rows[i].retries);
		CU_ASSERT_TRUE(budget_retry(b, rules, NOW));
		budget_look(b, rules, NOW, &seen);
		CU_ASSERT_EQUAL(seen.retries, rows[i].retries + 1);
	}
}

/* What was observed before a restart is not enforced after it, what was enforced is kept. */
static void modes_are_remembered_over_a_restart(void)
{
	for (int before = MODE_ENFORCE; before <= MODE_OBSERVE; before++) {
		struct policy p;

		reset();
		make(&p, 1, 2, 0);
		set_modes(&p, (uint8_t)before);
		adoption_begin(&p.view, NULL, &state, NOW);
		clusters[4].breaker = word(BREAKER_OPEN, 3);
		endpoints[5].breaker = word(BREAKER_OPEN, 3);
		set_modes(&p, MODE_ENFORCE);
		adoption_begin(&p.view, NULL, &state, NOW);
		rebuild_ejected(&p.view, &state);
		CU_ASSERT_EQUAL(breaker_unpack(clusters[4].breaker).phase == BREAKER_OPEN,
				before == MODE_ENFORCE);
		CU_ASSERT_EQUAL(clusters[4].ejected, before == MODE_ENFORCE);
	}
}

static void ejected_endpoints_that_leave_are_counted_no_longer(void)
{
	struct policy before, after;
	uint64_t kept;

	reset();
	make(&before, 2, 3, 1);
	make(&after, 1, 1, 0);
	endpoints[5].breaker = kept = word(BREAKER_OPEN, UINT16_MAX);
	endpoints[6].breaker = word(BREAKER_HALF_OPEN, UINT16_MAX);
	endpoints[7].breaker = word(BREAKER_CLOSED, 8);
	endpoints[2].breaker = word(BREAKER_OPEN, 1);
	clusters[4].ejected = 2;
	clusters[1].ejected = 1;
	adoption_end(&after.view, &before.view, &state);
	CU_ASSERT_EQUAL(endpoints[5].breaker, kept);
	CU_ASSERT_EQUAL(breaker_unpack(endpoints[6].breaker).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(breaker_unpack(endpoints[6].breaker).epoch, 1); /* never 0 again */
	CU_ASSERT_EQUAL(breaker_unpack(endpoints[7].breaker).epoch, 8);
	CU_ASSERT_EQUAL(breaker_unpack(endpoints[2].breaker).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(clusters[4].ejected, 1);
	CU_ASSERT_EQUAL(clusters[1].ejected, 0);
	adoption_end(&after.view, &before.view, &state);
	CU_ASSERT_EQUAL(clusters[4].ejected, 1);
}

static void ejected_endpoint_that_left_unseen_comes_back_closed(void)
{
	struct policy before, after;

	reset();
	make(&before, 1, 1, 0);
	make(&after, 1, 2, 0);
	endpoints[6].breaker = word(BREAKER_OPEN, 5);
	adoption_begin(&after.view, &before.view, &state, NOW);
	CU_ASSERT_EQUAL(breaker_unpack(endpoints[6].breaker).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(clusters[4].ejected, 0);
}

static void table_of_other_members_is_stale(void)
{
	struct policy p;

	make(&p, 2, 2, 1);
	p.endpoints[0].key = 7;
	for (uint32_t i = 0; i < CLUSTERS; i++)
		p.clusters[i].members_hash = image_members_hash(
			&p.endpoints[p.clusters[i].first_endpoint], p.clusters[i].endpoint_count);
	CU_ASSERT_FALSE(adoption_table_is_stale(&p.view, 0));
	CU_ASSERT_FALSE(adoption_table_is_stale(&p.view, 1));
	p.endpoints[1].weight++;
	CU_ASSERT_TRUE(adoption_table_is_stale(&p.view, 0));
	CU_ASSERT_FALSE(adoption_table_is_stale(&p.view, 1));
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(endpoints_that_join_a_known_cluster_start_slowly),
		SUITE_TEST(changed_mode_starts_clean),
		SUITE_TEST(budget_starts_anew_when_its_block_is_enforced),
		SUITE_TEST(modes_are_remembered_over_a_restart),
		SUITE_TEST(ejected_endpoints_that_leave_are_counted_no_longer),
		SUITE_TEST(ejected_endpoint_that_left_unseen_comes_back_closed),
		SUITE_TEST(table_of_other_members_is_stale),
		CU_TEST_INFO_NULL,
	};

	return suite_run("adoption", tests);
}
