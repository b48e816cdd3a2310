/* SPDX-License-Identifier: Apache-2.0 */
/* `fender simulate POLICY SCENARIO`. */
#include "controlplane/ctl/simulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/arena.h"
#include "config/config.h"
#include "config/values.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/format.h"

/* The files of one command. */
struct work {
	struct arena *arena;
	struct scenario *scenario;
	struct image_header *images[2]; /* of --policy2 the second, or NULL */
	const char *policies[2];
	struct simulate_input input;
};

static struct image_header *compile(const char *path)
{
	struct diagnostics *d = diagnostics_create(path);
	struct image_header *image = d ? config_compile_file(path, d) : NULL;

	if (d)
		diagnostics_print(d, stderr);
	diagnostics_free(d);
	return image;
}

/* @path as it stands in the file @from. */
static char *beside(const char *from, const char *path)
{
	const char *slash = strrchr(from, '/');
	size_t folder = path[0] != '/' && slash ? (size_t)(slash - from) + 1 : 0;
	char *joined = malloc(folder + strlen(path) + 1);

	if (joined) {
		memcpy(joined, from, folder);
		strcpy(joined + folder, path);
	}
	return joined;
}

static int compile_reloads(struct work *work, const char *scenario_path)
{
	const struct scenario *s = work->scenario;
	struct simulate_input *input = &work->input;

	input->reloads = calloc(s->events.count + 1, sizeof(*input->reloads));
	for (size_t i = 0; input->reloads && i < s->events.count; i++) {
		struct image_header *image = NULL;
		char *path;

		if (!s->events.items[i].reload)
			continue;
		path = beside(scenario_path, s->events.items[i].reload);
		if (path)
			image = compile(path);
		free(path);
		if (!image)
			return -EINVAL;
		input->reloads[input->reload_count++] = image;
	}
	return input->reloads ? 0 : -ENOMEM;
}

static int check_names(const struct work *work, struct diagnostics *d)
{
	const struct image_header *images[2 + SCENARIO_MAX_RELOADS];
	size_t count = 0;

	images[count++] = work->images[0];
	if (work->images[1])
		images[count++] = work->images[1];
	for (size_t i = 0; i < work->input.reload_count; i++)
		images[count++] = work->input.reloads[i];
	scenario_check_names(work->scenario, images, count, d);
	return diagnostics_errors(d) ? -EINVAL : 0;
}

static int read_scenario(struct work *work, const char *path)
{
	struct diagnostics *d = diagnostics_create(path);
	int rc = d ? 0 : -ENOMEM;

	if (rc == 0) {
		work->scenario = scenario_parse_file(path, work->arena, d);
		rc = work->scenario ? compile_reloads(work, path) : -EINVAL;
	}
	if (rc == 0)
		rc = check_names(work, d);
	if (d)
		diagnostics_print(d, stderr);
	diagnostics_free(d);
	return rc;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct progress {
	double shown;
	uint64_t duration_ns;
};

/* A line a second, once it takes that long. */
static int show_progress(void *ctx, uint64_t now_ns)
{
	struct progress *progress = ctx;
	double now = seconds_now();

	if (now - progress->shown < 1)
		return 0;
	progress->shown = now;
	fprintf(stderr, "fender simulate: %.0fs of %.0fs\n", (double)now_ns / 1e9,
		(double)progress->duration_ns / 1e9);
	return 0;
}

static struct sim_result *run(struct work *work, size_t number)
{
	struct sim_scenario *s = &work->input.scenario;
	struct progress progress = {.shown = seconds_now(), .duration_ns = s->duration_ns};

	s->progress = show_progress;
	s->progress_ctx = &progress;
	if (work->scenario->workers == 0)
		s->workers = work->images[number]->sidecar.workers;
	return sim_run(work->images[number], s);
}

static int print_json(const struct simulate_run *a, const struct simulate_run *b,
		      const struct sim_scenario *s)
{
	json_t *json = simulate_json(a, b, s);
	int rc = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) : -1;

	json_decref(json);
	putchar('\n');
	return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

static int print(const struct work *work, struct sim_result *const results[2], int json)
{
	const struct sim_scenario *s = &work->input.scenario;
	struct simulate_run runs[2];

	for (size_t i = 0; i < 2; i++)
		runs[i] = (struct simulate_run){work->policies[i], work->images[i], results[i]};
	if (json)
		return print_json(&runs[0], results[1] ? &runs[1] : NULL, s);
	simulate_print(&runs[0], s, stdout);
	if (results[1]) {
		putchar('\n');
		simulate_print(&runs[1], s, stdout);
		putchar('\n');
		simulate_print_difference(&runs[0], &runs[1], stdout);
	}
	return EXIT_OK;
}

static int run_and_print(struct work *work, int json)
{
	struct sim_result *results[2] = {NULL, NULL};
	int rc = EXIT_FAILED;

	results[0] = run(work, 0);
	if (results[0] && work->images[1])
		results[1] = run(work, 1);
	if (!results[0] || (work->images[1] && !results[1]))
		fprintf(stderr, "fender simulate: out of memory, or more names than Fender has "
				"room for\n");
	else
		rc = print(work, results, json);
	sim_result_free(results[0]);
	sim_result_free(results[1]);
	return rc;
}

static int prepare(struct work *work, const struct options *options)
{
	work->arena = arena_create();
	work->policies[0] = options->operand;
	work->policies[1] = options->policy2;
	work->images[0] = compile(options->operand);
	if (options->policy2)
		work->images[1] = compile(options->policy2);
	if (!work->arena || !work->images[0] || (options->policy2 && !work->images[1]))
		return -EINVAL;
	if (read_scenario(work, options->operand2) != 0)
		return -EINVAL;
	return simulate_convert(&work->input, work->scenario, work->images[0]);
}

int command_simulate(const struct options *options)
{
	struct work work = {0};
	uint64_t seed = 0;
	int rc = EXIT_FAILED;

	if (options->seed && value_integer(options->seed, &seed) != NULL) {
		fprintf(stderr, "fender simulate: --seed %s: expected a whole number\n",
			options->seed);
		return EXIT_USAGE;
	}
	if (prepare(&work, options) == 0) {
		if (options->seed)
			work.input.scenario.seed = seed;
		rc = run_and_print(&work, options->json);
	}
	simulate_release(&work.input);
	free(work.images[0]);
	free(work.images[1]);
	arena_free(work.arena);
	return rc;
}
