/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/command_table.h"

#include <string.h>

#include "config/suggest.h"
#include "controlplane/ctl/commands.h"

#define STATUS_OK     "  0  done\n"
#define STATUS_FAILED "  1  failed; the reason is on stderr\n"
#define STATUS_USAGE  "  2  wrong usage\n"
#define STATUS_NONE   "  3  no such instance, or it does not answer\n"

const struct command commands[] = {
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
	{"ready", COMMAND_READY, NULL, "say whether an instance takes connections",
	 "Its dataplane forwards, every worker runs, it is not stopping. For probes and scripts.\n",
	 "  0  ready\n  1  not ready; the reason is on stderr\n" STATUS_USAGE STATUS_NONE,
	 command_ready},
	{"top", COMMAND_TOP, NULL, "watch listeners, clusters and endpoints on the screen",
	 "Rates, breakers, queues, endpoints and the last minute. Tab goes to another table, "
	 "enter\n"
	 "to a cluster's endpoints, ? explains the other keys. It waits for an instance that\n"
	 "restarts.\n",
	 "  0  quit\n  1  there is no terminal; the reason is on stderr\n" STATUS_USAGE STATUS_NONE,
	 command_top},
	{"reload", COMMAND_RELOAD, NULL, "put the changed policy file in force",
	 "Waits until every worker decides by it. A file with errors, or one that needs a\n"
	 "restart, changes nothing.\n",
	 "  0  in force on every worker, or nothing had changed\n"
	 "  1  refused, or not applied in time; the reason is on stderr\n" STATUS_USAGE STATUS_NONE,
	 command_reload},
	{"diff", COMMAND_HISTORY, "FILE [FILE2]", "say what a reload would change",
	 "Compares the policy in force with FILE, or FILE with FILE2, key by key with the "
	 "defaults\n"
	 "filled in, and says what drains, what needs a restart and how many keys of a hashed\n"
	 "balance move. Endpoints from DNS are not compared.\n",
	 "  0  done, also when they differ\n"
	 "  1  a file has errors (file:line:column on stderr)\n" STATUS_USAGE STATUS_NONE,
	 command_diff},
	{"generations", COMMAND_HISTORY, NULL, "show how the last policy changes ended",
	 "The last 32, with who wanted them, what checking them and their adoption by the workers\n"
	 "took, and why they were refused.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_generations},
	{"rollback", COMMAND_RELOAD, "[GENERATION]", "put an earlier policy in force again",
	 "As a new generation; without a number the newest that differs from the one in force and\n"
	 "was not taken back by the guard. The policy file stays as it is, and out of force until\n"
	 "it changes or is reloaded.\n",
	 "  0  in force on every worker\n"
	 "  1  not kept, refused, or not applied in time; the reason is on stderr\n" STATUS_USAGE
		 STATUS_NONE,
	 command_rollback},
	{"upgrade", COMMAND_UPGRADE, NULL, "let another dataplane program take over",
	 "It starts beside the one that runs, takes its interfaces when it is ready and carries\n"
	 "the connections on. If it fails before that, nothing has changed; if it fails later, "
	 "the\n"
	 "program that ran before is started again.\n\n"
	 "Where the policy file changes what a reload refuses (interfaces, workers, table sizes) "
	 "it\n"
	 "is put in force, too: the dataplane is stopped, the region carried over to the new "
	 "shape,\n"
	 "and a dataplane started on it. Connections go on unless their interface or address "
	 "left\n"
	 "the policy or the table is too small; how many is on stdout. If that dataplane does not\n"
	 "come up, region, policy and program of before are put back. Other changes of the file\n"
	 "are left to `fender reload`; a file with errors is refused.\n",
	 "  0  the new program forwards; its pause is on stdout\n"
	 "  1  refused or failed; the reason is on stderr\n" STATUS_USAGE STATUS_NONE,
	 command_upgrade},
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
	{"endpoints", COMMAND_ENDPOINTS, "[CLUSTER]",
	 "show the endpoints and what keeps them from use",
	 "Of all clusters or one, with health, ejection, calls and the latency that balancing "
	 "sees.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_endpoints},
	{"breakers", COMMAND_BREAKERS, NULL, "show the circuit breakers",
	 "The clusters', and those of endpoints that are not closed, are forced or drained.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_breakers},
	{"connections", COMMAND_CONNECTIONS, "[FILTER]...", "show the connections",
	 "Those for which all filters hold:\n"
	 "  listener=NAME  cluster=NAME  endpoint=IP:PORT\n"
	 "  client=IP, client=IP:PORT, client=[IP]:PORT\n"
	 "  state=STATE    syn_sent, syn_rcvd, established, closing, waiting (in a queue,\n"
	 "                 or between two attempts), resting (over), tombstone (given up);\n"
	 "                 all; without it all but the last two\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_connections},
	{"events", COMMAND_EVENTS, NULL, "show what changed: breakers, health, policies",
	 "The last 1,024, in order, with numbers that have no gap: what was overwritten before it\n"
	 "could be shown is told. With --follow it waits for an instance that restarts.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_events},
	{"limits", COMMAND_LIMITS, NULL, "show the connections that rate limits hold back",
	 "Those refused most within a third of a second, with the rate that passes, the limit and\n"
	 "all that was refused (dropped, marked or only observed).\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_limits},
	{"capture", COMMAND_CAPTURE, "[FILTER]...", "show packets, and what became of them",
	 "Packets that an XDP program redirects are invisible to tcpdump. Those for which all "
	 "filters\n"
	 "hold, their first 128 bytes, as received and as sent:\n"
	 "  tcp, udp       host=IP  port=PORT  interface=NAME  listener=NAME\n"
	 "  dropped        with any reason, or reason=NAME\n"
	 "A worker keeps 1,024 until they are read; what is lost beyond is told. One at a time.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_capture},
	{"shm", COMMAND_SHM, "OPERATION FILE", "look into shared memory: dump",
	 "Of an instance that is dead, or alive, by its name, or of a copy of the file by a path "
	 "with\n"
	 "a slash: header, policies, workers, names with their counters, connections, events. "
	 "Reads\n"
	 "a private copy: no file can hurt it, and it disturbs nobody.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE, command_shm},
	{"explain", COMMAND_EXPLAIN, "[PROTOCOL] [CLIENT] [DESTINATION]",
	 "say what happens to a packet, step by step, and why",
	 "Of tcp or udp and two ip:port: the connection that has it, or what a new one would meet\n"
	 "now: listener, rate limits, permits, breaker, candidates in their order, decision. With\n"
	 "--cluster and --key: where a cluster sends this client. It is decided by the "
	 "dataplane's\n"
	 "own code; algorithms that draw may draw another endpoint.\n",
	 STATUS_OK STATUS_FAILED STATUS_USAGE STATUS_NONE, command_explain},
	{"schema", COMMAND_SCHEMA, NULL, "print what a policy file may say", "",
	 STATUS_OK STATUS_USAGE, command_schema},
	{"completion", COMMAND_COMPLETION, "SHELL [LINE]", "print the completion of a shell: bash",
	 "To use it: source <(fender completion bash). With LINE it prints what may stand at the "
	 "end\n"
	 "of it, one a line: this is what the shell asks for.\n",
	 STATUS_OK STATUS_USAGE, command_completion},
	{"version", COMMAND_VERSION, NULL, "print the version", "", STATUS_OK STATUS_USAGE,
	 command_version},
	{"help", COMMAND_HELP, "[COMMAND]", "explain a command",
	 "Without one it lists them. `fender help --man` prints the page that man(1) shows.\n",
	 STATUS_OK STATUS_USAGE, command_help},
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const char *command_nearest(const char *name)
{
	struct suggestion s;

	suggest_start(&s, name);
	for (size_t i = 0; i < command_count; i++)
		suggest_consider(&s, commands[i].name);
	return s.best;
}
