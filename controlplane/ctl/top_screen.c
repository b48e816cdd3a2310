/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_screen.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "controlplane/ctl/table.h"

enum { ESCAPE_MS = 25 /* how long the rest of a key's sequence may take */ };

static SCREEN *screen;
static int real_stderr = -1;
static int is_utf8;

/* -- the terminal ------------------------------------------------------------------------ */

/* Without a locale a terminal understands UTF-8 all the same. */
static void choose_locale(void)
{
	const char *name = setlocale(LC_CTYPE, "");

	if (!name || strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0)
		setlocale(LC_CTYPE, "C.UTF-8");
	is_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void begin_colours(void)
{
	if (!terminal()->colours || !has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(COLOUR_GOOD, COLOR_GREEN, -1);
	init_pair(COLOUR_WARN, COLOR_YELLOW, -1);
	init_pair(COLOUR_BAD, COLOR_RED, -1);
}

/* Whatever is said there meanwhile would stand in the tables. */
static void silence(void)
{
	int null = isatty(STDERR_FILENO) ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	if (null < 0)
		return;
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(null, STDERR_FILENO);
	close(null);
}

static void unsilence(void)
{
	if (real_stderr < 0)
		return;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	real_stderr = -1;
}

int top_screen_begin(void)
{
	const char *kind = getenv("TERM");

	choose_locale();
	use_tioctl(TRUE);
	screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		fprintf(stderr, "fender top: TERM is '%s', which is no known terminal\n",
			kind ? kind : "");
		return -ENOTTY;
	}
	silence();
	begin_colours();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	return 0;
}

void top_screen_end(void)
{
	endwin();
	delscreen(screen);
	screen = NULL;
	unsilence();
}

/* -- text -------------------------------------------------------------------------------- */

attr_t top_attribute(enum colour colour)
{
	static const attr_t plain[] = {
		[COLOUR_NONE] = A_NORMAL, [COLOUR_GOOD] = A_NORMAL, [COLOUR_WARN] = A_NORMAL,
		[COLOUR_BAD] = A_BOLD,    [COLOUR_TITLE] = A_BOLD,
	};
	int is_coloured = colour == COLOUR_GOOD || colour == COLOUR_WARN || colour == COLOUR_BAD;

	return plain[colour] |
	       (is_coloured && terminal()->colours && has_colors() ? COLOR_PAIR(colour) : 0);
}

/*
 * The bytes of @text that take @width columns at most; *@columns receives how many. Control
 * characters become '?', and so does what the terminal's character set has not.
 */
static size_t fit(char *text, int width, int *columns)
{
	size_t at = 0, bytes = strlen(text);
	mbstate_t state = {0};

	*columns = 0;
	while (at < bytes) {
		wchar_t c;
		size_t n = mbrtowc(&c, text + at, bytes - at, &state);
		int is_good = n > 0 && n <= bytes - at && wcwidth(c) >= 0;
		int wide = is_good ? wcwidth(c) : 1;

		if (*columns + wide > width)
			break;
		if (!is_good) {
			memset(text + at, '?', n > bytes - at || n == 0 ? 1 : n);
			memset(&state, 0, sizeof(state));
			n = 1;
		}
		*columns += wide;
		at += n;
	}
	return at;
}

/* Text in a field; what is too long ends in "…". Return the columns that it takes. */
int top_put(int y, int x, int width, attr_t attr, const char *text)
{
	char copy[TOP_TEXT_BYTES];
	int columns;
	size_t bytes;

	if (y < 0 || y >= getmaxy(stdscr) || x < 0 || x >= getmaxx(stdscr) || width <= 0)
		return 0;
	if (width > getmaxx(stdscr) - x)
		width = getmaxx(stdscr) - x;
	snprintf(copy, sizeof(copy), "%s", text);
	bytes = fit(copy, width, &columns);
	attrset(attr);
	if (copy[bytes]) {
		bytes = fit(copy, width - 1, &columns);
		mvaddnstr(y, x, copy, (int)bytes);
		mvaddstr(y, x + columns, is_utf8 ? "…" : "~");
		columns++;
	} else {
		mvaddnstr(y, x, copy, (int)bytes);
	}
	attrset(A_NORMAL);
	return columns;
}

int top_put_right(int y, int x, int width, attr_t attr, const char *text)
{
	int columns = (int)text_columns(text);

	return top_put(y, columns < width ? x + width - columns : x, width, attr, text);
}

void top_highlight(int y)
{
	if (y >= 0 && y < getmaxy(stdscr))
		mvchgat(y, 0, -1, A_REVERSE, 0, NULL);
}

int top_screen_utf8(void)
{
	return is_utf8;
}
