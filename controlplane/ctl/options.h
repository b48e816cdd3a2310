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
	const char *dataplane; /* NULL: beside this program; of upgrade: the one that runs */
	const char *run_dir;
	const char *shm_dir;
	const char *bpf_dir;
	const char *instance; /* NULL: the only one */
	const char *operand;  /* FILE of check, COMMAND of help; NULL when absent */
	const char *operand2; /* SCENARIO of simulate, CLUSTER of breaker */
	const char *operand3; /* ENDPOINT of breaker */
	char **words;         /* all operands */
	int word_count;
	const char *admin_group; /* of run; NULL: the process's own */
	const char *read_group;
	const char *metrics;     /* of run: "127.0.0.1:9901"; NULL: none */
	const char *dns_servers; /* of run; NULL: as /etc/resolv.conf says */
	const char *log_format;  /* of run, as given; NULL: text */
	const char *log_level;   /* NULL: info */
	const char *policy2;     /* to compare with */
	const char *seed;        /* digits as given; NULL: the scenario's */
	const char *rows;        /* --limit, digits as given; NULL: the default */
	const char *since;       /* of events, digits as given; NULL: not given */
	const char *delay;       /* of top, seconds as given; NULL: the default */
	const char *watch;       /* seconds as given, "" without; NULL: show once */
	const char *interface;   /* of explain */
	const char *cluster;     /* of explain, with key */
	const char *key;
	const char *file;    /* -w of capture; NULL: text on stdout */
	const char *seconds; /* of capture, digits as given; NULL: no end */
	int no_watch;
	int follow;
	int live;
	int all;
	int man;
	int names;
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
	COMMAND_LIMITS = 1 << 9,
	COMMAND_HISTORY = 1 << 10, /* generations, diff */
	COMMAND_UPGRADE = 1 << 11,
	COMMAND_EVENTS = 1 << 12,
	COMMAND_CONNECTIONS = 1 << 13,
	COMMAND_ENDPOINTS = 1 << 14,
	COMMAND_BREAKERS = 1 << 15,
	COMMAND_COMPLETION = 1 << 16,
	COMMAND_TOP = 1 << 17,
	COMMAND_EXPLAIN = 1 << 18,
	COMMAND_CAPTURE = 1 << 19,
	COMMAND_SHM = 1 << 20,
	COMMAND_READY = 1 << 21,

	/* They ask an instance: --instance, --run-dir. */
	CLIENT_COMMANDS = COMMAND_STATS | COMMAND_RELOAD | COMMAND_UPGRADE | COMMAND_OPERATE |
			  COMMAND_LIMITS | COMMAND_HISTORY | COMMAND_EVENTS | COMMAND_CONNECTIONS |
			  COMMAND_ENDPOINTS | COMMAND_BREAKERS | COMMAND_EXPLAIN | COMMAND_CAPTURE |
			  COMMAND_TOP | COMMAND_READY,
	JSON_COMMANDS = (CLIENT_COMMANDS & ~COMMAND_TOP) | COMMAND_CHECK | COMMAND_SIMULATE |
			COMMAND_VERSION | COMMAND_SHM,
};

struct command {
	const char *name;
	unsigned int flag;     /* enum command_flag: selects its options */
	const char *operand;   /* "FILE", "CLUSTER [ENDPOINT]", "[FILTER]..."; NULL: takes none */
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

/* An option as help, man pages and completion show it. */
struct option_help {
	char letter; /* 0: long only */
	const char *name;
	const char *argument; /* NULL: takes none; "[SECONDS]" may be left out */
	const char *help;
};

/* Option @i of @command, from 0. Return 0 beyond the last. */
int options_describe(const struct command *command, size_t i, struct option_help *out);

#endif
