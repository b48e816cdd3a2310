/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/fatal.h"

#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Without the time: nothing may be formatted in a handler. */
static const char *line;

static void on_bus_error(int number)
{
	(void)!write(STDERR_FILENO, line, strlen(line));
	_exit(EX_IOERR);
}

void fatal_start(enum log_format format)
{
	line = format == LOG_FORMAT_JSON ? "{\"level\":\"error\",\"subject\":\"dataplane\","
					   "\"event\":\"region_truncated\"}\n"
					 : "error dataplane event=region_truncated\n";
	signal(SIGBUS, on_bus_error);
}
