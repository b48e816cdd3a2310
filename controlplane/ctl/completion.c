/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `fender completion bash` prints a function that asks `fender completion bash LINE` what may
 * stand at the end of LINE: the tables of commands and options answer, and the instance.
 */
#include "controlplane/ctl/completion.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/command_table.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/view.h"

enum { WORDS_MAX = 64, ANSWER_MS = 1000, PATH_BYTES = 256 };

/* readline takes ':' and '=' for ends of words: what stands before them is there already. */
static const char script[] =
	"_fender()\n"
	"{\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} word\n"
	"\tword=${line##*[[:space:]]}\n"
	"\tmapfile -t COMPREPLY < <(\"${COMP_WORDS[0]}\" completion bash \"$line\" 2>/dev/null)\n"
	"\t[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
	"\tif [[ $word == *[:=]* ]]; then\n"
	"\t\tlocal before=${word%\"${word##*[:=]}\"}\n"
	"\t\tCOMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
	"\tfi\n"
	"}\n"
	"complete -o default -F _fender fender\n";

/* One line that is being completed. */
struct completion {
	const struct command *command;
	struct options options; /* as far as the line goes */
	const char *word;       /* the beginning of what is asked for */
	const char *prefix;     /* of @word, given back with each answer: "state=" */
	size_t prefix_bytes;
	FILE *out;
};

/* Only what a shell takes as it is. */
static int is_plain(const char *text)
{
	static const char others[] = "_.:-=/[]";

	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(others, *text))
			return 0;
	return 1;
}

static void offer(const struct completion *c, const char *text)
{
	if (is_plain(text) && strncmp(text, c->word, strlen(c->word)) == 0)
		fprintf(c->out, "%.*s%s\n", (int)c->prefix_bytes, c->prefix, text);
}

static void offer_instance(void *ctx, const char *name)
{
	offer(ctx, name);
}

static void offer_instances(struct completion *c)
{
	client_instances(c->options.run_dir, offer_instance, c);
}

/* @key of each row of list @list. */
static void offer_rows(const struct completion *c, const char *path, const char *list,
		       const char *key)
{
	struct client *client;
	struct reply reply;

	if (client_create(&client, &c->options) != 0)
		return;
	client_set_timeout(client, ANSWER_MS);
	if (client_request_quietly(client, "GET", path, &reply) == 0) {
		const json_t *rows = json_object_get(reply.body, list);

		for (size_t i = 0; i < json_array_size(rows); i++)
			offer(c, view_text(json_array_get(rows, i), key));
	}
	client_free(client);
}

static void offer_clusters(struct completion *c)
{
	offer_rows(c, "/clusters", "clusters", "name");
}

static void offer_listeners(struct completion *c)
{
	offer_rows(c, "/listeners", "listeners", "name");
}

/* Of the cluster that the word before names, else all. */
static void offer_endpoints(struct completion *c)
{
	int count = c->options.word_count;
	char *path = strdup("/endpoints");

	if (c->command->flag == COMMAND_OPERATE && count > 0)
		ask_add_query(&path, "cluster", c->options.words[count - 1]);
	if (path)
		offer_rows(c, path, "endpoints", "address");
	free(path);
}

static void offer_commands(struct completion *c)
{
	for (size_t i = 0; i < command_count; i++)
		offer(c, commands[i].name);
}

static void offer_words(const struct completion *c, const char *const *words)
{
	for (; *words; words++)
		offer(c, *words);
}

static void offer_operations(struct completion *c)
{
	static const char *const words[] = {"open", "close", "reset", NULL};

	offer_words(c, words);
}

static void offer_shells(struct completion *c)
{
	static const char *const words[] = {"bash", NULL};

	offer_words(c, words);
}

static void offer_states(struct completion *c)
{
	static const char *const words[] = {"syn_sent", "syn_rcvd", "established",
					    "closing",  "waiting",  "tombstone",
					    "resting",  "all",      NULL};

	offer_words(c, words);
}

static void offer_generations(struct completion *c)
{
	struct client *client;
	struct reply reply;
	char number[32];

	if (client_create(&client, &c->options) != 0)
		return;
	client_set_timeout(client, ANSWER_MS);
	if (client_request_quietly(client, "GET", "/generations", &reply) == 0) {
		const json_t *rows = json_object_get(reply.body, "attempts");

		for (size_t i = 0; i < json_array_size(rows); i++) {
			double generation = view_number(json_array_get(rows, i), "generation");

			snprintf(number, sizeof(number), "%.0f", generation);
			if (generation > 0)
				offer(c, number);
		}
	}
	client_free(client);
}

/* "state=": the value is asked for, and stands behind what is there. */
static void offer_filters(struct completion *c)
{
	static const char *const words[] = {
		"listener=", "cluster=", "endpoint=", "client=", "state=", NULL};
	static const struct {
		const char *key;
		void (*offer)(struct completion *c);
	} values[] = {
		{"listener=", offer_listeners},
		{"cluster=", offer_clusters},
		{"endpoint=", offer_endpoints},
		{"state=", offer_states},
	};
	const char *value = strchr(c->word, '=');

	if (!value) {
		offer_words(c, words);
		return;
	}
	c->prefix = c->word;
	c->prefix_bytes = (size_t)(value + 1 - c->word);
	c->word = value + 1;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strncmp(values[i].key, c->prefix, c->prefix_bytes) == 0)
			values[i].offer(c);
}

/* By the names that operands and arguments have in the tables; what is not here is a file. */
static const struct {
	const char *name;
	void (*offer)(struct completion *c);
} kinds[] = {
	{"CLUSTER", offer_clusters},   {"ENDPOINT", offer_endpoints},
	{"COMMAND", offer_commands},   {"OPERATION", offer_operations},
	{"SHELL", offer_shells},       {"FILTER", offer_filters},
	{"NAME", offer_instances},     {"GENERATION", offer_generations},
	{"INSTANCE", offer_instances},
};

static void offer_kind(struct completion *c, const char *name)
{
	size_t skip = *name == '[';
	size_t bytes = strcspn(name + skip, "] ");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == bytes &&
		    memcmp(kinds[i].name, name + skip, bytes) == 0)
			kinds[i].offer(c);
}

/* The operand that comes next; the last one again when it may be repeated. */
static void offer_operand(struct completion *c)
{
	const char *operand = c->command->operand;

	for (int left = c->options.word_count; operand && left > 0; left--) {
		const char *next = strchr(operand, ' ');

		if (!next && strstr(operand, "..."))
			break;
		operand = next ? next + 1 : NULL;
	}
	if (operand)
		offer_kind(c, operand);
}

static void offer_options(struct completion *c)
{
	struct option_help option;
	char text[64];

	for (size_t i = 0; options_describe(c->command, i, &option); i++) {
		snprintf(text, sizeof(text), "--%s", option.name);
		offer(c, text);
	}
}

/* Is @word an option that wants an argument, which comes next? Return its name. */
static const char *argument_wanted(const struct command *command, const char *word)
{
	struct option_help option;

	for (size_t i = 0; options_describe(command, i, &option); i++) {
		int is_it = strncmp(word, "--", 2) == 0
				    ? strcmp(word + 2, option.name) == 0
				    : word[0] == '-' && word[1] == option.letter && !word[2];

		if (is_it && option.argument && *option.argument != '[')
			return option.argument;
	}
	return NULL;
}

/* "--instance=na" is completed as "na" behind "--instance=". */
static int split_option(struct completion *c)
{
	char *value = strchr(c->word, '=');
	char name[64];
	const char *argument;

	if (strncmp(c->word, "--", 2) != 0 || !value)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(value - c->word), c->word);
	argument = argument_wanted(c->command, name);
	c->prefix = c->word;
	c->prefix_bytes = (size_t)(value + 1 - c->word);
	c->word = value + 1;
	if (argument)
		offer_kind(c, argument);
	return 1;
}

/* @words: from the command on, without the one that is being completed. */
static void complete_in_command(struct completion *c, int count, char **words)
{
	const char *argument = argument_wanted(c->command, words[count - 1]);
	FILE *nowhere = fopen("/dev/null", "w");

	if (!nowhere)
		return;
	/* What is wrong with the line so far is of no matter: the options before it are set. */
	options_parse(&c->options, c->command, count, words, nowhere);
	fclose(nowhere);
	if (argument)
		offer_kind(c, argument);
	else if (split_option(c))
		return;
	else if (c->word[0] == '-')
		offer_options(c);
	else
		offer_operand(c);
}

void completion_print(const char *line, FILE *out)
{
	struct completion c = {.word = "", .out = out};
	char *copy = strdup(line), *words[WORDS_MAX + 1];
	size_t bytes = strlen(line);
	int count = 0;

	if (!copy)
		return;
	for (char *w = strtok(copy, " \t"); w && count < WORDS_MAX; w = strtok(NULL, " \t"))
		words[count++] = w;
	words[count] = NULL;
	if (count > 0 && !isspace((unsigned char)line[bytes - 1])) {
		c.word = words[--count];
		words[count] = NULL;
	}
	c.command = count > 1 ? command_find(words[1]) : NULL;
	if (count == 1)
		offer_commands(&c);
	else if (c.command)
		complete_in_command(&c, count - 1, words + 1);
	free(copy);
}

int command_completion(const struct options *options)
{
	if (strcmp(options->operand, "bash") != 0) {
		fprintf(stderr, "fender completion: found %s, expected bash\n", options->operand);
		return EXIT_USAGE;
	}
	if (options->operand2)
		completion_print(options->operand2, stdout);
	else
		fputs(script, stdout);
	return EXIT_OK;
}
