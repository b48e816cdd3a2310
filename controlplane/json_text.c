/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/json_text.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4096 };

static int make_room(struct json_text *t, size_t bytes)
{
	size_t room = t->room ? t->room : FIRST_ROOM;
	char *grown;

	if (t->room - t->bytes >= bytes)
		return 1;
	while (room - t->bytes < bytes)
		room *= 2;
	grown = realloc(t->text, room);
	if (!grown) {
		t->failed = 1;
		return 0;
	}
	t->text = grown;
	t->room = room;
	return 1;
}

void json_text_add(struct json_text *t, const char *text, size_t bytes)
{
	if (t->failed || bytes == 0 || !make_room(t, bytes))
		return;
	memcpy(t->text + t->bytes, text, bytes);
	t->bytes += bytes;
}

static int on_dump(const char *text, size_t bytes, void *data)
{
	struct json_text *t = data;

	json_text_add(t, text, bytes);
	return t->failed ? -1 : 0;
}

void json_text_value(struct json_text *t, json_t *value)
{
	if (!value || json_dump_callback(value, on_dump, t, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		t->failed = 1;
	json_decref(value);
}

void json_text_open(struct json_text *t, json_t *object)
{
	json_text_value(t, object);
	if (!t->failed)
		t->bytes--; /* the brace */
}

void json_text_rows(struct json_text *t, const char *key)
{
	if (!t->failed && t->bytes > 0 && t->text[t->bytes - 1] != '{')
		json_text_add(t, ",", 1);
	json_text_add(t, "\"", 1);
	json_text_add(t, key, strlen(key));
	json_text_add(t, "\":[", 3);
	t->rows = 0;
}

void json_text_row(struct json_text *t, json_t *row)
{
	if (t->rows++ > 0)
		json_text_add(t, ",", 1);
	json_text_value(t, row);
}

void json_text_end_rows(struct json_text *t)
{
	json_text_add(t, "]", 1);
}

void json_text_close(struct json_text *t)
{
	json_text_add(t, "}", 1);
}

struct admin_text json_text_answer(struct json_text *t)
{
	struct admin_text answer = {200, "application/json", t->text, t->bytes};

	if (t->failed) {
		free(t->text);
		answer.text = NULL;
	}
	return answer;
}
