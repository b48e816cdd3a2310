/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/limits_policy.h"
#include "controlplane/liveness.h"
#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_limits.h"
#include "shm/limit_counters.h"
#include "shm/names.h"
#include "shm/registry.h"

enum { CHAINS = 512 };

/* A bucket as one reading saw it. */
struct bucket {
	struct limits_connection c; /* a worker's: the tuple of the client's side, place 0 */
	uint8_t by_worker;
};

struct row {
	struct bucket b;
	struct image_ip client;
	struct image_ip endpoint;
	uint16_t client_port; /* network order */
	uint16_t endpoint_port;
	struct limits_port port; /* SNAT, of a bucket that is known by it alone */
	uint32_t next;           /* of its chain: position + 1; 0: the last */
	uint8_t connected;       /* in the connection table */
	uint64_t packets;        /* passed between the readings */
	uint64_t bytes;
	uint32_t refused; /* between the readings */
};

struct reading {
	struct bucket at[LIMITS_REPORT_ROWS];
	size_t count;
	size_t least; /* position of the least refused one, when full */
	uint64_t time_ns;
};

struct limits_report {
	const struct limits *maps;
	const struct region *region;
	struct limits_wish *wish;
	char (*names)[NAME_BYTES];      /* of the policy's listeners */
	struct image_rate_limit *rules; /* likewise */
	struct reading first;
	struct reading second;
	struct row rows[LIMITS_REPORT_ROWS]; /* most refused first */
	size_t row_count;
	struct histogram_sum times[LIMIT_HOOKS];
	struct json_text text;                  /* but for what closes it */
	size_t row_end[LIMITS_REPORT_ROWS + 1]; /* bytes of it with so many rows */
	uint32_t chain[CHAINS];                 /* of rows: first position + 1; 0: empty */
};

static int copy_listeners(struct limits_report *r, const struct image_header *policy)
{
	const struct image_listener *from = IMAGE_ARRAY(policy, struct image_listener, listeners);

	r->names = calloc(policy->listeners.count + 1, sizeof(*r->names));
	r->rules = calloc(policy->listeners.count + 1, sizeof(*r->rules));
	if (!r->names || !r->rules)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->listeners.count; i++) {
		snprintf(r->names[i], NAME_BYTES, "%s", image_string(policy, from[i].name));
		r->rules[i] = from[i].rate_limit;
	}
	return 0;
}

struct limits_report *limits_report_create(const struct limits *maps, const struct region *region,
					   const struct image_header *policy)
{
	struct limits_report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->maps = maps;
	r->region = region;
	r->wish = limits_wish_create(policy, region->interfaces, region);
	if (r->wish && copy_listeners(r, policy) == 0)
		return r;
	limits_report_free(r);
	return NULL;
}

void limits_report_free(struct limits_report *r)
{
	if (!r)
		return;
	limits_wish_free(r->wish);
	free(r->names);
	free(r->rules);
	free(r->text.text);
	free(r);
}

/* -- the connection table ------------------------------------------------------------------ */

/* An entry as far as it is needed here; copied, its worker goes on writing. */
struct seen {
	uint32_t worker;
	uint32_t entry;
	struct conn_key fwd;
	struct conn_key rev;
	struct limit_ip client;
	struct limit_ip listener_ip;
	struct limit_ip endpoint;
	struct limit_ip snat;
	uint16_t listener;
};

static struct limit_ip ip_of(uint8_t family, uint32_t ipv4, const uint8_t *ipv6)
{
	struct limit_ip ip = {{0, 0, htonl(0xffff), ipv4}};

	if (family == FAMILY_V6)
		memcpy(&ip, ipv6, sizeof(ip));
	return ip;
}

/* 0: it is no connection. */
static int look(struct seen *s, const struct region *region, uint32_t worker, uint32_t entry)
{
	const struct conn *c = &region_connections(region, worker)[entry];
	uint8_t state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);

	if (state == CONN_FREE || state == CONN_RESTING || state == CONN_TOMBSTONE)
		return 0;
	*s = (struct seen){.worker = worker, .entry = entry, .fwd = c->fwd, .rev = c->rev};
	s->listener = c->listener;
	s->client = ip_of(s->fwd.family, s->fwd.src, c->client6);
	s->listener_ip = ip_of(s->fwd.family, s->fwd.dst, c->listener6);
	s->endpoint = ip_of(s->fwd.family, s->rev.src, c->endpoint6);
	s->snat = ip_of(s->fwd.family, s->rev.dst, c->snat6);
	return 1;
}

static void each_connection(struct limits_report *r,
			    void (*visit)(struct limits_report *r, const struct seen *s))
{
	struct seen s;

	for (uint32_t w = 0; w < r->region->shape.workers; w++)
		for (uint32_t i = 0; i < r->region->shape.connections_per_worker; i++)
			if (look(&s, r->region, w, i))
				visit(r, &s);
}

/* -- a reading ----------------------------------------------------------------------------- */

static int most_refused_first(const void *a, const void *b)
{
	const struct bucket *left = a;
	const struct bucket *right = b;

	return (left->c.refused < right->c.refused) - (left->c.refused > right->c.refused);
}

static void find_least(struct reading *r)
{
	r->least = 0;
	for (size_t i = 1; i < r->count; i++)
		if (r->at[i].c.refused < r->at[r->least].c.refused)
			r->least = i;
}

/* Where there is no room left the least refused one gives way. */
static void offer(struct reading *to, const struct bucket *b)
{
	if (to->count < LIMITS_REPORT_ROWS) {
		to->at[to->count++] = *b;
		if (to->count < LIMITS_REPORT_ROWS)
			return;
	} else if (to->at[to->least].c.refused < b->c.refused) {
		to->at[to->least] = *b;
	} else {
		return;
	}
	find_least(to);
}

static void offer_workers(struct limits_report *r, const struct seen *s)
{
	const struct flow_limit *f = &region_flow_limits(r->region, s->worker)[s->entry];

	for (uint8_t to_client = 0; to_client < 2; to_client++) {
		const struct flow_bucket *from = &f->to[to_client];
		struct bucket b = {.by_worker = 1};

		b.c.refused = __atomic_load_n(&from->refused, __ATOMIC_RELAXED);
		if (!__atomic_load_n(&from->shape, __ATOMIC_RELAXED) || !b.c.refused)
			continue;
		b.c.passed = __atomic_load_n(&from->passed, __ATOMIC_RELAXED);
		b.c.src = s->client;
		b.c.dst = s->listener_ip;
		b.c.sport = s->fwd.sport;
		b.c.dport = s->fwd.dport;
		b.c.proto = s->fwd.proto;
		b.c.listener = s->listener;
		b.c.to_client = to_client;
		offer(&r->second, &b);
	}
}

static int read_xdp(struct limits_report *r)
{
	struct limits_connection *top;
	int count;

	if (!r->maps)
		return 0;
	top = calloc(LIMITS_REPORT_ROWS, sizeof(*top));
	if (!top)
		return -ENOMEM;
	count = limits_top(r->maps, top, LIMITS_REPORT_ROWS);
	for (int i = 0; i < count; i++)
		offer(&r->second, &(struct bucket){.c = top[i]});
	free(top);
	return count < 0 ? count : 0;
}

/* -- both readings ------------------------------------------------------------------------- */

static int same_bucket(const struct bucket *a, const struct bucket *b)
{
	return a->by_worker == b->by_worker && a->c.to_client == b->c.to_client &&
	       a->c.place == b->c.place && a->c.listener == b->c.listener &&
	       a->c.proto == b->c.proto && a->c.sport == b->c.sport && a->c.dport == b->c.dport &&
	       memcmp(&a->c.src, &b->c.src, sizeof(a->c.src)) == 0 &&
	       memcmp(&a->c.dst, &b->c.dst, sizeof(a->c.dst)) == 0;
}

static const struct bucket *find_before(const struct reading *first, const struct bucket *b)
{
	for (size_t i = 0; i < first->count; i++)
		if (same_bucket(&first->at[i], b))
			return &first->at[i];
	return NULL;
}

/* The client's side of a bucket is known by its tuple, or by the SNAT port alone. */
static int by_port(const struct row *row)
{
	return row->b.c.to_client && !row->b.by_worker;
}

static void add_row(struct limits_report *r, const struct bucket *b)
{
	const struct bucket *before = find_before(&r->first, b);
	struct row *to = &r->rows[r->row_count++];

	*to = (struct row){.b = *b};
	/* New since then: no rate is known, all that was refused was just now. */
	to->refused = before ? b->c.refused - before->c.refused : b->c.refused;
	if (before)
		limits_passed(before->c.passed, b->c.passed, &to->packets, &to->bytes);
	if (by_port(to)) {
		limits_port_of(&r->wish->policy, b->c.place, &to->port);
	} else {
		memcpy(&to->client, &b->c.src, sizeof(to->client));
		to->client_port = b->c.sport;
	}
}

static int is_of(const struct row *row, const struct seen *s)
{
	const struct limits_connection *c = &row->b.c;

	if (c->listener != s->listener)
		return 0;
	if (by_port(row))
		return ntohs(s->rev.dport) == row->port.port && s->rev.proto == row->port.proto &&
		       memcmp(&s->snat, &row->port.ip, sizeof(s->snat)) == 0;
	return s->fwd.proto == c->proto && s->fwd.sport == c->sport && s->fwd.dport == c->dport &&
	       memcmp(&s->client, &c->src, sizeof(c->src)) == 0 &&
	       memcmp(&s->listener_ip, &c->dst, sizeof(c->dst)) == 0;
}

static void connect_row(struct row *row, const struct seen *s)
{
	row->connected = 1;
	row->b.c.proto = s->fwd.proto;
	memcpy(&row->client, &s->client, sizeof(row->client));
	row->client_port = s->fwd.sport;
	if (!s->rev.family)
		return; /* it waits for an endpoint */
	memcpy(&row->endpoint, &s->endpoint, sizeof(row->endpoint));
	row->endpoint_port = s->rev.sport;
}

static void join_chain(struct limits_report *r, const struct seen *s, uint16_t port)
{
	for (uint32_t i = r->chain[port % CHAINS]; i; i = r->rows[i - 1].next)
		if (!r->rows[i - 1].connected && is_of(&r->rows[i - 1], s))
			connect_row(&r->rows[i - 1], s);
}

static void join(struct limits_report *r, const struct seen *s)
{
	uint16_t client = ntohs(s->fwd.sport), snat = ntohs(s->rev.dport);

	join_chain(r, s, client);
	if (snat % CHAINS != client % CHAINS)
		join_chain(r, s, snat);
}

/* By the port that a connection is found by. */
static void make_chains(struct limits_report *r)
{
	memset(r->chain, 0, sizeof(r->chain));
	for (size_t i = 0; i < r->row_count; i++) {
		struct row *row = &r->rows[i];
		uint16_t port = by_port(row) ? row->port.port : ntohs(row->b.c.sport);

		row->next = r->chain[port % CHAINS];
		r->chain[port % CHAINS] = (uint32_t)i + 1;
	}
}

static int rows_most_refused_first(const void *a, const void *b)
{
	const struct row *left = a;
	const struct row *right = b;

	if (left->refused != right->refused)
		return left->refused < right->refused ? 1 : -1;
	return most_refused_first(&left->b, &right->b);
}

/* A bucket of nobody's: the connection is over, and nothing was refused just now. */
static int is_past(const struct row *row)
{
	return !row->connected && (!row->refused || by_port(row));
}

static void make_rows(struct limits_report *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->second.count; i++)
		add_row(r, &r->second.at[i]);
	make_chains(r);
	each_connection(r, join);
	for (size_t i = 0; i < r->row_count; i++)
		if (!is_past(&r->rows[i]))
			r->rows[kept++] = r->rows[i];
	r->row_count = kept;
	qsort(r->rows, r->row_count, sizeof(*r->rows), rows_most_refused_first);
}

/* -- as JSON ------------------------------------------------------------------------------- */

static int find_listener(const struct limits_report *r, uint32_t number)
{
	for (size_t i = 0; i < r->wish->policy.listener_count; i++)
		if (r->wish->listeners[i].number == number)
			return (int)i;
	return -1;
}

static void set_limit(json_t *object, const char *key, const struct image_limit *limit)
{
	if (limit->algorithm != IMAGE_LIMIT_NONE)
		json_object_set_new(object, key, json_integer((json_int_t)limit->rate));
}

static void set_rules(json_t *object, const struct image_rate_limit *rules)
{
	static const char *const actions[] = {"drop", "mark", "observe"};
	json_t *limit = json_object();

	set_limit(limit, "packets_per_second", &rules->packets);
	set_limit(limit, "bytes_per_second", &rules->bytes);
	if (rules->action < 3)
		json_object_set_new(limit, "action", json_string(actions[rules->action]));
	json_object_set_new(object, "limit", limit);
}

static void set_peer(json_t *object, const char *key, const struct image_ip *ip, uint16_t port)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	int family = memcmp(ip, mapped, sizeof(mapped)) == 0 ? FAMILY_V4 : FAMILY_V6;
	char name[ENDPOINT_NAME_BYTES];

	endpoint_name(ip, (uint8_t)family, port, name);
	json_object_set_new(object, key, json_string(name));
}

static void set_rate(json_t *object, const char *key, uint64_t count, uint64_t ns)
{
	double rate = ns ? (double)count * 1e9 / (double)ns : 0;

	json_object_set_new(object, key, json_integer((json_int_t)(rate + 0.5)));
}

static json_t *row_json(const struct limits_report *r, const struct row *row)
{
	uint64_t ns = r->second.time_ns - r->first.time_ns;
	int listener = find_listener(r, row->b.c.listener);
	json_t *object = json_object();

	set_peer(object, "client", &row->client, row->client_port);
	if (row->endpoint_port)
		set_peer(object, "endpoint", &row->endpoint, row->endpoint_port);
	if (listener >= 0) {
		json_object_set_new(object, "listener", json_string(r->names[listener]));
		set_rules(object, &r->rules[listener]);
	}
	json_object_set_new(object, "protocol",
			    json_string(row->b.c.proto == PROTO_UDP ? "udp" : "tcp"));
	json_object_set_new(object, "direction",
			    json_string(row->b.c.to_client ? "to_client" : "to_endpoint"));
	json_object_set_new(object, "limiter", json_string(row->b.by_worker ? "dpdk" : "xdp"));
	set_rate(object, "packets_per_second", row->packets, ns);
	set_rate(object, "bytes_per_second", row->bytes, ns);
	set_rate(object, "refused_per_second", row->refused, ns);
	json_object_set_new(object, "refused", json_integer(row->b.c.refused));
	return object;
}

static int has_limits(const struct image_rate_limit *rules)
{
	return rules->packets.algorithm || rules->bytes.algorithm || rules->source.algorithm ||
	       rules->listener.algorithm;
}

static json_t *head_json(const struct limits_report *r)
{
	uint64_t ns = r->second.time_ns - r->first.time_ns;
	json_t *root = json_object();
	json_int_t limited = 0;

	for (size_t i = 0; i < r->wish->policy.listener_count; i++)
		limited += has_limits(&r->rules[i]);
	json_object_set_new(root, "interval_ms", json_integer((json_int_t)(ns / 1000000)));
	json_object_set_new(root, "limited_listeners", json_integer(limited));
	json_object_set_new(root, "limited_connections", json_integer((json_int_t)r->row_count));
	json_object_set_new(root, "verdicts", stats_json_verdict_times(r->times));
	return root;
}

static void write_text(struct limits_report *r)
{
	json_text_open(&r->text, head_json(r));
	json_text_rows(&r->text, "connections");
	r->row_end[0] = r->text.bytes;
	for (size_t i = 0; i < r->row_count; i++) {
		json_text_row(&r->text, row_json(r, &r->rows[i]));
		r->row_end[i + 1] = r->text.bytes;
	}
}

struct admin_text limits_report_answer(const struct limits_report *r, size_t count)
{
	struct json_text copy = {.failed = r->text.failed};

	json_text_add(&copy, r->text.text, r->row_end[count < r->row_count ? count : r->row_count]);
	json_text_end_rows(&copy);
	json_text_close(&copy);
	return json_text_answer(&copy);
}

/* -- the readings -------------------------------------------------------------------------- */

int limits_report_read(struct limits_report *r)
{
	int second = r->second.time_ns != 0;
	int rc;

	r->first = r->second;
	r->second.count = 0;
	r->second.time_ns = monotonic_ns();
	rc = read_xdp(r);
	each_connection(r, offer_workers);
	if (rc == 0 && second)
		rc = stats_limits_times(r->times, r->region, r->maps);
	if (rc == 0 && second) {
		make_rows(r);
		write_text(r);
	}
	return rc;
}
