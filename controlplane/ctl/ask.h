/* SPDX-License-Identifier: Apache-2.0 */
/* What most commands are: one request, and its answer shown. */
#ifndef FENDER_CONTROLPLANE_CTL_ASK_H
#define FENDER_CONTROLPLANE_CTL_ASK_H

#include <jansson.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/options.h"

/* Shows a good answer on stdout. Return: the exit status. */
typedef int ask_show(const struct options *options, const json_t *body);

/**
 * ask() - one request to the instance that @options name
 * @show: NULL: a good answer needs no words
 * With --json the body is printed in place of @show, whatever the status.
 * Return: @show's, or the exit status after one line on stderr.
 */
int ask(const struct options *options, const char *method, const char *path, ask_show *show);

/* The same with a client that is there already. */
int ask_client(struct client *client, const struct options *options, const char *path,
	       ask_show *show);

/* The answer's sentence on stderr. Return EXIT_FAILED. */
int ask_refused(const json_t *body);

/* Indented, with a newline. */
void ask_print_json(const json_t *body);

/*
 * @base with the query's "key=value", percent-encoded; @value NULL leaves it as it is. *@path is
 * replaced and freed by the caller; NULL in and out of memory.
 */
void ask_add_query(char **path, const char *key, const char *value);

/* Digits, from @low to @high. Return 0 or -EINVAL. */
int ask_number(const char *text, unsigned long low, unsigned long high, unsigned long *out);

#endif
