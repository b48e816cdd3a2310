/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON written piece by piece: an answer of ten thousand rows is never a tree of ten thousand
 * objects.
 */
#ifndef FENDER_CONTROLPLANE_JSON_TEXT_H
#define FENDER_CONTROLPLANE_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "controlplane/admin.h"

struct json_text {
	char *text; /* not NUL-terminated; free() */
	size_t bytes;
	size_t room;
	int failed; /* out of memory: text is of no use */
	int rows;   /* of the array that is open */
};

/* Raw bytes. */
void json_text_add(struct json_text *t, const char *text, size_t bytes);

/* A value; takes it over. NULL: out of memory. */
void json_text_value(struct json_text *t, json_t *value);

/* The members of @object, its brace left open for json_text_rows(); takes it over. */
void json_text_open(struct json_text *t, json_t *object);
/* Begin the member @key, an array; json_text_row() adds to it. */
void json_text_rows(struct json_text *t, const char *key);
void json_text_row(struct json_text *t, json_t *row);
void json_text_end_rows(struct json_text *t);
void json_text_close(struct json_text *t);

/* As an answer, 200, or 500 when memory was short. The text is taken over. */
struct admin_text json_text_answer(struct json_text *t);

#endif
