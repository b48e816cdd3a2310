/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "controlplane/ctl/options.h"

static struct terminal found = {.width = TERMINAL_WIDTH};

const struct terminal *terminal(void)
{
	return &found;
}

static int clamp_width(long columns)
{
	if (columns < TERMINAL_NARROWEST)
		return TERMINAL_NARROWEST;
	return columns < TERMINAL_WIDEST ? (int)columns : TERMINAL_WIDEST;
}

/* 0: not set, or no number. */
static long columns_wanted(void)
{
	const char *text = getenv("COLUMNS");
	char *end;
	long columns = text && *text ? strtol(text, &end, 10) : 0;

	return columns > 0 && !*end ? columns : 0;
}

static int wants_colours(void)
{
	const char *none = getenv("NO_COLOR"), *kind = getenv("TERM");

	return !(none && *none) && kind && *kind && strcmp(kind, "dumb") != 0;
}

void terminal_look(void)
{
	long columns = columns_wanted();
	struct winsize window = {0};

	found.is_tty = isatty(STDOUT_FILENO);
	if (found.is_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0)
		window = (struct winsize){0};
	if (columns == 0)
		columns = window.ws_col;
	found.width = columns ? clamp_width(columns) : TERMINAL_WIDTH;
	found.height = window.ws_row;
	found.colours = found.is_tty && wants_colours();
}

void terminal_begin(void)
{
	/* The wrong way round: what is written to a closed stdout fails, as it should. */
	static const int modes[] = {O_WRONLY, O_RDONLY, O_WRONLY};

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(EXIT_FAILED);
	terminal_look();
}

int terminal_end(int status)
{
	int failed = ferror(stdout);

	errno = 0;
	if (fflush(stdout) != 0 || failed) {
		if (errno != EPIPE)
			fprintf(stderr, "fender: stdout cannot be written: %s\n",
				errno ? strerror(errno) : "write error");
		return status == EXIT_OK ? EXIT_FAILED : status;
	}
	return status;
}

const char *colour_begin(enum colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",          [COLOUR_GOOD] = "\033[32m", [COLOUR_WARN] = "\033[33m",
		[COLOUR_BAD] = "\033[1;31m", [COLOUR_TITLE] = "\033[1m",
	};

	return found.colours ? codes[colour] : "";
}

const char *colour_end(enum colour colour)
{
	return found.colours && colour != COLOUR_NONE ? "\033[0m" : "";
}
