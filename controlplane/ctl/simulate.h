/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `fender simulate`. */
#ifndef FENDER_CONTROLPLANE_CTL_SIMULATE_H
#define FENDER_CONTROLPLANE_CTL_SIMULATE_H

#include <jansson.h>
#include <stdio.h>

#include "config/scenario.h"
#include "dataplane/simulate/simulate.h"

/* A scenario as the simulator takes it, and all memory of it. */
struct simulate_input {
	struct sim_scenario scenario;
	struct sim_load *loads;
	struct sim_endpoint *endpoints;
	struct sim_outage *outages;
	struct sim_change *changes;
	struct image_header **reloads; /* in the order of the events */
	size_t reload_count;
	char *names; /* of endpoints */
};

/**
 * simulate_convert() - @s in the simulator's terms
 * @reloads: images of the reloads among its events, in order; become @input's
 * @image: whose workers count where the scenario names none
 * Return: 0 or -ENOMEM; simulate_release() in both cases.
 */
int simulate_convert(struct simulate_input *input, const struct scenario *s,
		     const struct image_header *image);
void simulate_release(struct simulate_input *input);

/* A run to print. */
struct simulate_run {
	const char *policy; /* its file */
	const struct image_header *image;
	const struct sim_result *result;
};

/* One number of a run, for the comparison. */
struct simulate_metric {
	char name[160];
	double value;
	int decimals;
};

struct simulate_metrics {
	struct simulate_metric *items;
	size_t count;
};

/* What is compared; freed by the caller. 0 or -ENOMEM. */
int simulate_metrics(struct simulate_metrics *m, const struct sim_result *r);
/* The one of this name, or NULL. */
const struct simulate_metric *simulate_find(const struct simulate_metrics *m, const char *name);

void simulate_print(const struct simulate_run *run, const struct sim_scenario *s, FILE *out);
/* The differences from @a to @b, and the keys that move. */
void simulate_print_difference(const struct simulate_run *a, const struct simulate_run *b,
			       FILE *out);

/* The same as JSON; @b may be NULL. NULL: out of memory. */
json_t *simulate_json(const struct simulate_run *a, const struct simulate_run *b,
		      const struct sim_scenario *s);

/*
 * Keys of cluster @number of @b that go elsewhere than under @a, in hundredths of a percent;
 * UINT32_MAX where that has no answer (another algorithm, no such cluster, not by hash).
 */
uint32_t simulate_moved_keys(const struct image_header *a, const struct image_header *b,
			     uint32_t number);

void simulate_print_moved(const struct image_header *a, const struct image_header *b,
			  const char *when, FILE *out);
json_t *simulate_moved_json(const struct image_header *a, const struct image_header *b);

/* The policy that a reload of the scenario takes the place of. */
const struct image_header *simulate_image_before(const struct simulate_run *run,
						 const struct sim_scenario *s, size_t change);

/* "850us", "12.3ms", "1.50s"; @out: FORMAT_BYTES. */
void simulate_format_time(char *out, uint64_t ns);

#endif
