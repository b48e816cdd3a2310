/* SPDX-License-Identifier: Apache-2.0 */
/* `fender events`: GET /events, a line each. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/event_text.h"
#include "controlplane/ctl/view.h"

enum { RETRY_MS = 250 };

struct reader {
	const struct options *options;
	json_int_t seq; /* the last one shown; -1: none yet */
	int is_away;    /* the instance is waited for */
};

/* The server's numbers began anew: so does --since. */
static void note_position(struct reader *r, const json_t *event)
{
	const json_t *seq = json_object_get(event, "seq");

	if (json_is_true(json_object_get(event, "restarted")))
		r->seq = 0;
	else if (json_is_integer(seq))
		r->seq = json_integer_value(seq);
}

static void print_json_line(const char *line, size_t bytes)
{
	fwrite(line, 1, bytes, stdout);
	putchar('\n');
}

static int on_line(void *ctx, const char *line, size_t bytes)
{
	struct reader *r = ctx;
	json_t *event = json_loadb(line, bytes, 0, NULL);

	if (r->is_away)
		fprintf(stderr, "fender events: the instance is back\n");
	r->is_away = 0;
	note_position(r, event);
	if (json_object_get(event, "error"))
		ask_refused(event);
	else if (r->options->json)
		print_json_line(line, bytes);
	else if (event)
		event_print(event, stdout);
	json_decref(event);
	/* Whoever follows through a pipe wants each line at once. */
	return !r->options->follow || fflush(stdout) == 0;
}

static char *make_path(const struct reader *r)
{
	char *path = strdup("/events");
	char seq[32];

	ask_add_query(&path, "follow", r->options->follow ? "1" : NULL);
	if (r->seq >= 0) {
		snprintf(seq, sizeof(seq), "%" JSON_INTEGER_FORMAT, r->seq);
		ask_add_query(&path, "since", seq);
	} else {
		ask_add_query(&path, "since", r->options->since);
	}
	return path;
}

static int stream(struct client *client, struct reader *r)
{
	char *path = make_path(r);
	long status = 0;
	int rc = EXIT_FAILED;

	if (path)
		rc = client_stream(client, path, on_line, r, &status);
	free(path);
	if (rc == 0 && status != 200)
		rc = EXIT_FAILED;
	return rc;
}

/* Once there was an instance it is waited for: it restarts, and its events are kept. */
static int follow(struct client *client, struct reader *r)
{
	const struct timespec pause = {0, RETRY_MS * 1000000};
	int rc = stream(client, r), was_there = rc != EXIT_NO_INSTANCE || r->seq >= 0;

	while (was_there && rc != EXIT_FAILED && !ferror(stdout)) {
		if (!r->is_away)
			fprintf(stderr, "fender events: the instance has gone, waiting for it\n");
		r->is_away = 1;
		nanosleep(&pause, NULL);
		rc = stream(client, r);
	}
	return rc;
}

static int read_events(struct client *client, struct reader *r)
{
	int rc = r->options->follow ? follow(client, r) : stream(client, r);

	if (rc == EXIT_NO_INSTANCE)
		client_report_absent(client);
	return rc;
}

int command_events(const struct options *options)
{
	struct reader reader = {.options = options, .seq = -1};
	struct client *client;
	unsigned long since;
	int rc;

	if (options->since && ask_number(options->since, 0, LONG_MAX, &since) != 0) {
		fprintf(stderr, "fender events: --since takes the number of an event, not '%s'\n",
			options->since);
		return EXIT_USAGE;
	}
	rc = client_create(&client, options);
	if (rc != 0)
		return rc;
	rc = read_events(client, &reader);
	client_free(client);
	return rc;
}
