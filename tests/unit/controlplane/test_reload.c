/* SPDX-License-Identifier: Apache-2.0 */
/* Policy changes against a dataplane that the test plays. */
#include "controlplane/reload.h"

#include "controlplane/liveness.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

struct outcome {
	int count;
	enum reload_result result;
	uint64_t generation;
	char detail[512];
};

/* How the dataplane takes what is published. */
enum manner { ADOPTS, REFUSES, SLEEPS };

static uv_loop_t loop;
static struct region region;
static struct reloader *reloader;
static char policy_path[64];
static int first_refused;
static uint64_t seen; /* by the dataplane */
static struct endpoint_set sets_one;

static void on_done(void *ctx, const struct reload_report *report)
{
	struct outcome *out = ctx;

	out->count++;
	out->result = report->result;
	out->generation = report->generation;
	snprintf(out->detail, sizeof(out->detail), "%s", report->detail);
}

static int on_dataplane_is_dead(void *ctx)
{
	return 0;
}

static void on_first_refused(void *ctx)
{
	first_refused++;
}

static const struct endpoint_sets *on_sets(void *ctx)
{
	static struct endpoint_sets sets;

	sets = (struct endpoint_sets){&sets_one, sets_one.cluster != NULL};
	return &sets;
}

static void write_policy(const char *from, const char *to)
{
	static const char policy[] = FIXTURE_POLICY;
	const char *at = from ? strstr(policy, from) : policy;
	FILE *f = fopen(policy_path, "w");

	if (!f || !at)
		abort();
	fprintf(f, "%.*s%s%s", (int)(at - policy), policy, from ? to : "",
		at + (from ? strlen(from) : 0));
	fclose(f);
}

static uint64_t active(void)
{
	return active_generation(region.header->active);
}

/* One turn of the dataplane's main thread and its workers. */
static void dataplane_turn(enum manner manner)
{
	if (manner == SLEEPS || seen == active())
		return;
	seen = active();
	if (manner == REFUSES && seen > 1) {
		adopt_nack(&region, seen, NACK_RESOURCES, "the test refuses it");
		return;
	}
	adopt_ack(&region, seen);
	for (uint32_t i = 0; i < region.shape.workers; i++) {
		region.workers[i].state = WORKER_PARKED;
		region.workers[i].heartbeat_ns = monotonic_ns();
		region.workers[i].applied_generation = seen;
	}
}

/* Run until @done says so; a test that hangs is ended by its runner. */
static void run_until(const int *done, int value, enum manner manner)
{
	while (*done < value) {
		dataplane_turn(manner);
		uv_run(&loop, UV_RUN_ONCE);
	}
}

/* Play the dataplane until the workers have applied @generation and the reloader knows. */
static void settle(uint64_t generation)
{
	struct outcome end = {0};

	while (active() < generation || region.workers[0].applied_generation < generation) {
		dataplane_turn(ADOPTS);
		uv_run(&loop, UV_RUN_ONCE);
	}
	while (end.count == 0 || end.result == RELOAD_BUSY) {
		end.count = 0;
		uv_run(&loop, UV_RUN_ONCE);
		reloader_request(reloader, on_done, &end);
	}
}

static void begin(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	struct reloader_config config = {
		.loop = &loop,
		.region = &region,
		.policy_path = policy_path,
		.wake_path = "/nonexistent",
		.dataplane_is_dead = on_dataplane_is_dead,
		.first_refused = on_first_refused,
		.sets = on_sets,
	};
	struct reloader_images images = {policy_edition_of(fixture_compile(FIXTURE_POLICY)), NULL};
	char why[160];

	seen = 0;
	write_policy(NULL, NULL);
	uv_loop_init(&loop);
	fixture_region(&region, image);
	free(image);
	CU_ASSERT_EQUAL_FATAL(reloader_create(&reloader, &config, &images, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(active(), 2);
	settle(2);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	uv_close(handle, NULL);
}

static void end(void)
{
	reloader_stop(reloader);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	CU_ASSERT_EQUAL(uv_loop_close(&loop), 0);
	reloader_free(reloader);
	region_close(&region);
}

static uint32_t weight(void)
{
	const struct image_header *policy = reloader_policy(reloader);

	return IMAGE_ARRAY(policy, struct image_endpoint, endpoints)[0].weight;
}

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

static void a_second_request_is_busy_and_a_signal_waits(void)
{
	struct outcome first = {0};
	struct outcome second = {0};

	begin();
	write_policy("weight: 2", "weight: 3");
	reloader_request(reloader, on_done, &first);
	write_policy("weight: 2", "weight: 4");
	reloader_request(reloader, on_done, &second);
	CU_ASSERT_EQUAL(second.count, 1);
	CU_ASSERT_EQUAL(second.result, RELOAD_BUSY);
	reloader_request_later(reloader);
	CU_ASSERT_EQUAL(active(), 3);
	run_until(&first.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(first.generation, 3);
	CU_ASSERT_EQUAL(active(), 4);
	settle(4);
	CU_ASSERT_EQUAL(weight(), 4);
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
	struct reloader_config config = {
		.loop = &loop,
		.region = &region,
		.policy_path = policy_path,
		.wake_path = "/nonexistent",
		.dataplane_is_dead = on_dataplane_is_dead,
		.first_refused = on_first_refused,
	};
	struct reloader_images images = {policy_edition_of(fixture_compile(FIXTURE_POLICY)), NULL};
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
	struct reloader_config config = {
		.loop = &loop,
		.region = &region,
		.policy_path = policy_path,
		.wake_path = "/nonexistent",
		.dataplane_is_dead = on_dataplane_is_dead,
		.first_refused = on_first_refused,
	};
	struct reloader_images images = {policy_edition_of(fixture_compile(FIXTURE_POLICY)),
					 fixture_compile(FIXTURE_POLICY)};
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

static void new_endpoints_do_not_put_an_edited_file_in_force(void)
{
	static const struct resolved_endpoint resolved = {
		.address = {.ip = {{[10] = 0xff, 0xff, 10, 1, 0, 99}},
			    .family = FAMILY_V4,
			    .port = 0x3500},
		.weight = 1,
	};
	struct outcome out = {0};
	const struct image_header *policy;
	struct event event;
	uint64_t seq, lost = 0;

	begin();
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	seq = region.events->head;
	sets_one = (struct endpoint_set){"dns", &resolved, 1};
	write_policy("weight: 2", "weight: 3");
	reloader_refresh(reloader);
	reloader_refresh(reloader); /* waits, then changes nothing */
	policy = reloader_policy(reloader);
	CU_ASSERT_EQUAL(policy->endpoints.count, 3);
	CU_ASSERT_EQUAL(weight(), 2);
	CU_ASSERT_EQUAL(event_read(region.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.kind, EVENT_ENDPOINTS_CHANGED);
	CU_ASSERT_EQUAL(event.key, IMAGE_ARRAY(policy, struct image_cluster, clusters)[1].key);
	CU_ASSERT_EQUAL(event.detail, 1);
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	settle(4);
	end();
	sets_one = (struct endpoint_set){0};
}

/* Neither is lost when the other comes to nothing. */
static void endpoints_that_wait_with_a_file_in_error_come_in_force(void)
{
	static const struct resolved_endpoint resolved = {
		.address = {.ip = {{[10] = 0xff, 0xff, 10, 1, 0, 99}},
			    .family = FAMILY_V4,
			    .port = 0x3500},
		.weight = 1,
	};
	struct outcome first = {0}, second = {0};

	begin();
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	reloader_request(reloader, on_done, &first);
	run_until(&first.count, 1, ADOPTS);
	write_policy("endpoints: [{address: '10.1.0.13:53'}]",
		     "load_balancing: {algorithm: random}\n    endpoints: {dns: 'dns.test:53'}");
	reloader_request(reloader, on_done, &second);
	write_policy("weight: 2", "weight: wrong");
	reloader_request_later(reloader);
	sets_one = (struct endpoint_set){"dns", &resolved, 1};
	reloader_refresh(reloader);
	run_until(&second.count, 1, ADOPTS);
	CU_ASSERT_EQUAL(reloader_policy(reloader)->endpoints.count, 3);
	end();
	sets_one = (struct endpoint_set){0};
}

/* Names that left keep their places as long as connections have them. */
static void endpoints_without_room_are_tried_again(void)
{
	struct resolved_endpoint resolved[8];
	struct outcome out = {0};

	for (uint8_t i = 0; i < 8; i++)
		resolved[i] = (struct resolved_endpoint){
			.address = {.ip = {{[10] = 0xff, 0xff, 10, 1, 1, i + 1}},
				    .family = FAMILY_V4,
				    .port = 0x3500},
			.weight = 1,
		};
	begin();
	write_policy("[{address: '10.1.0.13:53'}]", "{dns: 'dns.test:53'}");
	sets_one = (struct endpoint_set){"dns", resolved, 4};
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	sets_one.endpoints = &resolved[4]; /* two and four and four are more than eight */
	reloader_refresh(reloader);
	CU_ASSERT_EQUAL(active(), 3);
	/* Nobody says so: what changed last has not come in force. */
	sets_one = (struct endpoint_set){"dns", &resolved[3], 2};
	while (active() < 4)
		uv_run(&loop, UV_RUN_ONCE);
	CU_ASSERT_EQUAL(reloader_policy(reloader)->endpoints.count, 4);
	end();
	sets_one = (struct endpoint_set){0};
}

static void a_change_of_a_table_is_measured(void)
{
	struct outcome out = {0};
	const struct table_report *web, *dns;

	begin();
	web = reloader_table_report(reloader, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(web);
	CU_ASSERT_EQUAL(web->max_share_over_mean, 100);
	CU_ASSERT_PTR_NULL(reloader_table_report(reloader, 2));
	write_policy("  - name: web\n", "  - name: web\n    load_balancing: {algorithm: maglev}\n");
	reloader_request(reloader, on_done, &out);
	run_until(&out.count, 1, ADOPTS);
	web = reloader_table_report(reloader, 0);
	dns = reloader_table_report(reloader, 1);
	CU_ASSERT_EQUAL(web->entries, 1009);
	CU_ASSERT(web->max_share_over_mean >= 100);
	CU_ASSERT_EQUAL(dns->entries, 1);
	CU_ASSERT(reloader_build_us(reloader) > 0);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_change_is_applied_when_every_worker_decides_by_it),
	SUITE_TEST(what_changes_nothing_publishes_nothing),
	SUITE_TEST(a_missing_file_changes_nothing),
	SUITE_TEST(a_refused_policy_is_rolled_back_as_a_new_generation),
	SUITE_TEST(two_deaths_while_adopting_blame_the_policy),
	SUITE_TEST(a_second_request_is_busy_and_a_signal_waits),
	SUITE_TEST(an_image_larger_than_its_slot_is_not_published),
	SUITE_TEST(a_first_policy_that_is_refused_ends_the_run),
	SUITE_TEST(a_restart_of_the_control_plane_keeps_an_equal_policy),
	SUITE_TEST(new_endpoints_do_not_put_an_edited_file_in_force),
	SUITE_TEST(endpoints_that_wait_with_a_file_in_error_come_in_force),
	SUITE_TEST(endpoints_without_room_are_tried_again),
	SUITE_TEST(a_change_of_a_table_is_measured),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	int rc;

	snprintf(policy_path, sizeof(policy_path), "/tmp/fender-unit-reload-%d.yaml",
		 (int)getpid());
	rc = suite_run("reload", tests);
	unlink(policy_path);
	return rc;
}
