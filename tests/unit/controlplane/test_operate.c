/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/operate.h"

#include <errno.h>

#include "shm/registry.h"
#include "shm/names.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static struct region region;
static struct image_header *image;
static char why[320];

static struct cluster_state *cluster(const char *name)
{
	return &region.cluster_state[registry_find(region.cluster_registry,
						   region.shape.cluster_slots, name_key(name))];
}

static struct endpoint_state *endpoint(const char *cluster, const char *name)
{
	return &region.endpoint_state[registry_find(region.endpoint_registry,
						    region.shape.endpoint_slots,
						    endpoint_key(cluster, name))];
}

static int run(const char *path)
{
	struct operate_target target;
	enum operation operation;
	char copy[256];
	int rc;

	snprintf(copy, sizeof(copy), "%s", path);
	rc = operate_parse(copy, &target, &operation);
	return rc ? rc : operate(&region, image, &target, operation, why, sizeof(why));
}

static void paths_name_a_target_and_an_operation(void)
{
	static const struct {
		const char *path;
		int rc;
	} rows[] = {
		{"/breakers/web/open", 0},
		{"/breakers/web/close", 0},
		{"/breakers/web/reset", 0},
		{"/endpoints/web/10.1.0.11:80/drain", 0},
		{"/endpoints/web/10.1.0.11:80/undrain", 0},
		{"/endpoints/web/10.1.0.11:80/open", 0},
		{"/endpoints/web/10.1.0.11:80/reset", 0},
		{"/breakers/web/drain", -EINVAL},
		{"/breakers/web/shut", -EINVAL},
		{"/breakers/web", -EINVAL},
		{"/breakers//open", -EINVAL},
		{"/breakers/", -EINVAL},
		{"/endpoints/web/drain", -EINVAL},
		{"/endpoints/web//drain", -EINVAL},
		{"/endpoints//10.1.0.11:80/drain", -EINVAL},
		{"/endpoints/a/b/c/drain", -EINVAL},
		{"/breakers/weg/open", -ENOENT},
		{"/endpoints/web/10.1.0.13:80/drain", -ENOENT},
		{"/endpoints/dns/10.1.0.11:80/drain", -ENOENT},
		{"", -EINVAL},
		{"open", -EINVAL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(run(rows[i].path), rows[i].rc);
		if (run(rows[i].path) != rows[i].rc)
			fprintf(stderr, "row %zu: %s\n", i, rows[i].path);
	}
}

static void a_misspelt_name_gets_a_hint(void)
{
	CU_ASSERT_EQUAL(run("/breakers/wep/open"), -ENOENT);
	CU_ASSERT_STRING_EQUAL(why, "there is no cluster wep: `fender breakers` lists them; "
				    "did you mean web?");
}

static void overrides_and_drains_touch_nothing_else(void)
{
	struct endpoint_state *e = endpoint("web", "10.1.0.11:80");
	struct admin_word a = {.health = HEALTH_UNHEALTHY, .why = 3, .since_ms = 77};

	e->admin = admin_pack(a);
	CU_ASSERT_EQUAL(run("/endpoints/web/10.1.0.11:80/drain"), 0);
	CU_ASSERT_EQUAL(run("/endpoints/web/10.1.0.11:80/open"), 0);
	a.drained = 1;
	a.override = OVERRIDE_OPEN;
	CU_ASSERT_EQUAL(e->admin, admin_pack(a));
	CU_ASSERT_EQUAL(run("/endpoints/web/10.1.0.11:80/undrain"), 0);
	CU_ASSERT_EQUAL(run("/endpoints/web/10.1.0.11:80/reset"), 0);
	a.drained = 0;
	a.override = OVERRIDE_NONE;
	CU_ASSERT_EQUAL(e->admin, admin_pack(a));
	CU_ASSERT_EQUAL(endpoint("web", "10.1.0.12:80")->admin, 0);
	CU_ASSERT_EQUAL(cluster("web")->admin, 0);
}

static void a_reset_closes_the_breaker_in_another_epoch(void)
{
	const struct breaker_word open = {.phase = BREAKER_OPEN, .epoch = 0xffff, .trips = 3};
	struct endpoint_state *e = endpoint("web", "10.1.0.12:80");
	struct breaker_word now;

	e->breaker = breaker_pack(open);
	cluster("web")->ejected = 1;
	cluster("web")->breaker = breaker_pack(open);
	CU_ASSERT_EQUAL(run("/endpoints/web/10.1.0.12:80/reset"), 0);
	now = breaker_unpack(e->breaker);
	CU_ASSERT_EQUAL(now.phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(now.epoch, 1);
	CU_ASSERT_EQUAL(now.trips, 0);
	CU_ASSERT_EQUAL(cluster("web")->ejected, 0);
	/* One that is closed gives nothing back. */
	cluster("web")->ejected = 1;
	CU_ASSERT_EQUAL(run("/endpoints/web/10.1.0.12:80/reset"), 0);
	CU_ASSERT_EQUAL(cluster("web")->ejected, 1);
	cluster("web")->ejected = 0;
	CU_ASSERT_EQUAL(run("/breakers/web/reset"), 0);
	CU_ASSERT_EQUAL(breaker_unpack(cluster("web")->breaker).phase, BREAKER_CLOSED);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(paths_name_a_target_and_an_operation),
		SUITE_TEST(a_misspelt_name_gets_a_hint),
		SUITE_TEST(overrides_and_drains_touch_nothing_else),
		SUITE_TEST(a_reset_closes_the_breaker_in_another_epoch),
		CU_TEST_INFO_NULL,
	};
	int rc;

	image = fixture_compile(FIXTURE_POLICY);
	fixture_region(&region, image);
	rc = suite_run("operate", tests);
	region_close(&region);
	free(image);
	return rc;
}
