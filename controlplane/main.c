/* SPDX-License-Identifier: Apache-2.0 */
/* `fender`: the control plane and the operator's command line. */
#include <string.h>

#include "controlplane/ctl/command_table.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/help.h"
#include "controlplane/ctl/terminal.h"

/* @argv: from the command on. */
static int run_command(const char *name, int argc, char **argv)
{
	const struct command *command = command_find(name);
	struct options options;
	int rc;

	if (!command)
		return help_unknown(name);
	rc = options_parse(&options, command, argc, argv, stderr);
	if (rc != 0)
		return rc;
	if (options.help) {
		help_print(command, stdout);
		return EXIT_OK;
	}
	return command->run(&options);
}

int main(int argc, char **argv)
{
	const char *name;

	terminal_begin();
	if (argc < 2) {
		help_print_commands(stderr);
		return EXIT_USAGE;
	}
	name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	return terminal_end(run_command(name, argc - 1, argv + 1));
}
