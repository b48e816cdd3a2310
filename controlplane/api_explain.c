/* SPDX-License-Identifier: Apache-2.0 */
/* GET /explain: what happens to a packet, and why. */
#include <errno.h>
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

static int ask(struct admin_request *request, struct explain_question *q, struct explanation *e)
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
	int any, rc = explain_question_make(q, &words, &any, why, sizeof(why));

	if (rc != 0) {
		admin_answer_error(request,
				   rc == -ENOENT ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST, "%s",
				   why);
		return rc;
	}
	rc = any && q->cluster == EXPLAIN_NONE ? explain_any(q, e) : explain(q, e);
	if (rc == -ENOENT)
		admin_answer_error(request, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "the policy is being replaced: ask again");
	else if (rc != 0)
		admin_answer(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
	return rc;
}

void api_explain(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	struct explain_question q = {
		.image = reloader_policy(run->reloader),
		.region = &run->region,
		.now_ns = monotonic_ns(),
	};
	struct explanation e;
	json_t *connection = NULL;

	if (ask(request, &q, &e) != 0)
		return;
	if (q.cluster == EXPLAIN_NONE)
		connection = find_connection(&q, e.worker);
	admin_answer(request, MHD_HTTP_OK, explain_json(&q, &e, connection));
}
