/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoints of clusters with `dns`: A and AAAA records, or SRV records when the name has no
 * port. Each name is asked again every `refresh`. A set holds until there is another good one;
 * with `stale_ok: false` a refresh that fails empties it.
 */
#ifndef FENDER_CONTROLPLANE_RESOLVE_H
#define FENDER_CONTROLPLANE_RESOLVE_H

#include <uv.h>

#include "config/config.h"

enum {
	RESOLVE_TIMEOUT_MS = 1000, /* of one question to one server, longer when it is repeated */
	RESOLVE_TRIES = 2,
	RESOLVE_RETRY_MS = 1000,    /* without any endpoint, when the refresh is longer */
	RESOLVE_MAX_SERVICES = 256, /* of an SRV answer; those used first */
};

struct resolver;

struct resolver_config {
	uv_loop_t *loop;
	const char *servers; /* "ip[:port],..."; NULL: those of /etc/resolv.conf */
	void *ctx;
	void (*changed)(void *ctx); /* some set is another one */
};

/* @why: at least 160 bytes; one sentence. Return: 0 or -errno. */
int resolver_create(struct resolver **out, const struct resolver_config *config, char *why,
		    size_t why_size);

/**
 * resolver_sync() - resolve the names of @policy (checked) from now on
 *
 * A cluster whose name is unchanged keeps its set and schedule; one that is new begins with the
 * endpoints it has in @policy. Return: 0; -ENOMEM: the names before are kept.
 */
int resolver_sync(struct resolver *r, const struct image_header *policy);

/* All sets. Valid until the loop runs again. */
const struct endpoint_sets *resolver_sets(struct resolver *r);

void resolver_stop(struct resolver *r);
/* When its loop has closed all handles. NULL is fine. */
void resolver_free(struct resolver *r);

#endif
