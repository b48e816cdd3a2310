/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/commands.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/progress.h"
#include "controlplane/log.h"
#include "controlplane/run.h"
#include "shm/version.h"
#include "shm/layout.h"

int command_run(const struct options *options)
{
	struct run_options run = {
		.policy_path = options->policy,
		.dataplane = options->dataplane,
		.run_dir = options->run_dir,
		.shm_dir = options->shm_dir,
		.bpf_dir = options->bpf_dir,
		.admin_group = options->admin_group,
		.read_group = options->read_group,
		.metrics = options->metrics,
		.dns_servers = options->dns_servers,
		.log_format = options->log_format,
		.log_level = options->log_level,
		.no_watch = options->no_watch,
	};
	int format, level;

	if (!options->policy) {
		fprintf(stderr, "fender run: missing -c FILE (fender run --help)\n");
		return EXIT_USAGE;
	}
	format = run.log_format ? log_format_of(run.log_format) : LOG_FORMAT_TEXT;
	level = run.log_level ? log_level_of(run.log_level) : LOG_LEVEL_INFO;
	if (format < 0 || level < 0) {
		fprintf(stderr, "fender run: --log-format is text or json, --log-level error, "
				"warn, info or debug\n");
		return EXIT_USAGE;
	}
	log_start((enum log_format)format, (enum log_level)level);
	return run_instance(&run) == 0 ? EXIT_OK : EXIT_FAILED;
}

/* What diagnostics_print() says, a line an entry. */
static json_t *messages_json(struct diagnostics *d)
{
	json_t *lines = json_array();
	char *text = NULL, *rest;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return lines;
	diagnostics_print(d, out);
	fclose(out);
	rest = text;
	for (char *line = strtok_r(rest, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		json_array_append_new(lines, json_string(line));
	free(text);
	return lines;
}

static int print_check_json(const char *file, int is_good, struct diagnostics *d)
{
	json_t *body = json_pack("{s:s,s:s,s:o}", "file", file, "result",
				 is_good ? "ok" : "invalid", "messages", messages_json(d));

	if (body)
		ask_print_json(body);
	json_decref(body);
	return body && is_good ? EXIT_OK : EXIT_FAILED;
}

static int print_check(const char *file, const struct image_header *image, struct diagnostics *d)
{
	diagnostics_print(d, stderr);
	if (!image)
		return EXIT_FAILED;
	printf("%s: ok\n", file);
	config_print_needs(image, stdout);
	return EXIT_OK;
}

int command_check(const struct options *options)
{
	struct diagnostics *d = diagnostics_create(options->operand);
	struct image_header *image;
	int rc;

	if (!d)
		return EXIT_FAILED;
	progress_begin("checking the policy");
	image = config_compile_file(options->operand, d);
	progress_end();
	rc = options->json ? print_check_json(options->operand, image != NULL, d)
			   : print_check(options->operand, image, d);
	free(image);
	diagnostics_free(d);
	return rc;
}

int command_schema(const struct options *options)
{
	if (options->markdown + options->json + options->sample > 1) {
		fprintf(stderr, "fender schema: one of --markdown, --json, --sample\n");
		return EXIT_USAGE;
	}
	if (options->json)
		config_print_json_schema(stdout);
	else if (options->sample)
		config_print_sample(stdout);
	else
		config_print_reference(stdout);
	return EXIT_OK;
}

int command_version(const struct options *options)
{
	if (options->json)
		printf("{\"version\": \"%s\", \"region_abi\": %u, \"image_abi\": %u}\n",
		       FENDER_VERSION, REGION_ABI, IMAGE_ABI);
	else
		printf("fender %s (region ABI %u, image ABI %u)\n", FENDER_VERSION, REGION_ABI,
		       IMAGE_ABI);
	return EXIT_OK;
}
