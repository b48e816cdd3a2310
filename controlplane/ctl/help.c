/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/help.h"

#include "controlplane/ctl/command_table.h"
#include "controlplane/ctl/commands.h"
#include "shm/version.h"

static void print_option(const struct option_help *option, FILE *out)
{
	fprintf(out, option->letter ? "  -%c, " : "      ", option->letter);
	fprintf(out, "--%s%s%s\n          %s\n", option->name, option->argument ? " " : "",
		option->argument ? option->argument : "", option->help);
}

void help_print(const struct command *command, FILE *out)
{
	struct option_help option;

	fprintf(out, "Usage: fender %s [OPTIONS]%s%s\n\n%s.\n%s\nOptions:\n", command->name,
		command->operand ? " " : "", command->operand ? command->operand : "",
		command->summary, command->text);
	for (size_t i = 0; options_describe(command, i, &option); i++)
		print_option(&option, out);
	fprintf(out, "\nExit status:\n%s", command->exit_help);
}

void help_print_commands(FILE *out)
{
	fprintf(out,
		"fender %s: a sidecar proxy with a DPDK fast path\n\n"
		"Usage: fender COMMAND [OPTIONS]\n\nCommands:\n",
		FENDER_VERSION);
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\nfender COMMAND --help explains a command and its exit statuses.\n");
}

int help_unknown(const char *name)
{
	const char *nearest = command_nearest(name);

	if (nearest)
		fprintf(stderr, "fender: unknown command %s, did you mean %s? (fender help)\n",
			name, nearest);
	else
		fprintf(stderr, "fender: unknown command %s (fender help)\n", name);
	return EXIT_USAGE;
}

static void print_names(FILE *out)
{
	for (size_t i = 0; i < command_count; i++)
		fprintf(out, "%s\n", commands[i].name);
}

int command_help(const struct options *options)
{
	const struct command *command = NULL;

	if (options->operand) {
		command = command_find(options->operand);
		if (!command)
			return help_unknown(options->operand);
	}
	if (options->names)
		print_names(stdout);
	else if (command)
		(options->man ? man_print : help_print)(command, stdout);
	else
		(options->man ? man_print_commands : help_print_commands)(stdout);
	return EXIT_OK;
}
