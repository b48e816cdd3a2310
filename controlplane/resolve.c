/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "controlplane/due_heap.h"
#include "controlplane/log.h"
#include "controlplane/resolve_lookup.h"
#include "controlplane/socket_polls.h"

/* A cluster with `dns`. */
struct name {
	struct due due; /* the next refresh; none while one is under way */
	struct resolver *resolver;
	char *cluster;
	char *domain;
	uint16_t port;
	int family;
	uint32_t refresh_ms;
	int stale_ok;
	struct resolve_set good;
	int own;     /* good is what this very name was resolved to, not the one before */
	int failing; /* told already */
	int kept;    /* by the sync under way */
	struct resolve_lookup *under_way;
};

struct names {
	struct name **all; /* in the order of the clusters */
	uint32_t count;
};

struct resolver {
	struct resolver_config config;
	ares_channel channel;
	struct socket_polls polls;
	uv_timer_t channel_timer; /* when c-ares wants to run without input */
	uv_timer_t timer;         /* refreshes */
	struct due_heap refreshes;
	struct names names;
	struct endpoint_set *sets; /* room for names */
	struct endpoint_sets view;
};

static void run(struct resolver *r);

static void on_channel_timer(uv_timer_t *timer)
{
	struct resolver *r = timer->data;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	run(r);
}

static void set_channel_timer(struct resolver *r)
{
	struct timeval space;
	const struct timeval *left = ares_timeout(r->channel, NULL, &space);

	if (left)
		uv_timer_start(&r->channel_timer, on_channel_timer,
			       (uint64_t)left->tv_sec * 1000 + (uint64_t)left->tv_usec / 1000 + 1,
			       0);
	else
		uv_timer_stop(&r->channel_timer);
}

static void on_ready(void *ctx, int fd, int events)
{
	struct resolver *r = ctx;

	ares_process_fd(r->channel, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
			events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
	run(r);
}

static void on_socket_wanted(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = ctx;

	/* One that cannot be watched times out. */
	socket_polls_watch(&r->polls, fd,
			   (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0));
}

static void tell_failure(struct name *n, int status)
{
	if (n->failing)
		return;
	n->failing = 1;
	log_warn("dns", "event=not_resolved cluster=%s name=%s error=\"%s\" endpoints_kept=%zu",
		 n->cluster, n->domain, ares_strerror(status), n->good.count);
}

/* Take over @set. */
static void take_set(struct name *n, struct resolve_set *set)
{
	const struct resolver_config *config = &n->resolver->config;
	int changed = !resolve_set_equal(&n->good, set);

	resolve_set_free(&n->good);
	n->good = *set;
	if (!changed)
		return;
	if (n->good.count > 0)
		log_info("dns", "event=resolved cluster=%s name=%s endpoints=%zu", n->cluster,
			 n->domain, n->good.count);
	config->changed(config->ctx);
}

static void schedule(struct name *n)
{
	uint64_t wait_ms = n->refresh_ms;

	if (n->good.count == 0 && wait_ms > RESOLVE_RETRY_MS)
		wait_ms = RESOLVE_RETRY_MS;
	due_heap_set(&n->resolver->refreshes, &n->due, uv_now(n->resolver->config.loop) + wait_ms);
}

static void on_resolved(void *ctx, int status, struct resolve_set *set)
{
	struct name *n = ctx;

	n->under_way = NULL;
	if (status == ARES_SUCCESS) {
		n->failing = 0;
		n->own = 1;
		take_set(n, set);
	} else if (n->stale_ok && n->own) {
		tell_failure(n, status);
	} else {
		take_set(n, set);
		tell_failure(n, status);
	}
	schedule(n);
}

static void start(struct name *n)
{
	const struct resolve_question question = {n->domain, n->port, n->family};
	struct resolver *r = n->resolver;

	due_heap_remove(&r->refreshes, &n->due);
	if (resolve_lookup_start(&n->under_way, r->channel, &question, on_resolved, n) != 0)
		schedule(n);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

/* Start what is due. */
static void run(struct resolver *r)
{
	uint64_t now_ms = uv_now(r->config.loop);
	struct due *due;

	while ((due = due_heap_first(&r->refreshes)) && due->at_ms <= now_ms)
		start((struct name *)due);
	if (due)
		uv_timer_start(&r->timer, on_timer, due->at_ms - now_ms, 0);
	else
		uv_timer_stop(&r->timer);
	set_channel_timer(r);
}

static void free_name(struct name *n)
{
	if (n->under_way)
		resolve_lookup_abandon(n->under_way);
	due_heap_remove(&n->resolver->refreshes, &n->due);
	resolve_set_free(&n->good);
	free(n->cluster);
	free(n->domain);
	free(n);
}

/* What the endpoints of a cluster must be: of its listeners' family, of any without listeners. */
static int family_of(const struct image_header *policy, uint32_t cluster)
{
	const struct image_listener *l = IMAGE_ARRAY(policy, struct image_listener, listeners);
	int v4 = 0, v6 = 0;

	for (uint32_t i = 0; i < policy->listeners.count; i++) {
		if (l[i].cluster != cluster)
			continue;
		v4 |= l[i].family == FAMILY_V4;
		v6 |= l[i].family == FAMILY_V6;
	}
	return v4 == v6 ? AF_UNSPEC : v4 ? AF_INET : AF_INET6;
}

static struct name *find_name(const struct names *names, const char *cluster)
{
	for (uint32_t i = 0; i < names->count; i++)
		if (strcmp(names->all[i]->cluster, cluster) == 0)
			return names->all[i];
	return NULL;
}

static int same_name(const struct name *n, const struct image_endpoint_source *source,
		     const char *domain)
{
	return n->port == source->port && strcmp(n->domain, domain) == 0;
}

static struct name *new_name(struct resolver *r, const struct image_header *policy,
			     uint32_t cluster)
{
	const struct image_cluster *c =
		&IMAGE_ARRAY(policy, struct image_cluster, clusters)[cluster];
	struct name *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->resolver = r;
	n->cluster = strdup(image_string(policy, c->name));
	n->domain = strdup(image_string(policy, c->source.name));
	if (!n->cluster || !n->domain || resolve_set_of_image(&n->good, policy, cluster) != 0) {
		free_name(n);
		return NULL;
	}
	n->port = c->source.port;
	n->family = family_of(policy, cluster);
	n->own = n->good.count > 0;
	return n;
}

/*
 * The name of cluster number @cluster: as it was, or a new one. A new question to an old cluster
 * leaves it its endpoints until the first answer.
 */
static struct name *name_of(struct resolver *r, const struct image_header *policy, uint32_t cluster)
{
	const struct image_cluster *c =
		&IMAGE_ARRAY(policy, struct image_cluster, clusters)[cluster];
	const char *domain = image_string(policy, c->source.name);
	struct name *before = find_name(&r->names, image_string(policy, c->name));
	int same = before && same_name(before, &c->source, domain);
	struct name *n;

	if (same && before->family == family_of(policy, cluster))
		return before;
	n = new_name(r, policy, cluster);
	if (n && before)
		n->own = same && before->own;
	return n;
}

static int make_names(struct resolver *r, const struct image_header *policy, struct names *out)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);

	*out = (struct names){.all = calloc(policy->clusters.count + 1, sizeof(struct name *))};
	if (!out->all)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->clusters.count; i++) {
		struct name *n;

		if (c[i].source.kind != SOURCE_DNS)
			continue;
		n = name_of(r, policy, i);
		if (!n)
			return -ENOMEM;
		out->all[out->count++] = n;
		n->kept = 1;
	}
	return 0;
}

/* Free the names of @from that are not kept. */
static void drop(struct names *from)
{
	for (uint32_t i = 0; i < from->count; i++)
		if (!from->all[i]->kept)
			free_name(from->all[i]);
	free(from->all);
}

static void set_kept(struct names *names, int kept)
{
	for (uint32_t i = 0; i < names->count; i++)
		names->all[i]->kept = kept;
}

static void schedule_names(struct resolver *r, const struct image_header *policy)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	struct name **at = r->names.all;

	for (uint32_t i = 0; i < policy->clusters.count; i++) {
		struct name *n;

		if (c[i].source.kind != SOURCE_DNS)
			continue;
		n = *at++;
		n->stale_ok = c[i].source.stale_ok;
		if (n->refresh_ms == c[i].source.refresh_ms)
			continue;
		n->refresh_ms = c[i].source.refresh_ms;
		if (!n->under_way)
			due_heap_set(&r->refreshes, &n->due, uv_now(r->config.loop));
	}
}

int resolver_sync(struct resolver *r, const struct image_header *policy)
{
	struct names before = r->names, names;
	struct endpoint_set *sets = calloc(policy->clusters.count + 1, sizeof(*sets));
	int rc = sets ? due_heap_reserve(&r->refreshes, before.count + policy->clusters.count)
		      : -ENOMEM;

	if (rc != 0) {
		free(sets);
		return rc;
	}
	set_kept(&before, 0);
	rc = make_names(r, policy, &names);
	if (rc != 0) {
		/* The new ones alone go. */
		set_kept(&names, 0);
		set_kept(&before, 1);
		drop(&names);
		free(sets);
		return rc;
	}
	drop(&before);
	r->names = names;
	free(r->sets);
	r->sets = sets;
	schedule_names(r, policy);
	run(r);
	return 0;
}

const struct endpoint_sets *resolver_sets(struct resolver *r)
{
	for (uint32_t i = 0; i < r->names.count; i++) {
		const struct name *n = r->names.all[i];

		r->sets[i] = (struct endpoint_set){n->cluster, n->good.endpoints, n->good.count};
	}
	r->view = (struct endpoint_sets){r->sets, r->names.count};
	return &r->view;
}

static int open_channel(struct resolver *r)
{
	struct ares_options options = {
		.timeout = RESOLVE_TIMEOUT_MS,
		.tries = RESOLVE_TRIES,
		.sock_state_cb = on_socket_wanted,
		.sock_state_cb_data = r,
	};
	int rc = ares_library_init(ARES_LIB_INIT_ALL);

	if (rc != ARES_SUCCESS)
		return rc;
	rc = ares_init_options(&r->channel, &options,
			       ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
	if (rc == ARES_SUCCESS && r->config.servers) {
		rc = ares_set_servers_ports_csv(r->channel, r->config.servers);
		if (rc != ARES_SUCCESS)
			ares_destroy(r->channel);
	}
	if (rc != ARES_SUCCESS)
		ares_library_cleanup();
	return rc;
}

int resolver_create(struct resolver **out, const struct resolver_config *config, char *why,
		    size_t why_size)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->config = *config;
	r->polls = (struct socket_polls){.loop = config->loop, .ctx = r, .ready = on_ready};
	rc = open_channel(r);
	if (rc != ARES_SUCCESS) {
		snprintf(why, why_size, "DNS servers %.64s: %s",
			 config->servers ? config->servers : "of /etc/resolv.conf",
			 ares_strerror(rc));
		free(r);
		return -EINVAL;
	}
	uv_timer_init(config->loop, &r->channel_timer);
	uv_timer_init(config->loop, &r->timer);
	r->channel_timer.data = r;
	r->timer.data = r;
	*out = r;
	return 0;
}

void resolver_stop(struct resolver *r)
{
	set_kept(&r->names, 0);
	drop(&r->names);
	r->names = (struct names){0};
	ares_destroy(r->channel);
	ares_library_cleanup();
	socket_polls_end(&r->polls);
	uv_timer_stop(&r->channel_timer);
	uv_timer_stop(&r->timer);
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	due_heap_free(&r->refreshes);
	free(r->sets);
	free(r);
}
