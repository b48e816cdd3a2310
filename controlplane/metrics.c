/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/metrics_rows.h"

void metrics_fields(struct metrics_out *m, const struct metrics_rows *rows,
		    const struct metrics_field *fields, size_t count)
{
	for (size_t f = 0; f < count; f++) {
		const char *row = (const char *)rows->first + fields[f].off;

		metrics_family(m, fields[f].name, fields[f].help, fields[f].type);
		for (uint32_t i = 0; i < rows->count; i++, row += rows->stride)
			metrics_add(m, &rows->labels[i], NULL,
				    *(const uint64_t *)(const void *)row);
	}
}

void metrics_gauges(const struct metrics_writer *w, const struct metrics_computed *families,
		    size_t count, const struct metrics_labels *labels, uint32_t rows)
{
	for (size_t f = 0; f < count; f++) {
		metrics_family(w->m, families[f].name, families[f].help, METRICS_GAUGE);
		for (uint32_t i = 0; i < rows; i++) {
			uint64_t value = 0;

			if (!families[f].read(w, i, &value))
				continue;
			if (families[f].scale == METRICS_MILLIONTHS)
				metrics_add_millionths(w->m, &labels[i], value);
			else
				metrics_add(w->m, &labels[i], NULL, value);
		}
	}
}

void metrics_reasons(const struct metrics_writer *w, const struct metrics_labels *labels,
		     const uint64_t *by_reason)
{
	for (uint32_t reason = 0; reason < REASON_COUNT; reason++)
		if (by_reason[reason] != 0)
			metrics_add(w->m, labels, &w->reasons[reason], by_reason[reason]);
}

static const char *name_of(const struct metrics_writer *w, uint32_t string)
{
	return image_string(w->stats->policy, string);
}

static void label_workers(struct metrics_writer *w)
{
	char number[12];

	for (uint32_t i = 0; i < w->stats->workers; i++) {
		snprintf(number, sizeof(number), "%u", i);
		w->workers[i] = metrics_label(w->m, "worker", number);
	}
	for (uint32_t i = 0; i < REASON_COUNT; i++)
		w->reasons[i] = metrics_label(w->m, "reason", reason_name(i));
}

static void label_names(struct metrics_writer *w)
{
	const struct image_header *policy = w->stats->policy;
	const struct image_interface *f = IMAGE_ARRAY(policy, struct image_interface, interfaces);
	const struct image_listener *l = IMAGE_ARRAY(policy, struct image_listener, listeners);
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(policy, struct image_endpoint, endpoints);

	for (uint32_t i = 0; i < policy->interfaces.count; i++)
		w->interfaces[i] = metrics_label(w->m, "interface", name_of(w, f[i].name));
	for (uint32_t i = 0; i < policy->listeners.count; i++)
		w->listeners[i] = metrics_label(w->m, "listener", name_of(w, l[i].name));
	for (uint32_t i = 0; i < policy->clusters.count; i++)
		w->clusters[i] = metrics_label(w->m, "cluster", name_of(w, c[i].name));
	for (uint32_t i = 0; w->source->endpoints && i < policy->clusters.count; i++) {
		for (uint32_t k = 0; k < c[i].endpoint_count; k++) {
			uint32_t at = c[i].first_endpoint + k;

			w->endpoints[at] = metrics_label_add(
				w->m, metrics_label(w->m, "cluster", name_of(w, c[i].name)),
				"endpoint", name_of(w, e[at].name));
		}
	}
}

static int make_labels(struct metrics_writer *w)
{
	const struct image_header *policy = w->stats->policy;

	w->workers = calloc(w->stats->workers + 1, sizeof(*w->workers));
	w->interfaces = calloc(policy->interfaces.count + 1, sizeof(*w->interfaces));
	w->listeners = calloc(policy->listeners.count + 1, sizeof(*w->listeners));
	w->clusters = calloc(policy->clusters.count + 1, sizeof(*w->clusters));
	w->endpoints = calloc(policy->endpoints.count + 1, sizeof(*w->endpoints));
	if (!w->workers || !w->interfaces || !w->listeners || !w->clusters || !w->endpoints)
		return -ENOMEM;
	label_workers(w);
	label_names(w);
	return w->m->failed ? -ENOMEM : 0;
}

static void free_labels(struct metrics_writer *w)
{
	free(w->workers);
	free(w->interfaces);
	free(w->listeners);
	free(w->clusters);
	free(w->endpoints);
}

/* Of text, with names of 20 bytes or so; protobuf is smaller. */
static size_t expected_bytes(const struct metrics_source *source)
{
	enum { CLUSTER_BYTES = 12 * 1024, ENDPOINT_BYTES = 1536 };
	const struct image_header *policy = source->stats->policy;

	return (size_t)policy->clusters.count * CLUSTER_BYTES +
	       (source->endpoints ? (size_t)policy->endpoints.count * ENDPOINT_BYTES : 0);
}

int metrics_write(const struct metrics_source *source, enum metrics_format format, char **body,
		  size_t *bytes)
{
	struct metrics_out m;
	struct metrics_writer w = {.m = &m, .source = source, .stats = source->stats};
	int rc;

	metrics_begin(&m, format);
	metrics_expect(&m, expected_bytes(source));
	rc = make_labels(&w);
	if (rc == 0) {
		metrics_write_process(&w);
		metrics_write_workers(&w);
		metrics_write_interfaces(&w);
		metrics_write_listeners(&w);
		metrics_write_clusters(&w);
		if (source->endpoints)
			metrics_write_endpoints(&w);
		metrics_end(&m);
		rc = m.failed ? -ENOMEM : 0;
	}
	free_labels(&w);
	if (rc == 0) {
		*body = m.out.data;
		*bytes = m.out.used;
		m.out.data = NULL;
	}
	metrics_free(&m);
	return rc;
}
