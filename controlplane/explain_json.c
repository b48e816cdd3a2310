/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/explain_json.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/limits_resolve.h"
#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_sum.h"
#include "shm/names.h"
#include "shm/publish.h"
#include "shm/registry.h"

enum { TEXT_BYTES = 320 };

/* What is said, and what about. */
struct telling {
	const struct explain_question *q;
	const struct explanation *e;
	const struct image_header *image;
	json_t *body;
	json_t *steps;
};

static void say(const struct telling *t, const char *step, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(const struct telling *t, const char *step, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(t->steps, json_pack("{s:s,s:s}", "step", step, "says", text));
}

static const struct image_interface *interface_of(const struct telling *t, uint32_t number)
{
	return IMAGE_ARRAY(t->image, struct image_interface, interfaces) + number;
}

static const struct image_listener *listener_of(const struct telling *t)
{
	return IMAGE_ARRAY(t->image, struct image_listener, listeners) + t->e->listener;
}

static const struct image_cluster *cluster_of(const struct telling *t)
{
	return IMAGE_ARRAY(t->image, struct image_cluster, clusters) + t->e->cluster;
}

static const struct image_endpoint *endpoint_at(const struct telling *t, uint32_t number)
{
	return IMAGE_ARRAY(t->image, struct image_endpoint, endpoints) + number;
}

static const char *name_at(const struct telling *t, uint32_t name)
{
	return image_string(t->image, name);
}

/* -- where it comes in ------------------------------------------------------------------- */

static void tell_generation(const struct telling *t)
{
	const struct region *r = t->q->region;
	const uint64_t active = active_generation(counter_read(&r->header->active));
	uint64_t applied = UINT64_MAX;

	for (uint32_t i = 0; i < r->shape.workers; i++) {
		uint64_t of = counter_read(&r->workers[i].applied_generation);

		applied = of < applied ? of : applied;
	}
	stats_json_set(t->body, "generation", active);
	stats_json_set(t->body, "applied_generation", applied);
	if (applied == active)
		say(t, "policy", "generation %lu, applied by every worker", active);
	else
		say(t, "policy", "generation %lu; a worker still applies %lu", active, applied);
}

static void tell_owner(const struct telling *t)
{
	stats_json_set(t->body, "bucket", t->e->bucket);
	stats_json_set(t->body, "worker", t->e->worker);
	say(t, "owner", "worker %u, by bucket %u of %u of the %s", t->e->worker, t->e->bucket,
	    OWNER_BUCKETS, t->e->snat_port ? "SNAT port" : "client's address and port");
}

static void tell_interface(const struct telling *t)
{
	const struct image_interface *i = interface_of(t, t->q->interface);
	const char *limiter = limiter_name(t->q->region->interfaces[t->q->interface].limiter);

	json_object_set_new(t->body, "interface",
			    json_pack("{s:s,s:s,s:s,s:b}", "name", name_at(t, i->name), "device",
				      name_at(t, i->device), "limiter", limiter, "shared",
				      i->shared));
	say(t, "interface", "%s (%s)%s", name_at(t, i->name), name_at(t, i->device),
	    i->shared ? ", shared with the kernel" : "");
}

static void tell_no_listener(const struct telling *t)
{
	if (t->e->snat_port)
		say(t, "listener", "none: the destination is a SNAT port, so an endpoint's packet");
	else if (t->e->ours)
		say(t, "listener", "none on this address and port");
	else
		say(t, "listener", "none: the destination is no address of this interface");
}

static void tell_listener(const struct telling *t)
{
	const struct image_listener *l;
	char address[ENDPOINT_NAME_BYTES];

	if (t->e->listener == EXPLAIN_NONE) {
		tell_no_listener(t);
		return;
	}
	l = listener_of(t);
	endpoint_name(&l->ip, l->family, l->port, address);
	stats_json_set_string(t->body, "listener", name_at(t, l->name));
	say(t, "listener", "%s: %s %s -> cluster %s", name_at(t, l->name),
	    l->proto == PROTO_TCP ? "tcp" : "udp", address, name_at(t, cluster_of(t)->name));
}

/* -- limits and permits ------------------------------------------------------------------ */

static void tell_limit(const struct telling *t, json_t *limits, const char *name,
		       const struct image_limit *limit)
{
	if (limit->algorithm == IMAGE_LIMIT_NONE)
		return;
	json_object_set_new(limits, name,
			    json_pack("{s:I,s:I,s:I}", "rate", (json_int_t)limit->rate, "burst",
				      (json_int_t)limit->burst, "window_ms",
				      (json_int_t)limit->window_ms));
	say(t, "rate limit", "%s: %lu a second, burst %lu", name, limit->rate, limit->burst);
}

static void tell_rate_limits(const struct telling *t)
{
	const struct image_rate_limit *r = &listener_of(t)->rate_limit;
	json_t *limits = json_object();

	tell_limit(t, limits, "connections of the listener", &r->listener);
	tell_limit(t, limits, "connections of the client", &r->source);
	tell_limit(t, limits, "packets of the connection", &r->packets);
	tell_limit(t, limits, "bytes of the connection", &r->bytes);
	json_object_set_new(t->body, "rate_limits", limits);
}

static void tell_permits(const struct telling *t, const char *step, const char *key,
			 const struct bulkhead_state *state, const struct image_bulkhead *policy)
{
	const uint64_t word = counter_read(&state->word);
	const struct bulkhead_state copy = {.word = word};

	json_object_set_new(t->body, key, stats_json_bulkhead(&copy, policy));
	if (policy->mode == MODE_OFF || policy->max_concurrent == 0)
		return;
	say(t, step, "%u of %u permits taken%s, %u of %u places in the queue%s",
	    (uint32_t)(word >> 32), policy->max_concurrent,
	    policy->scope == SCOPE_SOURCE ? " (each client has its own)" : "", (uint16_t)word,
	    policy->max_queue, policy->mode == MODE_OBSERVE ? "; observed only" : "");
}

static const char *phase_text(uint64_t word)
{
	switch (breaker_unpack(word).phase) {
	case BREAKER_OPEN:
		return "open";
	case BREAKER_HALF_OPEN:
		return "half-open";
	default:
		return "closed";
	}
}

static void tell_breaker(const struct telling *t, const struct cluster_state *state)
{
	const struct image_breaker *policy = &cluster_of(t)->breaker;
	const uint64_t word = counter_read(&state->breaker), admin = counter_read(&state->admin);
	const uint8_t override = admin_unpack(admin).override;

	json_object_set_new(
		t->body, "breaker",
		stats_json_breaker(word, admin, (enum image_mode)policy->mode, t->q->now_ns));
	if (override != OVERRIDE_NONE)
		say(t, "breaker", "forced %s by an operator",
		    override == OVERRIDE_OPEN ? "open" : "closed");
	else if (policy->mode != MODE_OFF)
		say(t, "breaker", "%s%s", phase_text(word),
		    policy->mode == MODE_OBSERVE ? "; observed only" : "");
}

static void tell_gates(const struct telling *t)
{
	const struct region *r = t->q->region;
	const struct image_cluster *c = cluster_of(t);
	uint32_t slot;

	if (t->e->listener != EXPLAIN_NONE) {
		slot = registry_find(r->listener_registry, r->shape.listener_slots,
				     listener_of(t)->key);
		tell_rate_limits(t);
		if (slot < r->shape.listener_slots)
			tell_permits(t, "listener permit", "listener_bulkhead",
				     &r->listener_state[slot].bulkhead, &listener_of(t)->bulkhead);
	}
	slot = registry_find(r->cluster_registry, r->shape.cluster_slots, c->key);
	if (slot >= r->shape.cluster_slots)
		return;
	tell_breaker(t, &r->cluster_state[slot]);
	tell_permits(t, "cluster permit", "bulkhead", &r->cluster_state[slot].bulkhead,
		     &c->bulkhead);
}

/* -- the balance ------------------------------------------------------------------------- */

static const char *algorithm_name(uint8_t algorithm)
{
	static const char *const names[LB_ALGORITHMS] = {
		[LB_ROUND_ROBIN] = "round_robin", [LB_MAGLEV] = "maglev",
		[LB_RANDOM] = "random",           [LB_LEAST_REQUESTS] = "least_requests",
		[LB_PEAK_EWMA] = "peak_ewma",     [LB_RING_HASH] = "ring_hash",
		[LB_RENDEZVOUS] = "rendezvous",
	};

	return names[algorithm];
}

static const char *hash_on_text(uint8_t hash_on)
{
	switch (hash_on) {
	case HASH_ON_SOURCE_IP:
		return "source_ip";
	case HASH_ON_SOURCE_PORT:
		return "source_port";
	default:
		return "source_ip, source_port";
	}
}

static void tell_balance(const struct telling *t)
{
	const struct image_cluster *c = cluster_of(t);
	char hash[32], priority[48] = "";
	json_t *balance = json_object();

	snprintf(hash, sizeof(hash), "0x%016lx", t->e->hash);
	stats_json_set_string(t->body, "cluster", name_at(t, c->name));
	stats_json_set_string(balance, "algorithm", algorithm_name(c->algorithm));
	stats_json_set(balance, "endpoints", c->endpoint_count);
	stats_json_set(balance, "usable", t->e->usable);
	stats_json_set(balance, "priority", t->e->priority);
	if (t->e->hashed)
		stats_json_set_string(balance, "hash", hash);
	json_object_set_new(t->body, "balance", balance);
	if (c->balance.priorities > 1)
		snprintf(priority, sizeof(priority), ", begins at priority %u (%u %% of calls)",
			 t->e->priority, t->e->priority_share / 100);
	if (t->e->hashed)
		say(t, "balance", "%s of %s, hash %s; %u of %u endpoints usable%s",
		    algorithm_name(c->algorithm), hash_on_text(c->hash_on), hash, t->e->usable,
		    c->endpoint_count, priority);
	else
		say(t, "balance", "%s; %u of %u endpoints usable%s", algorithm_name(c->algorithm),
		    t->e->usable, c->endpoint_count, priority);
}

static json_t *objections_json(uint8_t objections)
{
	static const char *const names[] = {
		"drained",       "forced_open",    "unhealthy",  "ejected",
		"bulkhead_full", "other_priority", "other_zone", "slow_start",
	};
	json_t *list = json_array();

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (objections >> i & 1)
			json_array_append_new(list, json_string(names[i]));
	return list;
}

static void tell_candidates(const struct telling *t)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < t->e->candidate_count; i++) {
		const struct explain_candidate *c = &t->e->candidate[i];
		const struct image_endpoint *e = endpoint_at(t, c->endpoint);
		json_t *row = json_pack("{s:s,s:i,s:i,s:I,s:o}", "endpoint", name_at(t, e->name),
					"weight", e->weight, "priority", e->priority, "in_flight",
					(json_int_t)c->in_flight, "against",
					objections_json(c->objections));

		if (c->limit)
			stats_json_set(row, "max_concurrent", c->limit);
		if (c->panic)
			stats_json_set_bool(row, "panic", 1);
		json_array_append_new(list, row);
	}
	json_object_set_new(t->body, "candidates", list);
}

/* -- the decision ------------------------------------------------------------------------ */

static void tell_send(const struct telling *t, json_t *decision)
{
	const struct image_endpoint *e = endpoint_at(t, t->e->endpoint);
	const struct image_interface *i = interface_of(t, e->interface);
	char snat[ENDPOINT_NAME_BYTES], hop[ENDPOINT_NAME_BYTES];

	endpoint_name(&e->snat, e->family, 0, snat);
	endpoint_name(&t->e->next_hop, e->family, 0, hop);
	/* Without the port. */
	*strrchr(snat, ':') = '\0';
	*strrchr(hop, ':') = '\0';
	stats_json_set_string(decision, "endpoint", name_at(t, e->name));
	stats_json_set_string(decision, "interface", name_at(t, i->name));
	stats_json_set_string(decision, "snat", snat);
	if (t->e->has_next_hop)
		stats_json_set_string(decision, "next_hop", hop);
	say(t, "decision", "sent to %s%s", name_at(t, e->name),
	    t->e->sure ? "" : ", or another one: the algorithm draws");
	say(t, "way", "by %s, from %s port %u-%u, next hop %s", name_at(t, i->name), snat,
	    i->snat_port_low, i->snat_port_high, t->e->has_next_hop ? hop : "none: no route");
}

static void tell_nothing(const struct telling *t, json_t *decision)
{
	enum reason reason = t->e->snat_port ? REASON_NO_CONNECTION
			     : t->e->ours    ? REASON_NO_LISTENER
					     : REASON_NOT_OURS;

	if (t->e->cluster != EXPLAIN_NONE) {
		say(t, "decision", "none: no listener leads to this cluster");
		return;
	}
	stats_json_set_string(decision, "reason", reason_name(reason));
	say(t, "decision", "dropped, %s: %s", reason_name(reason), reason_text(reason));
}

static void tell_decision(const struct telling *t)
{
	static const char *const results[] = {
		[EXPLAIN_NOTHING] = "nothing",
		[EXPLAIN_SEND] = "send",
		[EXPLAIN_WAIT] = "wait",
		[EXPLAIN_REJECT] = "reject",
	};
	json_t *decision = json_object();

	stats_json_set_string(decision, "result", results[t->e->next]);
	switch (t->e->next) {
	case EXPLAIN_SEND:
		stats_json_set_bool(decision, "sure", t->e->sure);
		tell_send(t, decision);
		break;
	case EXPLAIN_WAIT:
		stats_json_set(decision, "wait_ms", t->e->wait_ns / 1000000);
		say(t, "decision", "waits in the queue, at most %lu ms", t->e->wait_ns / 1000000);
		break;
	case EXPLAIN_REJECT:
		stats_json_set_string(decision, "reason", reason_name(t->e->reason));
		say(t, "decision", "rejected, %s: %s", reason_name(t->e->reason),
		    reason_text(t->e->reason));
		break;
	default:
		tell_nothing(t, decision);
	}
	json_object_set_new(t->body, "decision", decision);
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "?";
}

static void tell_connection(const struct telling *t, json_t *connection)
{
	if (!connection) {
		json_object_set_new(t->body, "connection", json_null());
		say(t, "connection", "none yet: what follows is what a new one would meet");
		return;
	}
	say(t, "connection", "%s, %s -> %s by %s, to %s", text_of(connection, "state"),
	    text_of(connection, "client"), text_of(connection, "destination"),
	    text_of(connection, "snat"), text_of(connection, "endpoint"));
	say(t, "connection", "goes on as it is; what follows is what a new one would meet");
	json_object_set_new(t->body, "connection", connection);
}

json_t *explain_json(const struct explain_question *q, const struct explanation *e,
		     json_t *connection)
{
	struct telling t = {.q = q, .e = e, .image = q->image};

	t.body = json_object();
	t.steps = json_array();
	if (!t.body || !t.steps) {
		json_decref(t.body);
		json_decref(t.steps);
		json_decref(connection);
		return NULL;
	}
	tell_generation(&t);
	if (q->cluster == EXPLAIN_NONE) {
		tell_interface(&t);
		tell_owner(&t);
		tell_connection(&t, connection);
		tell_listener(&t);
	}
	if (e->cluster != EXPLAIN_NONE) {
		tell_gates(&t);
		tell_balance(&t);
		tell_candidates(&t);
	}
	tell_decision(&t);
	json_object_set_new(t.body, "steps", t.steps);
	return t.body;
}
