/* SPDX-License-Identifier: Apache-2.0 */
/* `fender`: the control plane and the operator's command line. */
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/commands.h"
#include "shm/version.h"

static int command_help(const struct options *options);

#define STATUS_OK     "  0  done\n"
#define STATUS_FAILED "  1  failed; the reason is on stderr\n"
#define STATUS_USAGE  "  2  wrong usage\n"
#define STATUS_NONE   "  3  no such instance, or it does not answer\n"

static const struct command commands[] = {
	{"run", COMMAND_RUN, NULL, "run an instance until it is told to stop",
	 "Publishes the policy, starts and supervises its dataplane, serves the admin socket.\n"
	 "SIGHUP reloads the policy; SIGTERM and SIGINT stop it and its dataplane.\n",
	 "  0  stopped on request\n  1  could not start; the reason is on stderr\n" STATUS_USAGE,
	 command_run},
	{"check", COMMAND_CHECK, "FILE", "check a policy file and show what it needs",
	 "Reports all errors of the file in one go.\n",
	 "  0  the policy is good\n  1  it has errors (file:line:column on stderr)\n" STATUS_USAGE,
	 command_check},
	{"simulate", COMMAND_SIMULATE, "POLICY SCENARIO",
	 "try a policy on described traffic, in virtual time",
	 "Takes the dataplane's own decisions about the scenario's calls and prints what comes of\n"
	 "them: outcomes, latencies, attempts a call, breakers. The same files and seed always\n"
	 "give the same output. docs/simulate.md describes scenarios; deploy/scenarios has some.\n",
	 "  0  done\n  1  a file has errors (file:line:column on stderr)\n" STATUS_USAGE,
	 command_simulate},
	{"stats", COMMAND_STATS, NULL, "show an instance's counters",
	 "By worker, interface, listener, cluster, endpoint and reason.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_stats},
	{"reload", COMMAND_RELOAD, NULL, "put the changed policy file in force",
	 "Waits until every worker decides by it. A file with errors, or one that needs a\n"
	 "restart, changes nothing.\n",
	 "  0  in force on every worker, or nothing had changed\n"
	 "  1  refused, or not applied in time; the reason is on stderr\n" STATUS_USAGE STATUS_NONE,
	 command_reload},
	{"breaker", COMMAND_OPERATE, "OPERATION CLUSTER [ENDPOINT]",
	 "force a breaker: open, close or reset",
	 "Of a cluster, or of one of its endpoints (ip:port). `open` refuses every connection,\n"
	 "`close` admits every one, `reset` ends that and forgets the failures counted so far.\n"
	 "Forced states outlive reloads and restarts.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_breaker},
	{"drain", COMMAND_OPERATE, "CLUSTER ENDPOINT", "send an endpoint no new connections",
	 "Those it has go on. Outlives reloads and restarts.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_drain},
	{"undrain", COMMAND_OPERATE, "CLUSTER ENDPOINT", "use a drained endpoint again", "",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_undrain},
	{"schema", COMMAND_SCHEMA, NULL, "print what a policy file may say", "",
	 STATUS_OK STATUS_USAGE, command_schema},
	{"version", COMMAND_VERSION, NULL, "print the version", "", STATUS_OK STATUS_USAGE,
	 command_version},
	{"help", COMMAND_HELP, "[COMMAND]", "explain a command", "", STATUS_OK STATUS_USAGE,
	 command_help},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int print_usage(FILE *out)
{
	fprintf(out,
		"fender %s: a sidecar proxy with a DPDK fast path\n\n"
		"Usage: fender COMMAND [OPTIONS]\n\nCommands:\n",
		FENDER_VERSION);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\nfender COMMAND --help explains a command and its exit statuses.\n");
	return out == stdout ? EXIT_OK : EXIT_USAGE;
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "fender: unknown command %s (fender help)\n", name);
	return EXIT_USAGE;
}

static int command_help(const struct options *options)
{
	const struct command *command;

	if (!options->operand)
		return print_usage(stdout);
	command = find_command(options->operand);
	if (!command)
		return unknown_command(options->operand);
	options_print_help(command, stdout);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const struct command *command;
	struct options options;
	int rc;

	if (argc < 2)
		return print_usage(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_usage(stdout);
	if (strcmp(argv[1], "--version") == 0)
		return command_version(NULL);
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	rc = options_parse(&options, command, argc - 1, argv + 1, stderr);
	if (rc != 0)
		return rc;
	if (options.help) {
		options_print_help(command, stdout);
		return EXIT_OK;
	}
	return command->run(&options);
}
