/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/options.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "controlplane/paths.h"

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_OPTIONAL_TEXT };

enum { ALL_COMMANDS = ~0u, FIRST_LONG_ONLY = 256 };

struct option_row {
	char letter; /* 0: long only */
	const char *name;
	enum option_kind kind;
	const char *argument;
	const char *help;
	unsigned int commands;
	size_t offset; /* in struct options */
};

#define AT(field) offsetof(struct options, field)

static const struct option_row rows[] = {
	{'c', "config", OPTION_TEXT, "FILE", "the policy to run (required)", COMMAND_RUN,
	 AT(policy)},
	{0, "dataplane", OPTION_TEXT, "PATH",
	 "the dataplane program (default: fender-dataplane beside this one)", COMMAND_RUN,
	 AT(dataplane)},
	{0, "dataplane", OPTION_TEXT, "PATH", "the new program (default: the one that runs, anew)",
	 COMMAND_UPGRADE, AT(dataplane)},
	{'i', "instance", OPTION_TEXT, "NAME", "which instance (default: the only one that runs)",
	 CLIENT_COMMANDS, AT(instance)},
	{0, "run-dir", OPTION_TEXT, "DIR",
	 "where sockets, locks and wake FIFOs are (default: " DEFAULT_RUN_DIR ")",
	 COMMAND_RUN | COMMAND_COMPLETION | CLIENT_COMMANDS, AT(run_dir)},
	{0, "shm-dir", OPTION_TEXT, "DIR",
	 "tmpfs for the shared region (default: " DEFAULT_SHM_DIR ")", COMMAND_RUN | COMMAND_SHM,
	 AT(shm_dir)},
	{0, "bpf-dir", OPTION_TEXT, "DIR",
	 "BPF file system for the rate limiter (default: " DEFAULT_BPF_DIR ")", COMMAND_RUN,
	 AT(bpf_dir)},
	{0, "no-watch", OPTION_FLAG, NULL,
	 "put the policy file in force when told to only, not whenever it changes", COMMAND_RUN,
	 AT(no_watch)},
	{0, "admin-group", OPTION_TEXT, "GROUP",
	 "who may use the admin socket (default: this process's group)", COMMAND_RUN,
	 AT(admin_group)},
	{0, "read-group", OPTION_TEXT, "GROUP",
	 "who may use the read-only admin socket (default: this process's group)", COMMAND_RUN,
	 AT(read_group)},
	{0, "metrics", OPTION_TEXT, "IP:PORT",
	 "serve /metrics, /healthz and /readyz on this loopback address too", COMMAND_RUN,
	 AT(metrics)},
	{0, "log-format", OPTION_TEXT, "FORMAT",
	 "text (default) or json, a line a fact on stderr, also the dataplane's", COMMAND_RUN,
	 AT(log_format)},
	{0, "log-level", OPTION_TEXT, "LEVEL", "error, warn, info (default) or debug", COMMAND_RUN,
	 AT(log_level)},
	{0, "dns-server", OPTION_TEXT, "IP[:PORT],...",
	 "who is asked for endpoints (default: /etc/resolv.conf)", COMMAND_RUN, AT(dns_servers)},
	{'w', "watch", OPTION_OPTIONAL_TEXT, "[SECONDS]",
	 "show again every SECONDS (default: 1), with rates a second", COMMAND_STATS, AT(watch)},
	{'d', "delay", OPTION_TEXT, "SECONDS", "how often to look, 0.1 at least (default: 1)",
	 COMMAND_TOP, AT(delay)},
	{'f', "follow", OPTION_FLAG, NULL,
	 "go on with each event as it happens; without --since from now on", COMMAND_EVENTS,
	 AT(follow)},
	{0, "live", OPTION_FLAG, NULL, "only whether the control plane answers", COMMAND_READY,
	 AT(live)},
	{0, "since", OPTION_TEXT, "NUMBER", "those after this number only", COMMAND_EVENTS,
	 AT(since)},
	{'a', "all", OPTION_FLAG, NULL, "those of endpoints that are at rest too", COMMAND_BREAKERS,
	 AT(all)},
	{'n', "limit", OPTION_TEXT, "N", "how many connections to show (default: 20)",
	 COMMAND_LIMITS, AT(rows)},
	{'n', "limit", OPTION_TEXT, "N", "how many connections to show (default: 100)",
	 COMMAND_CONNECTIONS, AT(rows)},
	{0, "interface", OPTION_TEXT, "NAME",
	 "it comes in by (default: the one that has a listener for it)", COMMAND_EXPLAIN,
	 AT(interface)},
	{0, "cluster", OPTION_TEXT, "NAME", "with --key: how this cluster deals with a client",
	 COMMAND_EXPLAIN, AT(cluster)},
	{0, "key", OPTION_TEXT, "IP[:PORT]", "the client, instead of a packet", COMMAND_EXPLAIN,
	 AT(key)},
	{'w', "write", OPTION_TEXT, "FILE",
	 "write pcapng, for Wireshark and tcpdump -r; - is stdout", COMMAND_CAPTURE, AT(file)},
	{'n', "limit", OPTION_TEXT, "N", "end after so many packets", COMMAND_CAPTURE, AT(rows)},
	{0, "seconds", OPTION_TEXT, "N", "end after this time", COMMAND_CAPTURE, AT(seconds)},
	{'j', "json", OPTION_FLAG, NULL, "print JSON instead of text", JSON_COMMANDS, AT(json)},
	{0, "man", OPTION_FLAG, NULL, "print the manual page, in man's own language", COMMAND_HELP,
	 AT(man)},
	{0, "names", OPTION_FLAG, NULL, "print the commands' names alone", COMMAND_HELP, AT(names)},
	{0, "policy2", OPTION_TEXT, "FILE", "run the scenario under this policy too, and compare",
	 COMMAND_SIMULATE, AT(policy2)},
	{0, "seed", OPTION_TEXT, "NUMBER", "instead of the scenario's", COMMAND_SIMULATE, AT(seed)},
	{0, "markdown", OPTION_FLAG, NULL, "the policy reference (default)", COMMAND_SCHEMA,
	 AT(markdown)},
	{0, "json", OPTION_FLAG, NULL, "a JSON Schema for editors", COMMAND_SCHEMA, AT(json)},
	{0, "sample", OPTION_FLAG, NULL, "a complete commented policy", COMMAND_SCHEMA, AT(sample)},
	{'h', "help", OPTION_FLAG, NULL, "show this", ALL_COMMANDS, AT(help)},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void set_option(struct options *options, const struct option_row *row, char *value)
{
	char *field = (char *)options + row->offset;

	if (row->kind == OPTION_FLAG)
		*(int *)field = 1;
	else
		*(const char **)field = value ? value : "";
}

/* getopt's two descriptions of the options of @command. */
static void describe(const struct command *command, struct option *longs, char *shorts)
{
	static const int has_argument[] = {
		[OPTION_FLAG] = no_argument,
		[OPTION_TEXT] = required_argument,
		[OPTION_OPTIONAL_TEXT] = optional_argument,
	};
	size_t n = 0;

	*shorts++ = ':'; /* errors are ours to word */
	for (size_t i = 0; i < ROWS; i++) {
		if (!(rows[i].commands & command->flag))
			continue;
		longs[n++] = (struct option){.name = rows[i].name,
					     .has_arg = has_argument[rows[i].kind],
					     .val = FIRST_LONG_ONLY + (int)i};
		if (!rows[i].letter)
			continue;
		*shorts++ = rows[i].letter;
		for (int colons = has_argument[rows[i].kind]; colons > 0; colons--)
			*shorts++ = ':';
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
}

static const struct option_row *row_of(const struct command *command, int code)
{
	if (code >= FIRST_LONG_ONLY)
		return &rows[code - FIRST_LONG_ONLY];
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].letter == code && (rows[i].commands & command->flag))
			return &rows[i];
	return NULL;
}

static int usage_error(FILE *err, const struct command *command, const char *what,
		       const char *which)
{
	fprintf(err, "fender %s: %s%s (fender %s --help)\n", command->name, what, which,
		command->name);
	return EXIT_USAGE;
}

/* The operands of a command stand in one string; those in brackets may be left out. */
static int operand_count(const char *operands, int *required)
{
	int count = 0;

	*required = 0;
	while (operands && *operands) {
		count++;
		*required += *operands != '[';
		operands += strcspn(operands, " ");
		operands += *operands == ' ';
	}
	return count;
}

static const char *operand_name(const char *operands, int number)
{
	while (number-- > 0)
		operands += strcspn(operands, " ") + 1;
	return operands;
}

/* "[FILTER]..." stands for any number. */
static int takes_more(const char *operands)
{
	size_t bytes = operands ? strlen(operands) : 0;

	return bytes > 3 && strcmp(operands + bytes - 3, "...") == 0;
}

static int take_operands(struct options *options, const struct command *command, int count,
			 char **operands, FILE *err)
{
	int required, wanted = operand_count(command->operand, &required);

	options->words = operands;
	options->word_count = count;
	/* "--watch 2": getopt leaves an optional argument that stands apart. */
	if (count == 1 && !command->operand && options->watch && !options->watch[0]) {
		options->watch = operands[0];
		return 0;
	}
	if (count > wanted && !takes_more(command->operand))
		return usage_error(err, command, "unexpected argument ", operands[wanted]);
	options->operand = count ? operands[0] : NULL;
	options->operand2 = count > 1 ? operands[1] : NULL;
	options->operand3 = count > 2 ? operands[2] : NULL;
	if (count < required && !options->help)
		return usage_error(err, command, "missing ", operand_name(command->operand, count));
	return 0;
}

int options_parse(struct options *options, const struct command *command, int argc, char **argv,
		  FILE *err)
{
	struct option longs[ROWS + 1];
	char shorts[3 * ROWS + 2];
	int code;

	*options = (struct options){
		.run_dir = DEFAULT_RUN_DIR, .shm_dir = DEFAULT_SHM_DIR, .bpf_dir = DEFAULT_BPF_DIR};
	describe(command, longs, shorts);
	optind = 0; /* anew, for each call */
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (code == '?')
			return usage_error(err, command, "unknown option ", argv[optind - 1]);
		if (code == ':')
			return usage_error(err, command, "missing argument of ", argv[optind - 1]);
		set_option(options, row_of(command, code), optarg);
	}
	return take_operands(options, command, argc - optind, argv + optind, err);
}

int options_describe(const struct command *command, size_t i, struct option_help *out)
{
	for (size_t at = 0; at < ROWS; at++) {
		const struct option_row *row = &rows[at];

		if (!(row->commands & command->flag) || i-- > 0)
			continue;
		*out = (struct option_help){row->letter, row->name, row->argument, row->help};
		return 1;
	}
	return 0;
}
