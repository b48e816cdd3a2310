/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation as JSON: every fact by its key, and the steps as sentences for people. */
#ifndef FENDER_CONTROLPLANE_EXPLAIN_JSON_H
#define FENDER_CONTROLPLANE_EXPLAIN_JSON_H

#include <jansson.h>

#include "dataplane/explain/explain.h"

/*
 * @connection: what connections_find() found, taken over; NULL: none.
 * Return: a new object; NULL: out of memory.
 */
json_t *explain_json(const struct explain_question *q, const struct explanation *e,
		     json_t *connection);

#endif
