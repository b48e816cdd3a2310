/* SPDX-License-Identifier: Apache-2.0 */
/* `fender capture`: GET /capture as text or as a pcapng file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/ctl/captured.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/pcapng.h"
#include "controlplane/ctl/query.h"
#include "controlplane/ctl/view.h"

enum { PATH_BYTES = 1024, FILTER_BYTES = 256 };

struct capture {
	const struct options *options;
	FILE *file; /* NULL: text */
	struct pcapng pcapng;
	uint64_t wanted; /* 0: no end */
	uint64_t packets;
	uint64_t lost;
	char error[FILTER_BYTES]; /* the server's */
	int rc;
};

/* -- what is asked ----------------------------------------------------------------------- */

static int add_word(char *path, size_t size, const char *word)
{
	static const char *const keys[] = {"host", "port", "interface", "listener", "reason"};
	const char *value = strchr(word, '=');

	if (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0)
		return query_add(path, size, "protocol", word);
	if (strcmp(word, "dropped") == 0)
		return query_add(path, size, "dropped", "1");
	for (size_t i = 0; value && i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == (size_t)(value - word) &&
		    strncmp(keys[i], word, strlen(keys[i])) == 0)
			return query_add(path, size, keys[i], value + 1);
	fprintf(stderr, "fender capture: no filter '%s' (fender capture --help)\n", word);
	return -EINVAL;
}

static int is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10 &&
	       strtol(text, NULL, 10) > 0;
}

static int make_path(struct capture *c, char *path, size_t size)
{
	const struct options *o = c->options;

	strcpy(path, "/capture");
	if ((o->rows && !is_number(o->rows)) || (o->seconds && !is_number(o->seconds))) {
		fprintf(stderr, "fender capture: -n and --seconds take a number, 1 and up\n");
		return EXIT_USAGE;
	}
	c->wanted = o->rows ? strtoul(o->rows, NULL, 10) : 0;
	for (int i = 0; i < o->word_count; i++)
		if (add_word(path, size, o->words[i]) != 0)
			return EXIT_USAGE;
	return query_add(path, size, "seconds", o->seconds) == 0 ? 0 : EXIT_USAGE;
}

/* -- what comes -------------------------------------------------------------------------- */

static void print_packet(const struct captured *p)
{
	char packet[CAPTURED_TEXT_BYTES], verdict[CAPTURED_TEXT_BYTES], clock[16];
	time_t seconds = (time_t)(p->time_ns / 1000000000);
	struct tm local;

	localtime_r(&seconds, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	captured_packet_text(p, packet);
	captured_verdict_text(p, verdict);
	printf("%s.%06lu %-6s %-3s %s %u, %s\n", clock, p->time_ns / 1000 % 1000000, p->interface,
	       p->is_out ? "out" : "in", packet, p->length, verdict);
	fflush(stdout);
}

static int take_packet(struct capture *c, const struct captured *p)
{
	int rc = 0;

	c->packets++;
	if (c->file)
		rc = pcapng_packet(&c->pcapng, p);
	else
		print_packet(p);
	if (rc == 0)
		return !c->wanted || c->packets < c->wanted;
	fprintf(stderr, "fender capture: cannot write: %s\n", strerror(-rc));
	c->rc = EXIT_FAILED;
	return 0;
}

static void take_fact(struct capture *c, const json_t *line)
{
	const json_int_t lost = json_integer_value(json_object_get(line, "lost"));
	const char *error = view_text(line, "error");

	if (lost > 0) {
		c->lost += (uint64_t)lost;
		c->pcapng.lost += (uint64_t)lost;
		if (!c->file)
			printf("-- %lld packets lost here\n", (long long)lost);
	}
	if (*error)
		snprintf(c->error, sizeof(c->error), "%s", error);
	if (json_is_true(json_object_get(line, "capturing")))
		fprintf(stderr, "fender: capturing\n");
}

static int on_line(void *ctx, const char *text, size_t bytes)
{
	struct capture *c = ctx;
	json_t *line = json_loadb(text, bytes, 0, NULL);
	struct captured packet;
	int go_on = 1;

	if (line && captured_read(&packet, line))
		go_on = take_packet(c, &packet);
	else if (line)
		take_fact(c, line);
	json_decref(line);
	return go_on;
}

static int open_file(struct capture *c)
{
	const char *name = c->options->file;
	int rc;

	if (!name)
		return 0;
	c->file = strcmp(name, "-") == 0 ? stdout : fopen(name, "wbe");
	rc = c->file ? pcapng_begin(&c->pcapng, c->file) : -errno;
	if (rc == 0)
		return 0;
	fprintf(stderr, "fender capture: cannot write %s: %s\n", name, strerror(-rc));
	return EXIT_FAILED;
}

static int end(struct capture *c, int rc, long status)
{
	if (rc == EXIT_NO_INSTANCE && status == 0)
		fprintf(stderr, "fender: no instance answers\n");
	if (rc == 0 && status != 200) {
		fprintf(stderr, "fender: %s\n", *c->error ? c->error : "the instance refused");
		return EXIT_FAILED;
	}
	if (status == 200)
		fprintf(stderr, "fender: %lu packets captured, %lu lost\n", c->packets, c->lost);
	return rc ? rc : c->rc;
}

int command_capture(const struct options *options)
{
	struct capture c = {.options = options};
	struct client *client;
	char path[PATH_BYTES];
	long status = 0;
	int rc = make_path(&c, path, sizeof(path));

	if (rc == 0)
		rc = client_create(&client, options);
	if (rc != 0)
		return rc;
	rc = open_file(&c);
	if (rc == 0) {
		rc = client_stream(client, path, on_line, &c, &status);
		rc = end(&c, rc, status);
	}
	client_free(client);
	if (c.file && c.file != stdout)
		fclose(c.file);
	return rc;
}
