/* SPDX-License-Identifier: Apache-2.0 */
/* The policy blocks of a cluster or listener. An absent block is zero throughout. */
#include "shm/image_check.h"

#include <errno.h>

#include "shm/breaker_word.h"

enum { ALL = 10000 /* 100 % */ };

static int in(uint32_t value, uint32_t low, uint32_t high)
{
	return value >= low && value <= high;
}

static int is_zero(const void *block, size_t bytes)
{
	const uint8_t *b = block;

	for (size_t i = 0; i < bytes; i++) {
		if (b[i])
			return 0;
	}
	return 1;
}

static int timeouts_ok(const struct image_timeouts *t)
{
	const struct {
		uint32_t value, low;
	} rows[] = {
		{t->connect_ms, 1},       {t->request_ms, 1},     {t->idle_tcp_ms, 1},
		{t->idle_udp_ms, 1},      {t->half_closed_ms, 1}, {t->max_duration_ms, 0},
		{t->verdict_after_ms, 0}, {t->drain_ms, 0},       {t->expect_reply_ms, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!in(rows[i].value, rows[i].low, MAX_TIMEOUT_MS))
			return 0;
	}
	return t->pad == 0;
}

static int balance_ok(const struct image_cluster *c)
{
	const struct image_balance *b = &c->balance;

	if (b->bounded_load != 0 &&
	    (!in(b->bounded_load, 100, 1000) || c->endpoint_count > BOUNDED_MAX_ENDPOINTS))
		return 0;
	if (c->algorithm == LB_RENDEZVOUS && c->endpoint_count > RENDEZVOUS_MAX_ENDPOINTS)
		return 0;
	return b->panic_threshold <= ALL && b->slow_start_ms <= MAX_TIMEOUT_MS;
}

static int window_ok(const struct image_breaker *b)
{
	if (b->window_kind == WINDOW_DURATION)
		return in(b->window, MIN_WINDOW_MS, MAX_TIMEOUT_MS) && b->minimum_calls >= 1;
	return b->window_kind == WINDOW_CALLS &&
	       in(b->window, MIN_WINDOW_CALLS, MAX_WINDOW_CALLS) && b->window % 10 == 0 &&
	       in(b->minimum_calls, 1, b->window);
}

static int breaker_ok(const struct image_breaker *b)
{
	if (b->mode == MODE_OFF)
		return is_zero(b, sizeof(*b));
	return b->mode <= MODE_OBSERVE && window_ok(b) && in(b->probes, 1, BREAKER_MAX_PROBES) &&
	       in(b->successes, 1, BREAKER_MAX_PROBES) && b->failure_rate <= ALL &&
	       b->slow_rate <= ALL && b->consecutive_failures <= BREAKER_MAX_CONSECUTIVE &&
	       in(b->max_open_ms, 1, MAX_OPEN_MS) && in(b->open_ms, 1, b->max_open_ms) &&
	       in(b->half_open_ms, 1, MAX_TIMEOUT_MS) && b->pad == 0;
}

static int outlier_ok(const struct image_outlier *o)
{
	if (o->breaker.mode == MODE_OFF)
		return is_zero(o, sizeof(*o));
	if (o->statistics & ~(OUTLIER_SUCCESS_RATE | OUTLIER_LATENCY))
		return 0;
	if (o->statistics && !(in(o->interval_ms, MIN_WINDOW_MS, MAX_TIMEOUT_MS) &&
			       in(o->minimum_hosts, 1, MAX_ENDPOINTS) && o->minimum_calls >= 1))
		return 0;
	return breaker_ok(&o->breaker) && o->max_ejected <= ALL &&
	       o->interval_ms <= MAX_TIMEOUT_MS && o->minimum_hosts <= MAX_ENDPOINTS &&
	       o->pad0 == 0;
}

static int bulkhead_ok(const struct image_bulkhead *b)
{
	if (b->mode == MODE_OFF)
		return is_zero(b, sizeof(*b));
	/* Nobody waits where nothing is bounded, nor for the permits of one client. */
	if (b->max_queue != 0 && (b->max_concurrent == 0 || b->scope == SCOPE_SOURCE ||
				  b->max_queue > MAX_QUEUE || b->queue_timeout_ms == 0))
		return 0;
	return b->mode <= MODE_OBSERVE && b->scope <= SCOPE_SOURCE && b->share <= ALL &&
	       b->max_concurrent <= MAX_PERMITS && (b->max_concurrent != 0 || b->share != 0) &&
	       b->queue_timeout_ms <= MAX_TIMEOUT_MS && b->pad[0] == 0 && b->pad[1] == 0;
}

int image_listener_bulkhead_ok(const struct image_bulkhead *b)
{
	return bulkhead_ok(b) && b->scope == SCOPE_CLUSTER && b->share == 0;
}

static int endpoint_bulkhead_ok(const struct image_bulkhead *b)
{
	return image_listener_bulkhead_ok(b) && b->max_queue == 0 && b->queue_timeout_ms == 0;
}

static int retry_ok(const struct image_retry *r)
{
	if (r->mode == MODE_OFF)
		return is_zero(r, sizeof(*r));
	return r->mode <= MODE_OBSERVE && in(r->max_attempts, 1, MAX_ATTEMPTS) &&
	       (r->on & ~(RETRY_ON_CONNECT_FAILURE | RETRY_ON_CONNECT_TIMEOUT)) == 0 &&
	       r->jitter <= JITTER_NONE && r->base_us <= r->max_us &&
	       in(r->factor_percent, 100, 1000) && r->ratio <= ALL &&
	       in(r->window_ms, MIN_WINDOW_MS, MAX_TIMEOUT_MS) &&
	       r->max_concurrent <= MAX_PERMITS && r->pad0 == 0;
}

static int source_address_ok(const struct image_ip *ip)
{
	return image_ip_unspecified(ip, FAMILY_V6) || !image_ip_is_v4(ip->b) ||
	       !image_ip_unspecified(ip, FAMILY_V4);
}

static int health_ok(const struct image_header *img, const struct image_health_check *h)
{
	if (h->mode == MODE_OFF)
		return is_zero(h, sizeof(*h));
	if (h->mode > MODE_OBSERVE || h->type > HEALTH_HTTP || h->initial_unhealthy > 1 ||
	    h->pad0 || h->pad1)
		return 0;
	if (!image_text_ok(img, h->path, MAX_TEXT_BYTES) ||
	    !image_text_ok(img, h->host, MAX_TEXT_BYTES) ||
	    (h->type == HEALTH_HTTP && image_string(img, h->path)[0] != '/'))
		return 0;
	if (h->type != HEALTH_NONE &&
	    (h->healthy_threshold == 0 || h->unhealthy_threshold == 0 || h->interval_ms == 0 ||
	     h->unhealthy_interval_ms == 0 || h->timeout_ms == 0))
		return 0;
	return h->interval_ms <= MAX_TIMEOUT_MS && h->unhealthy_interval_ms <= MAX_TIMEOUT_MS &&
	       h->timeout_ms <= MAX_TIMEOUT_MS && source_address_ok(&h->source);
}

static int source_ok(const struct image_header *img, const struct image_endpoint_source *s)
{
	if (s->kind == SOURCE_LIST)
		return is_zero(s, sizeof(*s));
	if (!image_name_ok(img, s->name, MAX_TEXT_BYTES) || s->stale_ok > 1 || s->pad)
		return 0;
	if (s->kind == SOURCE_FILE)
		return s->port == 0 && s->refresh_ms <= MAX_TIMEOUT_MS;
	return s->kind == SOURCE_DNS && in(s->refresh_ms, 1, MAX_TIMEOUT_MS);
}

int image_check_blocks(const struct image_header *img, uint32_t n, const struct why *why)
{
	const struct image_cluster *c = &IMAGE_ARRAY(img, struct image_cluster, clusters)[n];
	const struct {
		const char *name;
		int ok;
	} rows[] = {
		{"timeouts", timeouts_ok(&c->timeouts)},
		{"load_balancing", balance_ok(c)},
		{"circuit_breaker", breaker_ok(&c->breaker)},
		{"outlier_detection", outlier_ok(&c->outlier)},
		{"bulkhead", bulkhead_ok(&c->bulkhead)},
		{"endpoint_bulkhead", endpoint_bulkhead_ok(&c->endpoint_bulkhead)},
		{"retry", retry_ok(&c->retry)},
		{"health_check", health_ok(img, &c->health)},
		{"endpoints' source", source_ok(img, &c->source)},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!rows[i].ok)
			return why_fail(why, -EINVAL, "cluster %u: %s out of bounds", n,
					rows[i].name);
	}
	return 0;
}
