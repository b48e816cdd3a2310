/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of fender-dataplane. */
#ifndef FENDER_DATAPLANE_OPTIONS_H
#define FENDER_DATAPLANE_OPTIONS_H

#include "dataplane/log.h"

enum {
	OPTIONS_PATH_BYTES = 256,
	TAKEOVER_NONE = -1,
	TAKEOVER_DEAD = -2, /* of a dataplane that is dying: nobody is told when we are ready */
};

struct options {
	const char *region;
	const char *instance;
	const char *run_dir;
	const char *bpf_root; /* NULL: no interface has our XDP program */
	int takeover_fd;      /* TAKEOVER_NONE: start at once; else see standby.h */
	enum log_level log_level;
	enum log_format log_format;
	char lock_path[OPTIONS_PATH_BYTES]; /* run_dir/instance.dataplane.lock */
	char wake_path[OPTIONS_PATH_BYTES]; /* run_dir/instance.wake */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/*
 * Read the arguments; what --help and --version print, and what is wrong, is printed.
 * OPTIONS_RUN: go on; strings point into @argv. OPTIONS_DONE: exit 0. OPTIONS_WRONG: exit 2.
 */
enum options_result options_read(struct options *options, int argc, char **argv);

#endif
