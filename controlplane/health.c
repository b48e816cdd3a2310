/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/health_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controlplane/liveness.h"
#include "controlplane/log.h"
#include "shm/registry.h"

enum {
	PAUSE_MS = 20,    /* lateness of the loop that is no probe's fault */
	PUT_OFF_MS = 250, /* a probe of a check that has its share under way */
};

#define PROBE_OF(due, member) \
	((struct probe *)(void *)((char *)(due)-offsetof(struct probe, member)))

uint64_t health_random(struct health *h)
{
	uint64_t x = h->random += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t *health_admin_of(const struct region *region, uint64_t key, uint32_t *slot)
{
	*slot = registry_find(region->endpoint_registry, region->shape.endpoint_slots, key);
	return *slot != REGISTRY_NONE ? &region->endpoint_state[*slot].admin : NULL;
}

static void tell_change(const struct probe *p, uint32_t slot, uint64_t word, uint64_t now_ns)
{
	const struct event event = {
		.at_ns = now_ns,
		.kind = EVENT_HEALTH_CHANGED,
		.subject = SUBJECT_ENDPOINT,
		.slot = slot,
		.key = p->key,
		.detail = word,
		.observed = p->check->rules.mode == MODE_OBSERVE,
	};

	event_write(p->health->region->events, &event);
}

/*
 * The endpoint's word follows each result, so that one without a name in the region yet gets it
 * later. An observed check writes events alone.
 */
static void take_result(struct probe *p, enum health_reason reason)
{
	const struct image_health_check *rules = &p->check->rules;
	int changed = health_track_result(&p->track, rules, reason);
	uint64_t now_ns = monotonic_ns(), before, after;
	uint32_t slot;
	uint64_t *word = health_admin_of(p->health->region, p->key, &slot);

	if (!word)
		return;
	before = __atomic_load_n(word, __ATOMIC_RELAXED);
	after = health_admin_word(before, &p->track, rules, state_ms(now_ns));
	if (rules->mode == MODE_ENFORCE && after != before)
		/* Single writer; a worker reads it with its next connection. */
		__atomic_store_n(word, after, __ATOMIC_RELEASE);
	if (changed)
		tell_change(p, slot, after, now_ns);
}

static void tell_no_verdict(struct check *check, int error)
{
	if (check->no_source)
		return;
	check->no_source = 1;
	if (error == -EADDRNOTAVAIL)
		log_error(
			"health",
			"event=no_source cluster=%s detail=\"health_check.source is not an address "
			"of this machine: its endpoints stay as they are\"",
			check->cluster);
	else
		log_error("health", "event=no_probe cluster=%s error=\"%s\"", check->cluster,
			  strerror(-error));
}

/* It is no longer under way. */
static void leave(struct probe *p)
{
	p->tcp = NULL;
	p->http = NULL;
	if (p->end.place == 0)
		return;
	due_heap_remove(&p->health->ends, &p->end);
	p->check->under_way--;
}

static void end_probe(struct probe *p, int result)
{
	struct health *h = p->health;
	struct check *check = p->check;

	leave(p);
	if (result < 0) {
		tell_no_verdict(check, result);
	} else {
		check->no_source = 0;
		take_result(p, (enum health_reason)result);
	}
	due_heap_set(&h->starts, &p->start,
		     p->started_ms +
			     health_wait_ms(&check->rules, p->track.health, health_random(h)));
}

static void on_done(void *ctx, int result)
{
	struct probe *p = ctx;

	end_probe(p, result);
	health_run(p->health);
}

void health_cancel(struct probe *p)
{
	if (p->tcp)
		health_tcp_cancel(p->tcp);
	if (p->http)
		health_http_cancel(p->http);
	leave(p);
}

static int start_http(struct probe *p)
{
	struct health *h = p->health;
	int rc = h->pool ? 0 : health_http_pool_create(&h->pool, h->loop);

	return rc == 0 ? health_http_start(&p->http, h->pool, &p->target, on_done, p) : rc;
}

static void start_probe(struct probe *p)
{
	struct health *h = p->health;
	const struct image_health_check *rules = &p->check->rules;
	uint64_t now_ms = uv_now(h->loop);
	int rc;

	due_heap_remove(&h->starts, &p->start);
	p->started_ms = now_ms;
	due_heap_set(&h->ends, &p->end, now_ms + rules->timeout_ms);
	p->check->under_way++;
	if (rules->type == HEALTH_HTTP)
		rc = start_http(p);
	else
		rc = health_tcp_start(&p->tcp, h->loop, &p->target, on_done, p);
	if (rc != 0)
		end_probe(p, rc);
}

static void end_late(struct health *h)
{
	uint64_t now_ms = uv_now(h->loop);
	struct due *due;

	while ((due = due_heap_first(&h->ends)) && due->at_ms <= now_ms) {
		struct probe *p = PROBE_OF(due, end);

		health_cancel(p);
		end_probe(p, HEALTH_REASON_TIMEOUT);
	}
}

/* After a pause of this process answers may lie here unread: they are looked at first. */
static int has_paused(struct health *h)
{
	const struct due *end = due_heap_first(&h->ends);
	int late = end && uv_now(h->loop) >= end->at_ms + PAUSE_MS;

	h->paused = late && !h->paused;
	return h->paused;
}

static void on_timer(uv_timer_t *timer)
{
	struct health *h = timer->data;

	if (has_paused(h)) {
		uv_timer_start(timer, on_timer, 1, 0);
		return;
	}
	end_late(h);
	health_run(h);
}

static void set_timer(struct health *h)
{
	const struct due *start = due_heap_first(&h->starts), *end = due_heap_first(&h->ends);
	uint64_t at_ms = UINT64_MAX, now_ms = uv_now(h->loop);

	if (end)
		at_ms = end->at_ms;
	if (start && h->ends.count < HEALTH_MAX_PROBES && start->at_ms < at_ms)
		at_ms = start->at_ms;
	if (at_ms == UINT64_MAX)
		uv_timer_stop(&h->timer);
	else
		uv_timer_start(&h->timer, on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
}

void health_run(struct health *h)
{
	uint64_t now_ms = uv_now(h->loop);
	struct due *due;

	while (h->ends.count < HEALTH_MAX_PROBES && (due = due_heap_first(&h->starts)) &&
	       due->at_ms <= now_ms) {
		struct probe *p = PROBE_OF(due, start);

		if (p->check->under_way < h->checks.share)
			start_probe(p);
		else
			due_heap_set(&h->starts, due, now_ms + PUT_OFF_MS);
	}
	set_timer(h);
}

int health_create(struct health **out, uv_loop_t *loop, const struct region *region)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->region = region;
	if (getrandom(&h->random, sizeof(h->random), 0) < 0)
		h->random = monotonic_ns();
	uv_timer_init(loop, &h->timer);
	h->timer.data = h;
	*out = h;
	return 0;
}

void health_stop(struct health *h)
{
	for (uint32_t i = 0; i < h->probes.count; i++)
		health_free_probe(h, h->probes.by_key[i]);
	free(h->probes.by_key);
	h->probes = (struct probes){0};
	if (h->pool)
		health_http_pool_stop(h->pool);
	uv_timer_stop(&h->timer);
}

void health_free(struct health *h)
{
	if (!h)
		return;
	health_http_pool_free(h->pool);
	health_free_checks(&h->checks);
	due_heap_free(&h->starts);
	due_heap_free(&h->ends);
	free(h);
}
