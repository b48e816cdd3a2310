/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/registry_copy.h"

#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static struct region region;
static struct registry_copy *copy;

static void begin(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	uint64_t generation;

	fixture_region(&region, image);
	CU_ASSERT_EQUAL_FATAL(publish(&region, image, 0, &generation), 0);
	copy = registry_copy_create(&region);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	free(image);
}

static void end(void)
{
	registry_copy_free(copy);
	region_close(&region);
}

static void what_nobody_touched_stays(void)
{
	begin();
	CU_ASSERT_EQUAL(registry_copy_put_back(copy), 0);
	end();
}

static void damaged_names_are_put_back(void)
{
	struct registry_entry *last;

	begin();
	last = &region.endpoint_registry[region.shape.endpoint_slots - 1];
	region.cluster_registry[0].name[3] ^= 1;
	memset(last, 0xff, sizeof(*last));
	for (uint32_t i = 0; i < region.shape.listener_slots; i++)
		region.listener_registry[i].key = i + 2;
	CU_ASSERT_TRUE(registry_copy_put_back(copy) > region.shape.listener_slots / 2);
	CU_ASSERT_EQUAL(registry_copy_put_back(copy), 0);
	CU_ASSERT_EQUAL(last->key, REGISTRY_FREE);
	end();
}

static void what_was_taken_is_what_is_put_back(void)
{
	begin();
	region.cluster_registry[0].generation = 7;
	registry_copy_take(copy);
	CU_ASSERT_EQUAL(registry_copy_put_back(copy), 0);
	region.cluster_registry[0].generation = 8;
	CU_ASSERT_EQUAL(registry_copy_put_back(copy), 1);
	CU_ASSERT_EQUAL(region.cluster_registry[0].generation, 7);
	end();
}

static void another_writer_is_left_alone(void)
{
	begin();
	region.header->writer_epoch++;
	region.cluster_registry[0].generation = 7;
	CU_ASSERT_EQUAL(registry_copy_put_back(copy), 0);
	CU_ASSERT_EQUAL(region.cluster_registry[0].generation, 7);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(what_nobody_touched_stays),
	SUITE_TEST(damaged_names_are_put_back),
	SUITE_TEST(what_was_taken_is_what_is_put_back),
	SUITE_TEST(another_writer_is_left_alone),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("registry_copy", tests);
}
