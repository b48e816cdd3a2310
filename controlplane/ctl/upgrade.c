/* SPDX-License-Identifier: Apache-2.0 */
/* `fender upgrade`: POST /upgrade; where the control plane begins anew, then GET /upgrade. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/progress.h"

enum {
	ACCEPTED = 202,
	LOOK_MS = 50,
	ANSWER_MS = 5000,
	SILENCE_MS = 30000, /* the control plane begins anew in less than 10 s */
	END_MS = 120000,    /* comes up, or does not and goes back: each within 20 s */
};

/* The instance may run in another directory: it is told the whole path. NULL: said on stderr. */
static char *make_target(const char *program)
{
	char path[PATH_MAX];
	char *target;

	if (program && !realpath(program, path)) {
		fprintf(stderr, "fender upgrade: %s: %m\n", program);
		return NULL;
	}
	target = strdup("/upgrade");
	ask_add_query(&target, "dataplane", program ? path : NULL);
	return target;
}

static json_int_t number(const json_t *body, const char *key)
{
	return json_integer_value(json_object_get(body, key));
}

static const char *text(const json_t *body, const char *key)
{
	const char *value = json_string_value(json_object_get(body, key));

	return value ? value : "";
}

static int is(const json_t *body, const char *result)
{
	return strcmp(text(body, "result"), result) == 0;
}

static void show_ended(const json_t *body)
{
	json_t *reasons = json_object_get(body, "ended_by_reason");
	const char *reason;
	json_t *count;

	printf(", %" JSON_INTEGER_FORMAT " ended", number(body, "ended"));
	json_object_foreach(reasons, reason, count)
	{
		printf(" (%s %" JSON_INTEGER_FORMAT ")", reason, json_integer_value(count));
	}
}

static int show(const json_t *body)
{
	if (is(body, "failed")) {
		fprintf(stderr, "fender: the upgrade failed: %s\n", text(body, "error"));
		return EXIT_FAILED;
	}
	if (is(body, "upgraded")) {
		printf("upgraded: process %" JSON_INTEGER_FORMAT
		       " took over from %" JSON_INTEGER_FORMAT,
		       number(body, "pid"), number(body, "from"));
	} else {
		printf("upgraded with another %s: generation %" JSON_INTEGER_FORMAT
		       ", %" JSON_INTEGER_FORMAT " connections go on",
		       text(body, "changed"), number(body, "generation"), number(body, "carried"));
		show_ended(body);
	}
	printf(", nothing was forwarded for %" JSON_INTEGER_FORMAT " ms at most\n",
	       number(body, "pause_ms"));
	if (json_is_true(json_object_get(body, "file_differs")))
		printf("the policy file says something else than what is in force: `fender reload` "
		       "applies it\n");
	return EXIT_OK;
}

static int lost(void)
{
	fprintf(stderr, "fender: how the upgrade ended is not known: `fender generations` says "
			"what is in force\n");
	return EXIT_FAILED;
}

static int silent(void)
{
	fprintf(stderr, "fender: nobody answers: the control plane is gone; start it, and `fender "
			"generations` says what the upgrade did\n");
	return EXIT_NO_INSTANCE;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Until number @id has ended. It answers from another process's beginning: nobody may for a while.
 */
static int await(struct client *client, json_int_t id, struct reply *reply)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
	const int64_t end_ms = now_ms() + END_MS;
	int64_t heard_ms = now_ms();

	client_set_timeout(client, ANSWER_MS);
	while (now_ms() < end_ms) {
		int rc;

		nanosleep(&pause, NULL);
		rc = client_request_quietly(client, "GET", "/upgrade", reply);
		if (rc == EXIT_NO_INSTANCE) {
			if (now_ms() - heard_ms > SILENCE_MS)
				return silent();
			continue;
		}
		if (rc != 0 || reply->status != 200)
			return EXIT_FAILED;
		heard_ms = now_ms();
		if (is(reply->body, "begun"))
			continue;
		return number(reply->body, "upgrade") == id && !is(reply->body, "none") ? 0
											: lost();
	}
	return lost();
}

static int upgrade(struct client *client, const char *target, struct reply *reply)
{
	int rc = client_request(client, "POST", target, reply);

	return rc == 0 && reply->status == ACCEPTED
		       ? await(client, number(reply->body, "upgrade"), reply)
		       : rc;
}

int command_upgrade(const struct options *options)
{
	char *target = make_target(options->dataplane);
	struct client *client;
	struct reply reply;
	int rc = target ? client_create(&client, options) : EXIT_FAILED;

	if (rc != 0) {
		free(target);
		return rc;
	}
	progress_begin("waiting for the instance");
	rc = upgrade(client, target, &reply);
	progress_end();
	if (rc == 0 && options->json)
		ask_print_json(reply.body);
	if (rc == 0 && reply.status != 200)
		rc = ask_refused(reply.body);
	else if (rc == 0 && (!options->json || is(reply.body, "failed")))
		rc = show(reply.body);
	client_free(client);
	free(target);
	return rc;
}
