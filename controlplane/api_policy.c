/* SPDX-License-Identifier: Apache-2.0 */
/* GET /policy: the text in force. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/run_state.h"
#include "shm/publish.h"

struct snapshot {
	uint64_t generation;
	uint64_t hash;
	int as_yaml;
	int known;
	size_t bytes;
	char text[];
};

static struct snapshot *copy_text(const struct run *run)
{
	size_t bytes = 0;
	const char *text = reloader_text(run->reloader, &bytes);
	struct snapshot *s = calloc(1, sizeof(*s) + bytes + 1);

	if (!s)
		return NULL;
	s->generation = active_generation(counter_read(&run->region.header->active));
	s->hash = reloader_policy(run->reloader)->content_hash;
	s->known = text != NULL;
	s->bytes = bytes;
	if (text)
		memcpy(s->text, text, bytes);
	return s;
}

static void *take(void *ctx, struct admin_request *request)
{
	const char *format = admin_query(request, "format");
	int as_yaml = format && strcmp(format, "yaml") == 0;
	struct snapshot *s;

	if (format && !as_yaml && strcmp(format, "json") != 0) {
		admin_answer_error(request, MHD_HTTP_BAD_REQUEST, "'format' must be json or yaml");
		return NULL;
	}
	s = copy_text(ctx);
	if (s && as_yaml && !s->known) {
		free(s);
		admin_answer_error(request, MHD_HTTP_NOT_FOUND,
				   "the policy in force was found in shared memory: its text is "
				   "not known before the next reload");
		return NULL;
	}
	if (s)
		s->as_yaml = as_yaml;
	return s;
}

static struct admin_text build(void *snapshot)
{
	const struct snapshot *s = snapshot;
	struct admin_text text = {MHD_HTTP_OK, "application/yaml", NULL, s->bytes};
	char hash[17];
	json_t *body;

	if (s->as_yaml) {
		text.text = malloc(s->bytes + 1);
		if (text.text)
			memcpy(text.text, s->text, s->bytes);
		return text;
	}
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)s->hash);
	body = json_pack("{s:I,s:s}", "generation", (json_int_t)s->generation, "hash", hash);
	json_object_set_new(body, "text", s->known ? json_stringn(s->text, s->bytes) : json_null());
	return admin_text_of(MHD_HTTP_OK, body);
}

void api_generations(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;

	admin_answer(request, MHD_HTTP_OK, reloader_generations_json(run->reloader));
}

void api_policy(void *ctx, struct admin_request *request)
{
	static const struct admin_job job = {.take = take, .build = build, .drop = free};

	admin_answer_job(request, &job);
}
