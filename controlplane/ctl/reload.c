/* SPDX-License-Identifier: Apache-2.0 */
/* `fender reload` and `fender rollback`: another policy, and what came of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/progress.h"

static double milliseconds(const json_t *timings, const char *stage)
{
	return (double)json_integer_value(json_object_get(timings, stage)) / 1000;
}

static void print_timings(const json_t *timings)
{
	printf("  validated in %.1f ms, staged in %.1f ms, published in %.1f ms;\n"
	       "  every worker decided by it %.1f ms later\n",
	       milliseconds(timings, "validate"), milliseconds(timings, "stage"),
	       milliseconds(timings, "publish"), milliseconds(timings, "adopt"));
}

static void print_changed(const json_t *changed)
{
	static const char *const kinds[] = {"listeners", "clusters", "endpoints"};
	static const char *const words[] = {"added", "removed", "changed"};
	const char *separator = "  ";

	for (size_t i = 0; i < 3; i++) {
		const json_t *count = json_object_get(changed, kinds[i]);
		json_int_t n[3], all = 0;

		for (size_t k = 0; k < 3; k++)
			all += n[k] = json_integer_value(json_object_get(count, words[k]));
		if (all == 0)
			continue;
		printf("%s%s:", separator, kinds[i]);
		for (size_t k = 0; k < 3; k++)
			if (n[k])
				printf(" %" JSON_INTEGER_FORMAT " %s", n[k], words[k]);
		separator = "; ";
	}
	if (separator[0] == ';')
		printf("\n");
}

/* @error: "needs a restart: <key>" */
static void print_way_out(const char *error, FILE *out)
{
	if (error && strstr(error, "sidecar.name"))
		fprintf(out, "an instance keeps its name: stop it and start the other one\n");
	else
		fprintf(out, "`fender upgrade` tries to apply it, and connections go on\n");
}

/* Return 1 when it is in force. */
static int print_report(const struct reply *reply)
{
	const char *result = json_string_value(json_object_get(reply->body, "result"));
	const char *error = json_string_value(json_object_get(reply->body, "error"));
	const json_t *errors = json_object_get(reply->body, "errors");
	FILE *out = reply->status == 200 ? stdout : stderr;

	for (size_t i = 0; i < json_array_size(errors); i++)
		fprintf(out, "%s\n", json_string_value(json_array_get(errors, i)));
	if (!result) {
		fprintf(stderr, "fender: %s\n", error ? error : "the instance refused");
		return 0;
	}
	fprintf(out, "%s: generation %" JSON_INTEGER_FORMAT " is %s\n", result,
		json_integer_value(json_object_get(reply->body, "generation")),
		reply->status == 202 ? "published" : "in force");
	if (strcmp(result, "needs_restart") == 0)
		print_way_out(json_string_value(json_array_get(errors, 0)), out);
	if (strcmp(result, "applied") == 0) {
		print_changed(json_object_get(reply->body, "changed"));
		print_timings(json_object_get(reply->body, "timings_us"));
	}
	return reply->status == 200;
}

static int post(const struct options *options, const char *path)
{
	struct client *client;
	struct reply reply;
	int rc = client_create(&client, options);

	if (rc != 0)
		return rc;
	progress_begin("waiting until every worker has the policy");
	rc = client_request(client, "POST", path, &reply);
	progress_end();
	if (rc == 0 && options->json) {
		ask_print_json(reply.body);
		rc = reply.status == 200 ? EXIT_OK : EXIT_FAILED;
	} else if (rc == 0) {
		rc = print_report(&reply) ? EXIT_OK : EXIT_FAILED;
	}
	client_free(client);
	return rc;
}

int command_reload(const struct options *options)
{
	return post(options, "/reload");
}

int command_rollback(const struct options *options)
{
	char path[64], *end;
	unsigned long long to;

	if (!options->operand)
		return post(options, "/rollback");
	errno = 0;
	to = strtoull(options->operand, &end, 10);
	if (errno || *end || end == options->operand || options->operand[0] == '-' || to == 0) {
		fprintf(stderr,
			"fender rollback: found %s, expected the number of a generation (fender "
			"generations)\n",
			options->operand);
		return EXIT_USAGE;
	}
	snprintf(path, sizeof(path), "/rollback?to=%llu", to);
	return post(options, path);
}
