/* SPDX-License-Identifier: Apache-2.0 */
/* Policy changes against a dataplane that the test plays. */
#include "tests/unit/controlplane/reload_world.h"

static void a_change_is_applied_when_every_worker_decides_by_it(void)
{
	struct outcome out = {0};

	begin();
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	CU_ASSERT_EQUAL(out.count, 0);
	region.workers[0].applied_generation = 3;
	uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(out.count, 0);
	run_until(&out.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_APPLIED);
	CU_ASSERT_EQUAL(out.generation, 3);
	CU_ASSERT_EQUAL(weight(), 3);
	end();
}

static void what_changes_nothing_publishes_nothing(void)
{
	static const struct {
		const char *from;
		const char *to;
		enum reload_result result;
		const char *word;
	} rows[] = {
		{NULL, NULL, RELOAD_UNCHANGED, ""},
		{"weight: 2", "weight: 2000", RELOAD_INVALID, ":11:"},
		{"workers: 2", "workers: 3", RELOAD_NEEDS_RESTART, "sidecar.workers"},
		{"eth9", "eth8", RELOAD_NEEDS_RESTART, "interfaces[1].device"},
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome out = {0};

		write_policy(rows[i].from, rows[i].to);
		reloader_request(reloader, on_done, &out);
		CU_ASSERT_EQUAL(out.count, 1);
		CU_ASSERT_EQUAL(out.result, rows[i].result);
		CU_ASSERT_EQUAL(out.generation, 2);
		CU_ASSERT_PTR_NOT_NULL(strstr(out.detail, rows[i].word));
		CU_ASSERT_EQUAL(active(), 2);
		CU_ASSERT_EQUAL(weight(), 2);
	}
	end();
}

static void a_missing_file_changes_nothing(void)
{
	struct outcome out = {0};

	begin();
	unlink(policy_path);
	reloader_request(reloader, on_done, &out);
	CU_ASSERT_EQUAL(out.result, RELOAD_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.detail, policy_path));
	CU_ASSERT_EQUAL(active(), 2);
	end();
}

static void a_refused_policy_is_rolled_back_as_a_new_generation(void)
{
	struct outcome out = {0};
	uint64_t refused_generation;

	begin();
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	refused_generation = active();
	while (active() == refused_generation) {
		dataplane_turn(REFUSES);
		uv_run(&loop, UV_RUN_ONCE);
	}
	CU_ASSERT_EQUAL(out.count, 0);
	run_until(&out.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_REFUSED);
	CU_ASSERT_EQUAL(out.generation, 4);
	CU_ASSERT_STRING_EQUAL(out.detail, "the test refuses it");
	CU_ASSERT_EQUAL(active(), 4);
	CU_ASSERT_EQUAL(weight(), 2);
	CU_ASSERT_EQUAL(first_refused, 0);
	end();
}

static void two_deaths_while_adopting_blame_the_policy(void)
{
	struct outcome out = {0};

	begin();
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	reloader_dataplane_died(reloader);
	CU_ASSERT_EQUAL(active(), 3);
	reloader_dataplane_died(reloader);
	CU_ASSERT_EQUAL(active(), 4);
	run_until(&out.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_REFUSED);
	CU_ASSERT_EQUAL(weight(), 2);
	reloader_dataplane_died(reloader);
	reloader_dataplane_died(reloader);
	CU_ASSERT_EQUAL(active(), 4);
	end();
}

static void requests_wait_for_the_change_under_way(void)
{
	struct outcome first = {0}, second = {0}, third = {0};

	begin();
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &first);
	write_policy("weight: 2", "weight: 4");
	reloader_request(reloader, on_done, &second);
	reloader_request(reloader, on_done, &third);
	reloader_request_later(reloader, NULL, NULL);
	CU_ASSERT_EQUAL(second.count, 0);
	CU_ASSERT_EQUAL(active(), 3);
	run_until(&first.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(first.generation, 3);
	CU_ASSERT_EQUAL(active(), 4);
	run_until(&second.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(second.generation, 4);
	CU_ASSERT_EQUAL(third.count, 1);
	CU_ASSERT_EQUAL(third.generation, 4);
	CU_ASSERT_EQUAL(weight(), 4);
	end();
}

static void only_so_many_wait(void)
{
	struct outcome outs[RELOAD_ASKERS + 2] = {0};

	begin();
	write_policy("weight: 2", "weight: 3");
	for (int i = 0; i < RELOAD_ASKERS + 2; i++)
		reloader_request(reloader, on_done, &outs[i]);
	CU_ASSERT_EQUAL(outs[RELOAD_ASKERS].count, 0);
	CU_ASSERT_EQUAL(outs[RELOAD_ASKERS + 1].count, 1);
	CU_ASSERT_EQUAL(outs[RELOAD_ASKERS + 1].result, RELOAD_BUSY);
	end();
	for (int i = 0; i < RELOAD_ASKERS + 2; i++)
		CU_ASSERT_EQUAL(outs[i].count, 1);
}

static int staged;
static const char *stage_says;
static uint64_t staged_generation;

static int on_stage(void *ctx, const struct image_header *image, uint64_t generation, char *why,
		    size_t why_size)
{
	const struct image_listener *l = IMAGE_ARRAY(image, struct image_listener, listeners);

	staged++;
	staged_generation = generation;
	for (uint32_t i = 0; i < image->listeners.count; i++)
		CU_ASSERT_NOT_EQUAL(registry_find(region.listener_registry,
						  region.shape.listener_slots, l[i].key),
				    REGISTRY_NONE);
	if (!stage_says)
		return 0;
	snprintf(why, why_size, "%s", stage_says);
	return -EBUSY;
}

static int on_stage_of_an_old_writer(void *ctx, const struct image_header *image,
				     uint64_t generation, char *why, size_t why_size)
{
	if (staged == 0 && generation > 2)
		__atomic_add_fetch(&region.header->writer_epoch, 1, __ATOMIC_SEQ_CST);
	return on_stage(ctx, image, generation, why, why_size);
}

static void what_cannot_be_staged_is_not_published(void)
{
	struct outcome out = {0};

	stage = on_stage;
	staged = 0;
	begin();
	CU_ASSERT_EQUAL(staged, 1);
	stage_says = "the test has no maps";
	write_policy("name: web, bind", "name: web2, bind");
	reloader_request(reloader, on_done, &out);
	CU_ASSERT_EQUAL(out.count, 1);
	CU_ASSERT_EQUAL(out.result, RELOAD_FAILED);
	CU_ASSERT_STRING_EQUAL(out.detail, "the test has no maps");
	CU_ASSERT_EQUAL(active(), 2);
	stage_says = NULL;
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 2, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_APPLIED);
	CU_ASSERT_EQUAL(staged_generation, 3);
	end();
	stage = NULL;
}

/* Another writer took over between the two: the maps return with the policy. */
static void a_swap_that_fails_is_unstaged(void)
{
	struct outcome out = {0};

	stage = on_stage_of_an_old_writer;
	begin();
	staged = 0;
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	CU_ASSERT_EQUAL(out.result, RELOAD_FAILED);
	CU_ASSERT_EQUAL(staged, 2);
	CU_ASSERT_EQUAL(staged_generation, 2);
	CU_ASSERT_EQUAL(active(), 2);
	end();
	stage = NULL;
}

static uint64_t in_history(size_t from_end, const char *key)
{
	json_t *all = reloader_generations_json(reloader);
	const json_t *attempts = json_object_get(all, "attempts");
	const json_t *one = json_array_get(attempts, json_array_size(attempts) - from_end);
	uint64_t value = (uint64_t)json_integer_value(json_object_get(one, key));

	json_decref(all);
	return value;
}

static int on_stage_that_fails_once(void *ctx, const struct image_header *image,
				    uint64_t generation, char *why, size_t why_size)
{
	int rc = on_stage(ctx, image, generation, why, why_size);

	stage_says = NULL;
	return rc;
}

/* One that no worker has applied yet, and then another one that cannot be put in its place. */
static void what_was_late_is_taken_back_when_the_next_one_fails(void)
{
	struct image_header *late = fixture_compile(FIXTURE_POLICY);
	struct outcome out = {0};
	uint64_t generation;

	stage = on_stage_that_fails_once;
	begin();
	CU_ASSERT_EQUAL(publish(&region, late, 0, &generation), 0);
	free(late);
	CU_ASSERT_EQUAL(generation, 3);
	stage_says = "the test has no maps";
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_REFUSED);
	CU_ASSERT_STRING_EQUAL(out.detail, "the test has no maps");
	CU_ASSERT_EQUAL(out.generation, 4);
	CU_ASSERT_EQUAL(active(), 4);
	CU_ASSERT_EQUAL(weight(), 2);
	end();
	stage = NULL;
}

static void rollback_returns_to_a_text_and_the_file_waits_for_an_edit(void)
{
	struct outcome out = {0};

	begin();
	reloader_rollback(reloader, 0, on_done, &out);
	CU_ASSERT_EQUAL(out.result, RELOAD_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.detail, "no earlier policy"));
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 2, ADOPTS);
	reloader_rollback(reloader, 99, on_done, &out);
	CU_ASSERT_EQUAL(out.result, RELOAD_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.detail, "these are: 2"));
	reloader_rollback(reloader, 0, on_done, &out);
	run_until(&out.count, 4, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_APPLIED);
	CU_ASSERT_EQUAL(out.generation, 4);
	CU_ASSERT_EQUAL(weight(), 2);
	CU_ASSERT_EQUAL(in_history(1, "restores"), 2);
	reloader_file_changed(reloader);
	CU_ASSERT_EQUAL(active(), 4);
	write_policy("weight: 2", "weight: 5");
	reloader_file_changed(reloader);
	CU_ASSERT_EQUAL(active(), 5);
	settle(5);
	CU_ASSERT_EQUAL(weight(), 5);
	reloader_rollback(reloader, 3, on_done, &out);
	run_until(&out.count, 5, ADOPTS);
	CU_ASSERT_EQUAL(weight(), 3);
	end();
}

static void a_broken_file_is_tried_once(void)
{
	begin();
	write_policy("weight: 2", "weight: wrong");
	reloader_file_changed(reloader);
	reloader_file_changed(reloader);
	CU_ASSERT_EQUAL(in_history(1, "generation"), 0);
	CU_ASSERT_EQUAL(in_history(2, "generation"), 2);
	CU_ASSERT_EQUAL(active(), 2);
	end();
}

static void an_image_larger_than_its_slot_is_not_published(void)
{
	struct outcome out = {0};

	begin();
	write_policy("  - name: web\n",
		     "  - name: web\n    load_balancing: {algorithm: maglev, table_size: 65537}\n");
	reloader_request(reloader, on_done, &out);
	CU_ASSERT_EQUAL(out.count, 1);
	CU_ASSERT_NOT_EQUAL(out.result, RELOAD_APPLIED);
	CU_ASSERT_PTR_NOT_NULL(strstr(out.detail, "policy_slot"));
	CU_ASSERT_EQUAL(active(), 2);
	end();
}

static void a_first_policy_that_is_refused_ends_the_run(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	const struct reloader_config config = config_of_tests();
	struct reloader_images images = {
		.wanted = policy_edition_of(fixture_compile(FIXTURE_POLICY))};
	char why[160];

	uv_loop_init(&loop);
	fixture_region(&region, image);
	first_refused = 0;
	CU_ASSERT_EQUAL_FATAL(reloader_create(&reloader, &config, &images, why, sizeof(why)), 0);
	adopt_nack(&region, active(), NACK_RESOURCES, "no");
	run_until(&first_refused, 1, SLEEPS);
	CU_ASSERT_EQUAL(active(), 2);
	CU_ASSERT_PTR_NOT_NULL(reloader_policy(reloader));
	end();
	free(image);
	first_refused = 0;
}

static void a_restart_of_the_control_plane_keeps_an_equal_policy(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	const struct reloader_config config = config_of_tests();
	struct reloader_images images = {
		.wanted = policy_edition_of(fixture_compile(FIXTURE_POLICY)),
		.active = fixture_compile(FIXTURE_POLICY),
	};
	char why[160];

	images.active->generation = 1;
	uv_loop_init(&loop);
	fixture_region(&region, image);
	CU_ASSERT_EQUAL_FATAL(reloader_create(&reloader, &config, &images, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(active(), 1);
	CU_ASSERT_EQUAL(weight(), 2);
	end();
	free(image);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_change_is_applied_when_every_worker_decides_by_it),
	SUITE_TEST(what_changes_nothing_publishes_nothing),
	SUITE_TEST(a_missing_file_changes_nothing),
	SUITE_TEST(a_refused_policy_is_rolled_back_as_a_new_generation),
	SUITE_TEST(two_deaths_while_adopting_blame_the_policy),
	SUITE_TEST(requests_wait_for_the_change_under_way),
	SUITE_TEST(only_so_many_wait),
	SUITE_TEST(what_cannot_be_staged_is_not_published),
	SUITE_TEST(a_swap_that_fails_is_unstaged),
	SUITE_TEST(what_was_late_is_taken_back_when_the_next_one_fails),
	SUITE_TEST(rollback_returns_to_a_text_and_the_file_waits_for_an_edit),
	SUITE_TEST(a_broken_file_is_tried_once),
	SUITE_TEST(an_image_larger_than_its_slot_is_not_published),
	SUITE_TEST(a_first_policy_that_is_refused_ends_the_run),
	SUITE_TEST(a_restart_of_the_control_plane_keeps_an_equal_policy),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return reload_suite_run("reload", tests);
}
