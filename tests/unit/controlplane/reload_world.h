/* SPDX-License-Identifier: Apache-2.0 */
/* A reloader, its region, and a dataplane that the test plays. */
#ifndef FENDER_TESTS_UNIT_CONTROLPLANE_RELOAD_WORLD_H
#define FENDER_TESTS_UNIT_CONTROLPLANE_RELOAD_WORLD_H

#include "controlplane/reload.h"

#include <errno.h>

#include "controlplane/liveness.h"
#include "shm/registry.h"
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
	reloader_request(reloader, on_done, &end);
	run_until(&end.count, 1, ADOPTS);
}

static int (*stage)(void *ctx, const struct image_header *image, uint64_t generation, char *why,
		    size_t why_size);

static struct reloader_config config_of_tests(void)
{
	return (struct reloader_config){
		.loop = &loop,
		.region = &region,
		.policy_path = policy_path,
		.wake_path = "/nonexistent",
		.dataplane_is_dead = on_dataplane_is_dead,
		.first_refused = on_first_refused,
		.sets = on_sets,
		.stage = stage,
	};
}

static void begin(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	const struct reloader_config config = config_of_tests();
	struct reloader_images images = {
		.wanted = policy_edition_of(fixture_compile(FIXTURE_POLICY))};
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

static int reload_suite_run(const char *name, CU_TestInfo *tests)
{
	int rc;

	snprintf(policy_path, sizeof(policy_path), "/tmp/fender-unit-%s-%d.yaml", name,
		 (int)getpid());
	rc = suite_run(name, tests);
	unlink(policy_path);
	return rc;
}

#endif
