/* SPDX-License-Identifier: Apache-2.0 */
/* Starts that do not go by the policy file, and what a rollback returns to after the guard's. */
#include "shm/names.h"
#include "tests/unit/controlplane/reload_world.h"

static struct image_header *found;

/* The region holds generation 1; @wanted is what the start goes by in the place of the file. */
static void begin_refused(struct policy_edition *wanted, enum reload_result result,
			  const char *why_not)
{
	const struct reloader_config config = config_of_tests();
	struct reload_refusal refusal = {.result = result};
	struct reloader_images images = {.wanted = wanted, .refused = &refusal};
	char why[160];

	snprintf(refusal.detail, sizeof(refusal.detail), "%s", why_not);
	found = fixture_compile(FIXTURE_POLICY);
	uv_loop_init(&loop);
	fixture_region(&region, found);
	seen = 0;
	dataplane_turn(ADOPTS);
	images.active = fixture_compile(FIXTURE_POLICY);
	images.active->generation = 1;
	images.file_hash = policy_file_hash(policy_path);
	CU_ASSERT_EQUAL_FATAL(reloader_create(&reloader, &config, &images, why, sizeof(why)), 0);
}

static void end_refused(void)
{
	end();
	free(found);
}

static const char *in_history(size_t from_end, const char *key)
{
	static char word[256];
	json_t *all = reloader_generations_json(reloader);
	const json_t *attempts = json_object_get(all, "attempts");
	const json_t *one = json_array_get(attempts, json_array_size(attempts) - from_end);
	const char *text = json_string_value(json_object_get(one, key));

	snprintf(word, sizeof(word), "%s", text ? text : "");
	json_decref(all);
	return word;
}

static void a_refused_file_is_in_the_history_and_the_policy_is_kept(void)
{
	write_policy("weight: 2", "weight: wrong");
	begin_refused(policy_edition_of(fixture_compile(FIXTURE_POLICY)), RELOAD_INVALID,
		      "p.yaml:11:3: wrong\np.yaml:12:3: too");
	CU_ASSERT_EQUAL(active(), 1);
	CU_ASSERT_EQUAL(weight(), 2);
	CU_ASSERT_STRING_EQUAL(in_history(1, "source"), "start");
	CU_ASSERT_STRING_EQUAL(in_history(1, "result"), "invalid");
	CU_ASSERT_STRING_EQUAL(in_history(1, "reason"), "p.yaml:11:3: wrong\np.yaml:12:3: too");
	CU_ASSERT_STRING_EQUAL(reloader_file_fault(reloader), "p.yaml:11:3: wrong");
	/* The file is known as it is, and tried when it is another one. */
	reloader_file_changed(reloader);
	CU_ASSERT_STRING_EQUAL(in_history(1, "source"), "start");
	write_policy("weight: 2", "weight: 3");
	reloader_file_changed(reloader);
	CU_ASSERT_EQUAL(active(), 2);
	settle(2);
	CU_ASSERT_EQUAL(weight(), 3);
	CU_ASSERT_STRING_EQUAL(reloader_file_fault(reloader), "");
	end_refused();
}

/* The text in the history is newer than what a dataplane that was killed had. */
static void what_was_applied_last_is_published_when_the_region_has_another(void)
{
	struct image_header *image = fixture_compile_with("weight: 2", "weight: 5");

	begin_refused(policy_edition_of(image), RELOAD_NEEDS_RESTART,
		      "needs a restart: sidecar.workers");
	CU_ASSERT_EQUAL(active(), 2);
	write_policy("weight: 2", "weight: 5");
	settle(2);
	CU_ASSERT_EQUAL(weight(), 5);
	CU_ASSERT_STRING_EQUAL(in_history(1, "result"), "applied");
	CU_ASSERT_STRING_EQUAL(in_history(2, "result"), "needs_restart");
	end_refused();
}

static void without_a_text_endpoints_stay_until_the_file_is_mended(void)
{
	struct outcome out = {0};
	size_t bytes;

	write_policy("weight: 2", "weight: wrong");
	begin_refused(policy_edition_of(fixture_compile(FIXTURE_POLICY)), RELOAD_INVALID, "wrong");
	CU_ASSERT_PTR_NULL(reloader_text(reloader, &bytes));
	reloader_refresh(reloader);
	CU_ASSERT_STRING_EQUAL(in_history(1, "source"), "start");
	reloader_request(reloader, on_done, &out);
	CU_ASSERT_EQUAL(out.result, RELOAD_INVALID);
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 2, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_APPLIED);
	CU_ASSERT_PTR_NOT_NULL(reloader_text(reloader, &bytes));
	reloader_refresh(reloader);
	CU_ASSERT_EQUAL(active(), 2);
	end_refused();
}

static void a_fault_is_one_plain_line(void)
{
	char why_not[400] = "\xc3\xa4";

	memset(why_not + 2, 'x', sizeof(why_not) - 3);
	begin_refused(policy_edition_of(fixture_compile(FIXTURE_POLICY)), RELOAD_INVALID, why_not);
	CU_ASSERT_EQUAL(strncmp(reloader_file_fault(reloader), "??xx", 4), 0);
	CU_ASSERT(strlen(reloader_file_fault(reloader)) < 160);
	end_refused();
}

/* Calls fail by generation 3 until the guard has put the policy before in its place. */
static void let_the_guard_take_it_back(uint64_t generation)
{
	const uint32_t slot =
		registry_find(region.cluster_registry, region.shape.cluster_slots, name_key("web"));

	counter_add(&region_policy_counters(&region, 0, slot)->failed[0], 5);
	while (active() < generation) {
		dataplane_turn(ADOPTS);
		uv_run(&loop, UV_RUN_ONCE);
	}
	while (region.workers[0].applied_generation < generation ||
	       strcmp(in_history(1, "source"), "guard") != 0) {
		dataplane_turn(ADOPTS);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

static void rollback_does_not_return_to_what_the_guard_took_back(void)
{
	static const char watched[] = "version: 1\nreload: {watch: 60s, minimum_calls: 5, "
				      "rollback_if: {error_rate: 50%}}\n";
	struct outcome out = {0};

	begin();
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	write_policy("version: 1\n", watched);
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 2, ADOPTS);
	CU_ASSERT_EQUAL(out.generation, 4);
	let_the_guard_take_it_back(5);
	CU_ASSERT_EQUAL(weight(), 3);
	reloader_rollback(reloader, 0, on_done, &out);
	run_until(&out.count, 3, ADOPTS);
	CU_ASSERT_EQUAL(out.result, RELOAD_APPLIED);
	CU_ASSERT_EQUAL(weight(), 2);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_refused_file_is_in_the_history_and_the_policy_is_kept),
	SUITE_TEST(what_was_applied_last_is_published_when_the_region_has_another),
	SUITE_TEST(without_a_text_endpoints_stay_until_the_file_is_mended),
	SUITE_TEST(a_fault_is_one_plain_line),
	SUITE_TEST(rollback_does_not_return_to_what_the_guard_took_back),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return reload_suite_run("reload-start", tests);
}
