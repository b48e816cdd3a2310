/* SPDX-License-Identifier: Apache-2.0 */
/* A client of the admin API of an instance on this machine. */
#ifndef FENDER_CONTROLPLANE_CTL_CLIENT_H
#define FENDER_CONTROLPLANE_CTL_CLIENT_H

#include <jansson.h>
#include <stddef.h>

#include "controlplane/ctl/options.h"

struct client;

struct reply {
	long status;
	json_t *body; /* the client's until the next request */
};

/**
 * client_create() - find the instance's socket
 *
 * Without --instance the only socket in the run directory; none or several are an error that
 * is printed on stderr and names them. Return 0, EXIT_NO_INSTANCE or EXIT_FAILED.
 */
int client_create(struct client **out, const struct options *options);
void client_free(struct client *client);

/* One request. Return 0, or EXIT_NO_INSTANCE or EXIT_FAILED after one line on stderr. */
int client_request(struct client *client, const char *method, const char *path,
		   struct reply *reply);

#endif
