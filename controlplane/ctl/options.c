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
	{'i', "instance", OPTION_TEXT, "NAME", "which instance (default: the only one that runs)",
	 COMMAND_STATS | COMMAND_RELOAD | COMMAND_OPERATE, AT(instance)},
	{0, "run-dir", OPTION_TEXT, "DIR",
	 "where sockets, locks and wake FIFOs are (default: " DEFAULT_RUN_DIR ")",
	 COMMAND_RUN | COMMAND_STATS | COMMAND_RELOAD | COMMAND_OPERATE, AT(run_dir)},
	{0, "shm-dir", OPTION_TEXT, "DIR",
	 "tmpfs for the shared region (default: " DEFAULT_SHM_DIR ")", COMMAND_RUN, AT(shm_dir)},
	{0, "dns-server", OPTION_TEXT, "IP[:PORT],...",
	 "who is asked for endpoints (default: /etc/resolv.conf)", COMMAND_RUN, AT(dns_servers)},
	{'w', "watch", OPTION_OPTIONAL_TEXT, "[SECONDS]",
	 "show again every SECONDS (default: 1), with rates a second", COMMAND_STATS, AT(watch)},
	{'j', "json", OPTION_FLAG, NULL, "print JSON instead of tables",
	 COMMAND_STATS | COMMAND_SIMULATE, AT(json)},
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

static int take_operands(struct options *options, const struct command *command, int count,
			 char **operands, FILE *err)
{
	int required, wanted = operand_count(command->operand, &required);

	/* "--watch 2": getopt leaves an optional argument that stands apart. */
	if (count == 1 && !command->operand && options->watch && !options->watch[0]) {
		options->watch = operands[0];
		return 0;
	}
	if (count > wanted)
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

	*options = (struct options){.run_dir = DEFAULT_RUN_DIR, .shm_dir = DEFAULT_SHM_DIR};
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

void options_print_help(const struct command *command, FILE *out)
{
	fprintf(out, "Usage: fender %s [OPTIONS]%s%s\n\n%s.\n%s\nOptions:\n", command->name,
		command->operand ? " " : "", command->operand ? command->operand : "",
		command->summary, command->text);
	for (size_t i = 0; i < ROWS; i++) {
		const struct option_row *row = &rows[i];
		char letter[5] = "    ";
		char name[32];

		if (!(row->commands & command->flag))
			continue;
		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(name, sizeof(name), "--%s%s%s", row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		fprintf(out, "  %s%s\n          %s\n", letter, name, row->help);
	}
	fprintf(out, "\nExit status:\n%s", command->exit_help);
}
