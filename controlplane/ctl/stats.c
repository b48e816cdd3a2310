/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/stats_view.h"

#define CLEAR_SCREEN "\033[H\033[2J"

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
	int rc = client_request(client, "GET", "/stats", reply);

	if (rc == 0 && reply->status != 200) {
		fprintf(stderr, "fender: the instance answered %ld\n", reply->status);
		rc = EXIT_FAILED;
	}
	return rc;
}

static void print(const struct options *options, const json_t *now, const json_t *before)
{
	if (options->json) {
		json_dumpf(now, stdout, options->watch ? JSON_COMPACT : JSON_INDENT(2));
		putchar('\n');
		return;
	}
	if (options->watch && isatty(STDOUT_FILENO))
		fputs(CLEAR_SCREEN, stdout);
	else if (before)
		putchar('\n');
	stats_view_print(now, before, stdout);
}

static int show(struct client *client, const struct options *options, long ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
	json_t *before = NULL;
	struct reply reply;
	int rc;

	while ((rc = get_stats(client, &reply)) == 0) {
		print(options, reply.body, before);
		json_decref(before);
		before = json_incref(reply.body);
		if (!options->watch || fflush(stdout) != 0)
			break;
		nanosleep(&pause, NULL);
	}
	json_decref(before);
	return rc;
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
	rc = client_create(&client, options);
	if (rc != 0)
		return rc;
	rc = show(client, options, ms);
	client_free(client);
	return rc;
}
