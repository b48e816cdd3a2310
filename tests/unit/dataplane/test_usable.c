/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/usable.h"
#include "tests/unit/dataplane/breaker_bench.h"
#include "tests/unit/dataplane/suite.h"

#define NOW (1000 * SECOND)

enum { CLOSED, OPEN, ELAPSED, SLOT_FREE, SLOTS_TAKEN };

static uint64_t word_of(int breaker)
{
	struct breaker_word w = {.epoch = 1, .until_ms = state_ms(NOW) + 1000};

	if (breaker == CLOSED)
		return 0;
	w.phase = breaker <= ELAPSED ? BREAKER_OPEN : BREAKER_HALF_OPEN;
	if (breaker == ELAPSED)
		w.until_ms = state_ms(NOW);
	w.active = breaker == SLOT_FREE ? 2 : 3;
	return breaker_pack(w);
}

struct row {
	uint8_t health, override, drained;
	uint8_t check; /* mode of the health check; MODE_OFF: none */
	uint8_t initial_unhealthy;
	uint8_t outlier; /* mode */
	uint8_t breaker;
	enum usability want;
};

static void usability_by_row(void)
{
	static const struct row rows[] = {
		/* nothing known, nothing asked for */
		{0, 0, 0, MODE_OFF, 0, MODE_OFF, CLOSED, USABLE},
		/* health */
		{HEALTH_HEALTHY, 0, 0, MODE_ENFORCE, 0, MODE_OFF, CLOSED, USABLE},
		{HEALTH_UNKNOWN, 0, 0, MODE_ENFORCE, 0, MODE_OFF, CLOSED, USABLE},
		{HEALTH_UNHEALTHY, 0, 0, MODE_ENFORCE, 0, MODE_OFF, CLOSED, UNUSABLE},
		{HEALTH_HEALTHY, 0, 0, MODE_ENFORCE, 1, MODE_OFF, CLOSED, USABLE},
		{HEALTH_UNKNOWN, 0, 0, MODE_ENFORCE, 1, MODE_OFF, CLOSED, UNUSABLE},
		{HEALTH_UNHEALTHY, 0, 0, MODE_OBSERVE, 0, MODE_OFF, CLOSED, USABLE},
		{HEALTH_UNKNOWN, 0, 0, MODE_OBSERVE, 1, MODE_OFF, CLOSED, USABLE},
		{HEALTH_UNHEALTHY, 0, 0, MODE_OFF, 1, MODE_OFF, CLOSED, USABLE},
		{77, 0, 0, MODE_ENFORCE, 1, MODE_OFF, CLOSED, USABLE},
		/* the breaker */
		{0, 0, 0, MODE_OFF, 0, MODE_ENFORCE, CLOSED, USABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_ENFORCE, OPEN, UNUSABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_ENFORCE, ELAPSED, USABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_ENFORCE, SLOT_FREE, USABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_ENFORCE, SLOTS_TAKEN, UNUSABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_OBSERVE, OPEN, USABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_OBSERVE, SLOTS_TAKEN, USABLE},
		{0, 0, 0, MODE_OFF, 0, MODE_OFF, OPEN, USABLE},
		/* operators */
		{0, 0, 1, MODE_OFF, 0, MODE_OFF, CLOSED, NEVER_USABLE},
		{HEALTH_HEALTHY, OVERRIDE_CLOSED, 1, MODE_ENFORCE, 0, MODE_ENFORCE, CLOSED,
		 NEVER_USABLE},
		{HEALTH_UNHEALTHY, 0, 1, MODE_ENFORCE, 0, MODE_ENFORCE, OPEN, NEVER_USABLE},
		{HEALTH_HEALTHY, OVERRIDE_OPEN, 0, MODE_ENFORCE, 0, MODE_ENFORCE, CLOSED,
		 NEVER_USABLE},
		{0, OVERRIDE_OPEN, 0, MODE_OFF, 0, MODE_OBSERVE, CLOSED, NEVER_USABLE},
		{0, OVERRIDE_OPEN, 0, MODE_OFF, 0, MODE_OFF, CLOSED, NEVER_USABLE},
		{HEALTH_HEALTHY, OVERRIDE_CLOSED, 0, MODE_ENFORCE, 0, MODE_ENFORCE, OPEN, USABLE},
		{HEALTH_HEALTHY, OVERRIDE_CLOSED, 0, MODE_ENFORCE, 0, MODE_ENFORCE, SLOTS_TAKEN,
		 USABLE},
		{HEALTH_UNHEALTHY, OVERRIDE_CLOSED, 0, MODE_ENFORCE, 0, MODE_ENFORCE, OPEN,
		 UNUSABLE},
		/* both */
		{HEALTH_UNHEALTHY, 0, 0, MODE_ENFORCE, 0, MODE_ENFORCE, CLOSED, UNUSABLE},
		{HEALTH_HEALTHY, 0, 0, MODE_ENFORCE, 0, MODE_ENFORCE, OPEN, UNUSABLE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct image_cluster c = {.outlier.breaker = bench_rules()};
		struct endpoint_state s = {.breaker = word_of(r->breaker)}, before;

		s.admin = admin_pack((struct admin_word){
			.health = r->health, .override = r->override, .drained = r->drained});
		before = s;
		c.health.type = r->check == MODE_OFF ? HEALTH_NONE : HEALTH_TCP;
		c.health.mode = r->check;
		c.health.initial_unhealthy = r->initial_unhealthy;
		c.outlier.breaker.mode = r->outlier;
		CU_ASSERT_EQUAL(endpoint_usability(&s, &c, NOW), r->want);
		CU_ASSERT_EQUAL(memcmp(&before, &s, sizeof(s)), 0);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {SUITE_TEST(usability_by_row), CU_TEST_INFO_NULL};

	return suite_run("usable", tests);
}
