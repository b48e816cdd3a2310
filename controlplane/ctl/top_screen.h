/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal as top uses it: ncurses. Main thread. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_SCREEN_H
#define FENDER_CONTROLPLANE_CTL_TOP_SCREEN_H

#include <curses.h>

#include "controlplane/ctl/terminal.h"

enum { TOP_TEXT_BYTES = 1024 };

/*
 * What goes to stderr on the same terminal is lost until top_screen_end().
 * Return 0, or -ENOTTY after a sentence on stderr: no terminal that ncurses knows.
 */
int top_screen_begin(void);
void top_screen_end(void);

/* Whether it shows more than ASCII. */
int top_screen_utf8(void);

/* Bad is bold without colours too. */
attr_t top_attribute(enum colour colour);

/* Text in a field; what is too long ends in "…". Outside the screen nothing happens. Return the
 * columns that it takes. */
int top_put(int y, int x, int width, attr_t attr, const char *text);
int top_put_right(int y, int x, int width, attr_t attr, const char *text);

void top_highlight(int y);

#endif
