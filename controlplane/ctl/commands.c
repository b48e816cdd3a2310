/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/commands.h"

#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "controlplane/ctl/client.h"
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
		.dns_servers = options->dns_servers,
	};

	if (!options->policy) {
		fprintf(stderr, "fender run: missing -c FILE (fender run --help)\n");
		return EXIT_USAGE;
	}
	return run_instance(&run) == 0 ? EXIT_OK : EXIT_FAILED;
}

int command_check(const struct options *options)
{
	struct diagnostics *d = diagnostics_create(options->operand);
	struct image_header *image;

	if (!d)
		return EXIT_FAILED;
	image = config_compile_file(options->operand, d);
	diagnostics_print(d, stderr);
	diagnostics_free(d);
	if (!image)
		return EXIT_FAILED;
	printf("%s: ok\n", options->operand);
	config_print_needs(image, stdout);
	free(image);
	return EXIT_OK;
}

static void print_reload(const struct reply *reply)
{
	const char *result = json_string_value(json_object_get(reply->body, "result"));
	json_int_t generation = json_integer_value(json_object_get(reply->body, "generation"));
	FILE *out = reply->status == 200 ? stdout : stderr;
	const json_t *errors = json_object_get(reply->body, "errors");

	for (size_t i = 0; i < json_array_size(errors); i++)
		fprintf(out, "%s\n", json_string_value(json_array_get(errors, i)));
	fprintf(out, "%s: generation %" JSON_INTEGER_FORMAT " is %s\n", result ? result : "error",
		generation, reply->status == 202 ? "published" : "in force");
}

int command_reload(const struct options *options)
{
	struct client *client;
	struct reply reply;
	int rc = client_create(&client, options);

	if (rc != 0)
		return rc;
	rc = client_request(client, "POST", "/reload", &reply);
	if (rc == 0) {
		print_reload(&reply);
		rc = reply.status == 200 ? EXIT_OK : EXIT_FAILED;
	}
	client_free(client);
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
	printf("fender %s (region ABI %u, image ABI %u)\n", FENDER_VERSION, REGION_ABI, IMAGE_ABI);
	return EXIT_OK;
}
