/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/progress.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { WHAT_BYTES = 64, DIGITS = 8 };

static char line[WHAT_BYTES + 32];
static size_t text_end; /* of what stands before the seconds */
static unsigned int seconds;

static void write_all(const char *text, size_t bytes)
{
	ssize_t written = write(STDERR_FILENO, text, bytes);

	(void)written; /* a terminal that has gone needs no progress */
}

/* Async-signal-safe. */
static void on_second(int signal_number)
{
	char digits[DIGITS];
	size_t first = DIGITS, end = text_end;
	int kept = errno;

	for (unsigned int left = ++seconds; first > 0; left /= 10) {
		digits[--first] = (char)('0' + left % 10);
		if (left < 10)
			break;
	}
	for (; first < DIGITS; first++)
		line[end++] = digits[first];
	memcpy(line + end, " s\033[K", 5);
	write_all(line, end + 5);
	errno = kept;
}

static void tick_every(time_t s)
{
	const struct itimerval every = {{s, 0}, {s, 0}};

	setitimer(ITIMER_REAL, &every, NULL);
}

void progress_begin(const char *what)
{
	struct sigaction action = {.sa_handler = on_second, .sa_flags = SA_RESTART};

	if (!isatty(STDERR_FILENO))
		return;
	seconds = 0;
	text_end = (size_t)snprintf(line, sizeof(line), "\r%.60s, ", what);
	sigaction(SIGALRM, &action, NULL);
	tick_every(1);
}

void progress_end(void)
{
	if (text_end == 0)
		return;
	tick_every(0);
	signal(SIGALRM, SIG_DFL);
	if (seconds > 0)
		write_all("\r\033[K", 4);
	text_end = 0;
}
