/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /stats and the views of it: one snapshot of the region and of the policy's names, read and
 * written row by row in another thread.
 */
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "config/suggest.h"
#include "controlplane/api.h"
#include "controlplane/api_snapshot.h"
#include "controlplane/json_text.h"
#include "controlplane/stats_json.h"
#include "controlplane/stats_json_parts.h"
#include "shm/breaker_word.h"

enum { ALL_CLUSTERS = UINT32_MAX };

struct view;
typedef void write_view(const struct view *view, struct json_text *text);

struct view {
	struct api_snapshot base;
	uint32_t cluster; /* the one that is wanted */
	int all;
	write_view *write;
};

/* -- writing: any thread ----------------------------------------------------------------- */

static const struct image_cluster *clusters_of(const struct view *v)
{
	return IMAGE_ARRAY(v->base.policy, struct image_cluster, clusters);
}

static void write_listeners(const struct view *v, struct json_text *t)
{
	json_text_rows(t, "listeners");
	for (uint32_t i = 0; i < v->base.policy->listeners.count; i++)
		json_text_row(t, stats_json_listener(&v->base.stats, i));
	json_text_end_rows(t);
}

static void write_clusters(const struct view *v, struct json_text *t)
{
	json_text_rows(t, "clusters");
	for (uint32_t i = 0; i < v->base.policy->clusters.count; i++)
		json_text_row(t, stats_json_cluster(&v->base.stats, i));
	json_text_end_rows(t);
}

static void write_endpoints(const struct view *v, struct json_text *t)
{
	const struct image_cluster *c = clusters_of(v);

	json_text_rows(t, "endpoints");
	for (uint32_t i = 0; i < v->base.policy->clusters.count; i++)
		for (uint32_t k = 0; k < c[i].endpoint_count; k++)
			if (v->cluster == ALL_CLUSTERS || v->cluster == i)
				json_text_row(t, stats_json_endpoint(&v->base.stats, i,
								     c[i].first_endpoint + k));
	json_text_end_rows(t);
}

static void write_listeners_only(const struct view *v, struct json_text *t)
{
	json_text_open(t, json_object());
	write_listeners(v, t);
	json_text_close(t);
}

static void write_clusters_only(const struct view *v, struct json_text *t)
{
	json_text_open(t, json_object());
	write_clusters(v, t);
	json_text_close(t);
}

static void write_endpoints_only(const struct view *v, struct json_text *t)
{
	json_text_open(t, json_object());
	write_endpoints(v, t);
	json_text_close(t);
}

static void write_cluster(const struct view *v, struct json_text *t)
{
	json_text_open(
		t, json_pack("{s:o}", "cluster", stats_json_cluster(&v->base.stats, v->cluster)));
	write_endpoints(v, t);
	json_text_close(t);
}

static void write_stats(const struct view *v, struct json_text *t)
{
	json_text_open(t, stats_json_head(&v->base.stats, &v->base.process));
	write_listeners(v, t);
	write_clusters(v, t);
	write_endpoints(v, t);
	json_text_close(t);
}

static json_t *cluster_breaker(const struct view *v, uint32_t i)
{
	const struct image_cluster *c = &clusters_of(v)[i];
	const struct cluster_state *s = &v->base.stats.clusters[i].state;
	json_t *row = stats_json_breaker(s->breaker, s->admin, (enum image_mode)c->breaker.mode,
					 v->base.stats.now_ns);

	stats_json_set_string(row, "cluster", image_string(v->base.policy, c->name));
	stats_json_set(row, "ejected", s->ejected);
	return row;
}

static json_t *endpoint_breaker(const struct view *v, uint32_t cluster, uint32_t endpoint)
{
	const struct image_cluster *c = &clusters_of(v)[cluster];
	const struct image_endpoint *e =
		IMAGE_ARRAY(v->base.policy, struct image_endpoint, endpoints);
	const struct endpoint_state *s = &v->base.stats.endpoints[endpoint].state;
	json_t *row =
		stats_json_breaker(s->breaker, s->admin, (enum image_mode)c->outlier.breaker.mode,
				   v->base.stats.now_ns);

	stats_json_set_string(row, "cluster", image_string(v->base.policy, c->name));
	stats_json_set_string(row, "endpoint", image_string(v->base.policy, e[endpoint].name));
	stats_json_set_bool(row, "drained", admin_unpack(s->admin).drained);
	return row;
}

static int at_rest(const struct endpoint_state *s)
{
	const struct admin_word admin = admin_unpack(s->admin);

	return breaker_unpack(s->breaker).phase == BREAKER_CLOSED &&
	       admin.override == OVERRIDE_NONE && !admin.drained;
}

static void write_breakers(const struct view *v, struct json_text *t)
{
	const struct image_cluster *c = clusters_of(v);

	json_text_open(t, json_object());
	json_text_rows(t, "breakers");
	for (uint32_t i = 0; i < v->base.policy->clusters.count; i++) {
		uint32_t first = c[i].first_endpoint;

		json_text_row(t, cluster_breaker(v, i));
		for (uint32_t e = first; e < first + c[i].endpoint_count; e++)
			if (v->all || !at_rest(&v->base.stats.endpoints[e].state))
				json_text_row(t, endpoint_breaker(v, i, e));
	}
	json_text_end_rows(t);
	json_text_close(t);
}

/* -- the snapshot: the loop's thread ----------------------------------------------------- */

static const struct {
	const char *path;
	write_view *write;
} views[] = {
	{"/stats", write_stats},
	{"/listeners", write_listeners_only},
	{"/clusters", write_clusters_only},
	{"/endpoints", write_endpoints_only},
	{"/breakers", write_breakers},
};

static void drop(void *snapshot)
{
	struct view *v = snapshot;

	api_snapshot_release(&v->base);
	free(v);
}

static struct view *look(struct run *run)
{
	struct view *v = calloc(1, sizeof(*v));

	if (v && api_snapshot_take(&v->base, run) == 0)
		return v;
	free(v);
	return NULL;
}

/* Answers 404 and returns 0 when the policy has no cluster @name. */
static int find_cluster(struct view *v, const char *name, struct admin_request *request)
{
	const struct image_cluster *c = clusters_of(v);
	struct suggestion s;

	suggest_start(&s, name);
	for (uint32_t i = 0; i < v->base.policy->clusters.count; i++) {
		const char *known = image_string(v->base.policy, c[i].name);

		suggest_consider(&s, known);
		v->cluster = i;
		if (strcmp(known, name) == 0)
			return 1;
	}
	admin_answer_error(request, MHD_HTTP_NOT_FOUND, "no cluster '%.63s'%s%.63s%s", name,
			   s.best ? "; did you mean " : "", s.best ? s.best : "",
			   s.best ? "?" : "");
	return 0;
}

static void *take(void *ctx, struct admin_request *request)
{
	struct view *v = look(ctx);
	const char *cluster = admin_query(request, "cluster");

	if (!v)
		return NULL;
	v->cluster = ALL_CLUSTERS;
	v->write = write_cluster;
	v->all = admin_query(request, "all") != NULL;
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (strcmp(admin_path(request), views[i].path) == 0)
			v->write = views[i].write;
	if (v->write == write_cluster)
		cluster = admin_path_part(request, 0);
	if (!cluster || find_cluster(v, cluster, request))
		return v;
	drop(v);
	return NULL;
}

static struct admin_text build(void *snapshot)
{
	struct view *v = snapshot;
	struct json_text text = {0};

	if (api_snapshot_fill(&v->base) == 0)
		v->write(v, &text);
	else
		text.failed = 1;
	return json_text_answer(&text);
}

void api_stats(void *ctx, struct admin_request *request)
{
	static const struct admin_job job = {.take = take, .build = build, .drop = drop};

	admin_answer_job(request, &job);
}
