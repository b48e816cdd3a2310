/* SPDX-License-Identifier: Apache-2.0 */
/* One resolution of one name: all the questions it takes. */
#ifndef FENDER_CONTROLPLANE_RESOLVE_LOOKUP_H
#define FENDER_CONTROLPLANE_RESOLVE_LOOKUP_H

#include <ares.h>

#include "controlplane/resolve_set.h"

struct resolve_lookup;

struct resolve_question {
	const char *name;
	uint16_t port; /* host order; 0: SRV records say */
	int family;    /* AF_INET, AF_INET6, AF_UNSPEC: both */
};

/*
 * @set: finished, taken over; empty unless @status is ARES_SUCCESS. A service whose target has no
 * address is left out; when one cannot be asked for, all has failed.
 */
typedef void resolve_done(void *ctx, int status, struct resolve_set *set);

/*
 * Ask. done() is called once, perhaps before this returns, unless the lookup is abandoned; also
 * when @channel is destroyed. @out: set before done() is called, valid until then.
 * Return: 0; -ENOMEM: done() is not called.
 */
int resolve_lookup_start(struct resolve_lookup **out, ares_channel channel,
			 const struct resolve_question *question, resolve_done *done, void *ctx);

/* Nobody wants to know any more. */
void resolve_lookup_abandon(struct resolve_lookup *lookup);

#endif
