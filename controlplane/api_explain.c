/* SPDX-License-Identifier: Apache-2.0 */
/* GET /explain: what happens to a packet, and why; found out in another thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/connections_json.h"
#include "controlplane/explain_json.h"
#include "controlplane/explain_question.h"
#include "controlplane/liveness.h"
#include "controlplane/run_state.h"
#include "shm/limit_counters.h"

enum { WHY_BYTES = 160 };

static json_t *bucket_json(const struct flow_bucket *b)
{
	uint64_t passed = counter_read(&b->passed);

	return json_pack("{s:I,s:I}", "passed_packets", (json_int_t)(passed >> 40), "refused",
			 (json_int_t)__atomic_load_n(&b->refused, __ATOMIC_RELAXED));
}

/* What the worker's limiter remembers of a connection; nothing where the XDP program judges. */
static void add_limiter(json_t *row, const struct region *region, uint32_t worker, uint32_t entry)
{
	static const char *const keys[] = {"limiter_to_endpoint", "limiter_to_client"};
	const struct flow_limit *limit = &region_flow_limits(region, worker)[entry];

	for (int i = 0; i < 2; i++)
		if (__atomic_load_n(&limit->to[i].shape, __ATOMIC_RELAXED))
			json_object_set_new(row, keys[i], bucket_json(&limit->to[i]));
}

static json_t *find_connection(const struct explain_question *q, uint32_t worker)
{
	const struct connections_look look = {.region = q->region, .now_ns = q->now_ns};
	struct connections_packet packet = {.key = {.sport = q->client_port,
						    .dport = q->destination_port,
						    .interface = q->interface,
						    .proto = q->proto,
						    .family = q->family}};
	struct connections_found found;

	if (q->family == FAMILY_V4) {
		memcpy(&packet.key.src, &q->client.b[12], 4);
		memcpy(&packet.key.dst, &q->destination.b[12], 4);
	} else {
		memcpy(packet.src6, q->client.b, 16);
		memcpy(packet.dst6, q->destination.b, 16);
	}
	found = connections_find(&look, worker, &packet);
	if (found.row)
		add_limiter(found.row, q->region, worker, found.entry);
	return found.row;
}

/* Where nobody says by which interface: the first with a listener for it, or an address. */
static int explain_any(struct explain_question *q, struct explanation *e)
{
	uint8_t ours = 0;
	int rc;

	for (uint32_t i = 0; i < q->image->interfaces.count; i++) {
		q->interface = (uint8_t)i;
		rc = explain(q, e);
		if (rc != 0 || e->listener != EXPLAIN_NONE)
			return rc;
		if (e->ours)
			ours = q->interface;
	}
	q->interface = ours;
	return explain(q, e);
}

/* The policy is copied: a reload may free the original. */
struct snapshot {
	struct explain_question q;
	int any; /* no interface was named */
	struct image_header *policy;
};

static void drop(void *snapshot)
{
	struct snapshot *s = snapshot;

	free(s->policy);
	free(s);
}

/* 0: the request is answered. */
static int take_question(struct snapshot *s, struct admin_request *request)
{
	const struct explain_words words = {
		.protocol = admin_query(request, "protocol"),
		.client = admin_query(request, "client"),
		.destination = admin_query(request, "destination"),
		.interface = admin_query(request, "interface"),
		.cluster = admin_query(request, "cluster"),
		.key = admin_query(request, "key"),
	};
	char why[WHY_BYTES];
	int rc = explain_question_make(&s->q, &words, &s->any, why, sizeof(why));

	if (rc == 0)
		return 1;
	admin_answer_error(request, rc == -ENOENT ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST, "%s",
			   why);
	return 0;
}

static void *take(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	const struct image_header *policy = reloader_policy(run->reloader);
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->policy = malloc(policy->length);
	if (s->policy) {
		memcpy(s->policy, policy, policy->length);
		s->q.image = s->policy;
		s->q.region = &run->region;
		s->q.now_ns = monotonic_ns();
		if (take_question(s, request))
			return s;
	}
	drop(s);
	return NULL;
}

static struct admin_text build(void *snapshot)
{
	static const char replaced[] = "the policy is being replaced: ask again";
	struct snapshot *s = snapshot;
	struct explain_question *q = &s->q;
	const struct admin_text failed = {.text = NULL};
	json_t *connection = NULL;
	struct explanation e;
	int rc = s->any && q->cluster == EXPLAIN_NONE ? explain_any(q, &e) : explain(q, &e);

	if (rc == -ENOENT)
		return admin_text_of(MHD_HTTP_SERVICE_UNAVAILABLE,
				     json_pack("{s:s}", "error", replaced));
	if (rc != 0)
		return failed;
	if (q->cluster == EXPLAIN_NONE)
		connection = find_connection(q, e.worker);
	return admin_text_of(MHD_HTTP_OK, explain_json(q, &e, connection));
}

void api_explain(void *ctx, struct admin_request *request)
{
	static const struct admin_job job = {
		.take = take, .build = build, .drop = drop, .alone = 1};

	admin_answer_job(request, &job);
}
