/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal that stdout is, or is not. Main thread. */
#ifndef FENDER_CONTROLPLANE_CTL_TERMINAL_H
#define FENDER_CONTROLPLANE_CTL_TERMINAL_H

enum { TERMINAL_WIDTH = 80, TERMINAL_NARROWEST = 40, TERMINAL_WIDEST = 1000 };

struct terminal {
	int width;   /* columns: COLUMNS, else the window's, else TERMINAL_WIDTH */
	int height;  /* lines; 0: no bound */
	int is_tty;  /* stdout */
	int colours; /* to be used */
};

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_WARN, COLOUR_BAD, COLOUR_TITLE };

/* What was found last; before that a file of TERMINAL_WIDTH columns. */
const struct terminal *terminal(void);

/* Look again: the window may have another size now. */
void terminal_look(void);

/* Before anything is opened: a closed stdin, stdout or stderr must not become a socket. */
void terminal_begin(void);

/**
 * terminal_end() - write what is left to stdout
 * Return: @status, or EXIT_FAILED with one line on stderr when it cannot be written. A reader
 * that has gone (EPIPE) is not worth a line.
 */
int terminal_end(int status);

/* Escape sequences, or "" without colours. */
const char *colour_begin(enum colour colour);
const char *colour_end(enum colour colour);

#endif
