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
 * is printed on stderr and names them. Who may not use it is given the read-only one, if that
 * may be used. Return 0, EXIT_NO_INSTANCE or EXIT_FAILED.
 */
int client_create(struct client **out, const struct options *options);
void client_free(struct client *client);

/* One request. Return 0, or EXIT_NO_INSTANCE or EXIT_FAILED after one line on stderr. */
int client_request(struct client *client, const char *method, const char *path,
		   struct reply *reply);

/* How long a request may take: 25 s if nothing else is said. */
void client_set_timeout(struct client *client, long ms);

/* The line that client_request() prints for EXIT_NO_INSTANCE. */
void client_report_absent(const struct client *client);
/*
 * As client_request(), without a line on stderr for EXIT_NO_INSTANCE: none, it went away, or it did
 * not answer in time.
 */
int client_request_quietly(struct client *client, const char *method, const char *path,
			   struct reply *reply);

/* A line of the answer without its end. Return 0 to end the stream. */
typedef int client_line(void *ctx, const char *line, size_t bytes);

/**
 * client_stream() - GET an answer of lines, each as it comes, for as long as it goes on
 * @status: of the answer; @on_line receives a body of another status than 200 as well
 * Takes the client's timeout away. A stream that is silent for 40 s (the server says something
 * every 15) is broken off. An instance that is not there or goes away is not reported on stderr.
 * Return: 0 when it ended, EXIT_NO_INSTANCE when it could not begin or broke off, EXIT_FAILED.
 */
int client_stream(struct client *client, const char *path, client_line *on_line, void *ctx,
		  long *status);

/**
 * client_instances() - call @each for every instance that has a socket in @run_dir
 * Return: how many.
 */
int client_instances(const char *run_dir, void (*each)(void *ctx, const char *name), void *ctx);

#endif
