/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/screen.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/terminal.h"

#define HOME       "\033[H"
#define LINE_REST  "\033[K"
#define BELOW_REST "\033[J"

static char *text;
static size_t text_size;
static int is_buffered, is_drawn;

FILE *screen_begin(void)
{
	static char buffer[1 << 16];

	/* A terminal gets each line at once otherwise. */
	if (!is_buffered)
		setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	is_buffered = 1;
	free(text);
	text = NULL;
	return open_memstream(&text, &text_size);
}

static size_t count_lines(const char *from)
{
	size_t lines = 0;

	for (; (from = strchr(from, '\n')); from++)
		lines++;
	return lines;
}

static void draw(const char *line)
{
	size_t lines = count_lines(line), shown = lines;

	if (terminal()->height > 1 && lines > (size_t)terminal()->height - 1)
		shown = (size_t)terminal()->height - 2;
	/* The first picture finds something there. */
	fputs(is_drawn ? HOME : HOME BELOW_REST, stdout);
	is_drawn = 1;
	for (size_t i = 0; i < shown; i++) {
		size_t bytes = strcspn(line, "\n");

		fwrite(line, 1, bytes, stdout);
		fputs(LINE_REST "\n", stdout);
		line += bytes + 1;
	}
	if (shown < lines)
		printf("… %zu more lines: make the window higher" LINE_REST, lines - shown);
	fputs(BELOW_REST, stdout);
}

void screen_end(FILE *picture)
{
	if (fclose(picture) != 0 || !text)
		return;
	if (terminal()->is_tty)
		draw(text);
	else
		fputs(text, stdout);
}
