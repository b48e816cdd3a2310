/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options drives parsing and every --help. */
#ifndef FENDER_CONTROLPLANE_CTL_OPTIONS_H
#define FENDER_CONTROLPLANE_CTL_OPTIONS_H

#include <stdio.h>

enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_INSTANCE = 3,
};

struct options {
	const char *policy;    /* -c of run */
	const char *dataplane; /* NULL: beside this program */
	const char *run_dir;
	const char *shm_dir;
	const char *instance;    /* NULL: the only one */
	const char *operand;     /* FILE of check, COMMAND of help; NULL when absent */
	const char *operand2;    /* SCENARIO of simulate, CLUSTER of breaker */
	const char *operand3;    /* ENDPOINT of breaker */
	const char *dns_servers; /* of run; NULL: as /etc/resolv.conf says */
	const char *policy2;     /* to compare with */
	const char *seed;        /* digits as given; NULL: the scenario's */
	const char *watch;       /* seconds as given, "" without; NULL: show once */
	int json;
	int markdown;
	int sample;
	int help;
};

enum command_flag {
	COMMAND_RUN = 1 << 0,
	COMMAND_CHECK = 1 << 1,
	COMMAND_STATS = 1 << 2,
	COMMAND_RELOAD = 1 << 3,
	COMMAND_SCHEMA = 1 << 4,
	COMMAND_VERSION = 1 << 5,
	COMMAND_HELP = 1 << 6,
	COMMAND_SIMULATE = 1 << 7,
	COMMAND_OPERATE = 1 << 8,
};

struct command {
	const char *name;
	unsigned int flag;     /* enum command_flag: selects its options */
	const char *operand;   /* "FILE", "[COMMAND]", "CLUSTER [ENDPOINT]"; NULL: takes none */
	const char *summary;   /* one line of a list */
	const char *text;      /* more lines, or "" */
	const char *exit_help; /* what its exit statuses mean, indented lines */
	int (*run)(const struct options *options);
};

/**
 * options_parse() - arguments of @command (argv[0] is its name)
 * Return: 0, or EXIT_USAGE after one line on @err.
 */
int options_parse(struct options *options, const struct command *command, int argc, char **argv,
		  FILE *err);

/* Usage, summary, options and exit statuses of one command. */
void options_print_help(const struct command *command, FILE *out);

#endif
