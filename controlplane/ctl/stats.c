/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/screen.h"
#include "controlplane/ctl/stats_view.h"

enum { SHORTEST_MS = 100, LONGEST_S = 3600 };

/* Return 0 and milliseconds, or -EINVAL. */
static int watch_ms(const char *text, long *ms)
{
	char *end;
	double seconds = 1;

	if (*text) {
		seconds = strtod(text, &end);
		if (*end != '\0' || !(seconds * 1000 >= SHORTEST_MS && seconds <= LONGEST_S))
			return -EINVAL;
	}
	*ms = (long)(seconds * 1000);
	return 0;
}

static int get_stats(struct client *client, struct reply *reply)
{
	int rc = client_request_quietly(client, "GET", "/stats", reply);

	if (rc == 0 && reply->status != 200) {
		fprintf(stderr, "fender: the instance answered %ld\n", reply->status);
		rc = EXIT_FAILED;
	}
	return rc;
}

static void print_watched(const struct options *options, const json_t *now, const json_t *before)
{
	FILE *out;

	if (options->json) {
		json_dumpf(now, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	out = screen_begin();
	if (!out)
		return;
	if (!terminal()->is_tty && before)
		fputc('\n', out);
	stats_view_print(now, before, out);
	screen_end(out);
}

/* An instance that was there is waited for. */
static void print_absent(const struct options *options)
{
	FILE *out = options->json || !terminal()->is_tty ? NULL : screen_begin();

	if (!out)
		return;
	fprintf(out, "waiting for the instance: it does not answer\n");
	screen_end(out);
}

static int watch(struct client *client, const struct options *options, long ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
	json_t *before = NULL;
	struct reply reply;
	int rc = get_stats(client, &reply);

	if (rc == EXIT_NO_INSTANCE)
		client_report_absent(client);
	while (rc == 0 || (rc == EXIT_NO_INSTANCE && before)) {
		if (rc == 0) {
			print_watched(options, reply.body, before);
			json_decref(before);
			before = json_incref(reply.body);
		} else {
			print_absent(options);
		}
		if (fflush(stdout) != 0)
			break;
		nanosleep(&pause, NULL);
		terminal_look();
		rc = get_stats(client, &reply);
	}
	json_decref(before);
	return rc;
}

static int show(const struct options *options, const json_t *body)
{
	stats_view_print(body, NULL, stdout);
	return EXIT_OK;
}

int command_stats(const struct options *options)
{
	struct client *client;
	long ms = 0;
	int rc;

	if (options->watch && watch_ms(options->watch, &ms) != 0) {
		fprintf(stderr, "fender stats: --watch takes 0.1 to %d seconds, not '%s'\n",
			LONGEST_S, options->watch);
		return EXIT_USAGE;
	}
	if (!options->watch)
		return ask(options, "GET", "/stats", show);
	rc = client_create(&client, options);
	if (rc != 0)
		return rc;
	rc = watch(client, options, ms);
	client_free(client);
	return rc;
}
