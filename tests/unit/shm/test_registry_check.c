/* SPDX-License-Identifier: Apache-2.0 */
/* Names that something has written over are told from those that were published. */
#include "shm/registry_check.h"

#include <string.h>

#include "shm/names.h"
#include "shm/publish.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

static struct region region;

static void start(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 1);
	uint64_t generation;

	small_region(&region, "names");
	publisher_begin(&region);
	CU_ASSERT_EQUAL(publish_has_names(&region, &s->header), 0);
	CU_ASSERT_EQUAL_FATAL(publish(&region, &s->header, 0, &generation), 0);
	CU_ASSERT_EQUAL(publish_has_names(&region, &s->header), 1);
	free(s);
}

static struct registry_entry *first_live(void)
{
	struct registry_entry *e = region.listener_registry;

	while (e->key <= REGISTRY_REMOVED)
		e++;
	return e;
}

static void what_was_published_is_sound(void)
{
	start();
	CU_ASSERT_PTR_NULL(region_damaged_names(&region));
	region_close(&region);
	small_region(&region, "names");
	CU_ASSERT_PTR_NULL(region_damaged_names(&region));
	region_close(&region);
}

static void damage_text(void)
{
	first_live()->name[0] ^= 1;
}

static void damage_end(void)
{
	memset(first_live()->name, 'x', sizeof(first_live()->name));
}

static void damage_key(void)
{
	first_live()->key ^= 4;
}

static void fill(void)
{
	for (uint32_t slot = 0; slot < region.shape.listener_slots; slot++) {
		region.listener_registry[slot].key = REGISTRY_REMOVED;
		region.listener_registry[slot].generation = 9;
	}
}

/* A name twice: only the first is ever found. */
static void repeat(void)
{
	const uint32_t slots = region.shape.listener_slots;
	const uint32_t slot = (uint32_t)(first_live() - region.listener_registry);
	uint32_t to = (slot + 1) % slots;

	while (region.listener_registry[to].key > REGISTRY_REMOVED)
		to = (to + 1) % slots;
	region.listener_registry[to] = region.listener_registry[slot];
}

static void every_damage_is_seen(void)
{
	static void (*const rows[])(void) = {damage_text, damage_end, damage_key, fill, repeat};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *names;

		start();
		rows[i]();
		names = region_damaged_names(&region);
		CU_ASSERT_PTR_NOT_NULL_FATAL(names);
		CU_ASSERT_STRING_EQUAL(names, "names of listeners");
		region_close(&region);
	}
}

static void names_that_are_gone_are_missed(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 1);
	void (*const rows[])(void) = {damage_text, damage_key, fill};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start();
		rows[i]();
		CU_ASSERT_EQUAL(publish_has_names(&region, &s->header), 0);
		region_close(&region);
	}
	free(s);
}

static const struct test tests[] = {
	TEST(what_was_published_is_sound),
	TEST(every_damage_is_seen),
	TEST(names_that_are_gone_are_missed),
};

int main(void)
{
	return suite_run("registry_check", tests, sizeof(tests) / sizeof(tests[0]));
}
