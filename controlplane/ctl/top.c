/* SPDX-License-Identifier: Apache-2.0 */
/* `fender top`: GET /stats every second, as tables one moves in. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/top_draw.h"
#include "controlplane/ctl/top_screen.h"
#include "controlplane/ctl/top_source.h"

enum { SHORTEST_MS = 100, LONGEST_S = 3600, TICK_MS = 1000, DEFAULT_MS = 1000 };

struct top {
	struct top_source *source;
	struct top_model model;
	struct top_list list;
	struct top_state state;
	double away_since; /* NAN: it answers */
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void take(struct top *top)
{
	json_t *answer;

	if (!top_source_take(top->source, &answer))
		return;
	if (answer && !top->state.is_paused)
		top_model_take(&top->model, answer);
	if (!answer && isnan(top->away_since)) {
		top->away_since = now_s();
		top_model_gap(&top->model);
	}
	if (answer)
		top->away_since = NAN;
	json_decref(answer);
}

static void show(struct top *top)
{
	struct top_frame frame = {&top->model, &top->list, &top->state, NAN};
	struct top_query query = top_state_query(&top->state);

	if (!isnan(top->away_since))
		frame.away_s = now_s() - top->away_since;
	top->state.page = top_draw_page();
	if (top_list_make(&top->list, &top->model, &query) == 0)
		top_state_follow(&top->state, &top->model, &top->list);
	top_draw(&frame);
}

/* Return 0 to end. */
static int take_keys(struct top *top)
{
	int key;

	while ((key = getch()) != ERR) {
		struct top_query query;

		if (!top_state_key(&top->state, &top->model, &top->list, key))
			return 0;
		query = top_state_query(&top->state);
		if (top_list_make(&top->list, &top->model, &query) == 0)
			top_state_follow(&top->state, &top->model, &top->list);
	}
	return 1;
}

/* Until `q`, or the terminal has gone. */
static void loop(struct top *top)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = top_source_fd(top->source), .events = POLLIN}};

	do {
		show(top);
		if (poll(fds, 2, TICK_MS) < 0)
			fds[0].revents = 0; /* a signal: the window has another size */
		take(top);
	} while (!(fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) && take_keys(top));
}

static int run(struct top *top, json_t *first, long ms)
{
	int rc = EXIT_OK;

	if (top_model_take(&top->model, first) != 0) {
		fprintf(stderr, "fender top: the instance's answer is no statistics\n");
		return EXIT_FAILED;
	}
	if (top_screen_begin() != 0)
		return EXIT_FAILED;
	if (top_source_start(top->source, ms) == 0)
		loop(top);
	else
		rc = EXIT_FAILED;
	top_screen_end();
	return rc;
}

/* Return 0, or -EINVAL after a sentence. */
static int delay_ms(const struct options *options, long *ms)
{
	char *end;
	double seconds;

	*ms = DEFAULT_MS;
	if (!options->delay)
		return 0;
	seconds = strtod(options->delay, &end);
	if (end == options->delay || *end != '\0' ||
	    !(seconds * 1000 >= SHORTEST_MS && seconds <= LONGEST_S)) {
		fprintf(stderr, "fender top: --delay takes 0.1 to %d seconds, not '%s'\n",
			LONGEST_S, options->delay);
		return -EINVAL;
	}
	*ms = (long)(seconds * 1000);
	return 0;
}

int command_top(const struct options *options)
{
	struct top top = {.away_since = NAN};
	json_t *first = NULL;
	long ms;
	int rc;

	if (delay_ms(options, &ms) != 0)
		return EXIT_USAGE;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		fprintf(stderr, "fender top: needs a terminal; fender stats --watch does not\n");
		return EXIT_FAILED;
	}
	rc = top_source_create(&top.source, options, &first);
	if (rc != 0)
		return rc;
	top_state_start(&top.state);
	rc = run(&top, first, ms);
	json_decref(first);
	top_source_free(top.source);
	top_list_clear(&top.list);
	top_model_clear(&top.model);
	return rc;
}
