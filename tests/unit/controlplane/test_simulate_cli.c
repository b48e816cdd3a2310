/* SPDX-License-Identifier: Apache-2.0 */
/* `fender simulate` from its files to its output and exit status. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/format.h"
#include "controlplane/ctl/simulate.h"
#include "tests/unit/dataplane/suite.h"

static char folder[] = "/tmp/fender-simulate-XXXXXX";

static const char policy[] =
	"version: 1\n"
	"sidecar: {name: t, workers: 2}\n"
	"interfaces:\n"
	"  - {name: app, device: af_xdp:a, addresses: [10.1.0.1/24]}\n"
	"  - {name: net, device: af_xdp:b, addresses: [10.2.0.1/24]}\n"
	"listeners:\n"
	"  - {name: web, bind: 10.1.0.1:80, interface: app, protocol: tcp, cluster: web}\n"
	"clusters:\n"
	"  - name: web\n"
	"    load_balancing: {algorithm: maglev}\n";

static const char two_endpoints[] =
	"    endpoints: [{address: 10.2.0.11:80}, {address: 10.2.0.12:80}]\n";
static const char three_and_retries[] =
	"    retry: {}\n"
	"    endpoints: [{address: 10.2.0.11:80}, {address: 10.2.0.12:80},\n"
	"                {address: 10.2.0.13:80}]\n";

static const char scenario[] = "duration: 10s\n"
			       "load: [{listener: web, rate: 100}]\n"
			       "endpoints: [{failure_rate: 10%}]\n"
			       "events: [{at: 5s, reload: policy2.yaml}]\n";

static const char *path(const char *name)
{
	static char paths[4][128];
	static unsigned int next;
	char *out = paths[next++ % 4];

	snprintf(out, sizeof(paths[0]), "%s/%s", folder, name);
	return out;
}

static void write_file(const char *name, const char *text, const char *more)
{
	FILE *file = fopen(path(name), "we");

	if (file == NULL)
		abort();
	fprintf(file, "%s%s", text, more);
	fclose(file);
}

/* What the command prints on @fd; *status is its exit status. */
static char *output_of(const struct options *options, FILE *stream, int *status)
{
	FILE *file = tmpfile();
	char *text = calloc(1, 65536);
	int saved;

	if (file == NULL || text == NULL)
		abort();
	fflush(stream);
	saved = dup(fileno(stream));
	dup2(fileno(file), fileno(stream));
	*status = command_simulate(options);
	fflush(stream);
	dup2(saved, fileno(stream));
	close(saved);
	rewind(file);
	if (fread(text, 1, 65535, file) == 0)
		text[0] = '\0';
	fclose(file);
	return text;
}

static struct options command(const char *policy_name, const char *scenario_name)
{
	struct options options = {0};

	options.operand = path(policy_name);
	options.operand2 = path(scenario_name);
	return options;
}

static void tables_are_printed_and_repeat(void)
{
	static const char *const parts[] = {
		"10.0s simulated", "<none>",   "LISTENER", "connect_refused", "LATENCY",
		"P99.9",           "PER CALL", "SHARE",    "10.2.0.11:80",    "attempt_failures"};
	struct options options = command("policy.yaml", "scenario.yaml");
	int status, again_status;
	char *text = output_of(&options, stdout, &status);
	char *again = output_of(&options, stdout, &again_status);

	CU_ASSERT_EQUAL(status, EXIT_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		CU_ASSERT_EQUAL(strstr(text, parts[i]) == NULL, i == 1);
	CU_ASSERT_STRING_EQUAL(text, again);
	free(again);
	options.seed = "7";
	again = output_of(&options, stdout, &again_status);
	CU_ASSERT_STRING_NOT_EQUAL(text, again);
	CU_ASSERT_PTR_NOT_NULL(strstr(again, "seed 7"));
	free(again);
	free(text);
}

static void json_compares_two_policies(void)
{
	struct options options = command("policy.yaml", "scenario.yaml");
	const json_t *difference, *runs, *calls;
	int status;
	json_t *json;
	char *text;

	options.policy2 = path("policy2.yaml");
	options.json = 1;
	text = output_of(&options, stdout, &status);
	json = json_loads(text, 0, NULL);
	CU_ASSERT_EQUAL(status, EXIT_OK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	runs = json_object_get(json, "runs");
	CU_ASSERT_EQUAL(json_array_size(runs), 2);
	calls = json_object_get(json_array_get(runs, 0), "calls");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(calls, "started")),
			json_integer_value(json_object_get(
				json_object_get(json_array_get(runs, 1), "calls"), "started")));
	difference = json_object_get(json, "difference");
	CU_ASSERT_EQUAL(json_real_value(json_object_get(difference, "web calls")), 0);
	CU_ASSERT(json_real_value(json_object_get(difference, "web failed %")) < -3);
	CU_ASSERT(json_real_value(json_object_get(difference, "web attempts per call")) > 0.02);
	/* a third endpoint takes a third of the keys */
	CU_ASSERT_DOUBLE_EQUAL(json_real_value(json_object_get(
				       json_object_get(json, "moved_keys_percent"), "web")),
			       33.3, 3);
	json_decref(json);
	free(text);
}

static void tables_compare_two_policies(void)
{
	struct options options = command("policy.yaml", "scenario.yaml");
	char *text;
	int status;

	options.policy2 = path("policy2.yaml");
	text = output_of(&options, stdout, &status);
	CU_ASSERT_EQUAL(status, EXIT_OK);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "DIFFERENCE"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "web: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "of the keys go to another endpoint"));
	free(text);
}

static void bad_files_fail_with_their_place(void)
{
	static const struct {
		const char *policy;
		const char *scenario;
		const char *policy2;
		const char *seed;
		int status;
		const char *message;
	} rows[] = {
		{"missing.yaml", "scenario.yaml", NULL, NULL, EXIT_FAILED,
		 "missing.yaml: error: cannot be read"},
		{"policy.yaml", "missing.yaml", NULL, NULL, EXIT_FAILED,
		 "missing.yaml: error: cannot be read"},
		{"scenario.yaml", "scenario.yaml", NULL, NULL, EXIT_FAILED, "unknown key"},
		{"policy.yaml", "policy.yaml", NULL, NULL, EXIT_FAILED, "unknown key"},
		{"policy.yaml", "scenario.yaml", "missing.yaml", NULL, EXIT_FAILED,
		 "missing.yaml: error: cannot be read"},
		{"policy.yaml", "stranger.yaml", NULL, NULL, EXIT_FAILED,
		 "stranger.yaml:2:19: error: load[0].listener: found other, expected a listener"},
		{"policy.yaml", "reload.yaml", NULL, NULL, EXIT_FAILED,
		 "gone.yaml: error: cannot be read"},
		{"policy.yaml", "scenario.yaml", NULL, "x", EXIT_USAGE, "expected a whole number"},
	};

	write_file("stranger.yaml", "duration: 1s\nload: [{listener: other, rate: 1}]\n", "");
	write_file("reload.yaml", "duration: 1s\nload: [{listener: web, rate: 1}]\n",
		   "events: [{at: 1s, reload: gone.yaml}]\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options = command(rows[i].policy, rows[i].scenario);
		char *text;
		int status;

		options.policy2 = rows[i].policy2 ? path(rows[i].policy2) : NULL;
		options.seed = rows[i].seed;
		text = output_of(&options, stderr, &status);
		CU_ASSERT_EQUAL(status, rows[i].status);
		if (!strstr(text, rows[i].message))
			fprintf(stderr, "\n--- row %zu: got\n%s", i, text);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, rows[i].message));
		free(text);
	}
}

static void two_operands_are_needed(void)
{
	static const struct command simulate = {
		"simulate", COMMAND_SIMULATE, "POLICY SCENARIO", "s", "", "e", NULL};
	static const struct {
		const char *words[6];
		int rc;
	} rows[] = {{{"simulate", "a", "b"}, 0},
		    {{"simulate", "a", "--policy2", "c", "b"}, 0},
		    {{"simulate", "a"}, EXIT_USAGE},
		    {{"simulate"}, EXIT_USAGE},
		    {{"simulate", "a", "b", "c"}, EXIT_USAGE},
		    {{"simulate", "--help"}, 0}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options;
		char *argv[7] = {NULL};
		FILE *err = tmpfile();
		int argc = 0;

		for (; argc < 6 && rows[i].words[argc] != NULL; argc++)
			argv[argc] = strdup(rows[i].words[argc]);
		CU_ASSERT_EQUAL(options_parse(&options, &simulate, argc, argv, err), rows[i].rc);
		if (rows[i].rc == 0 && !options.help) {
			CU_ASSERT_STRING_EQUAL(options.operand, "a");
			CU_ASSERT_STRING_EQUAL(options.operand2, "b");
		}
		for (int n = 0; n < argc; n++)
			free(argv[n]);
		fclose(err);
	}
}

static void times_have_three_digits(void)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {{0, "0.00us"},        {1500, "1.50us"},       {850000, "850us"},
		    {999499, "999us"},    {999500, "1.00ms"},     {12345678, "12.3ms"},
		    {999500000, "1.00s"}, {61500000000, "61.5s"}, {600000000000, "600s"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[FORMAT_BYTES];

		simulate_format_time(text, rows[i].ns);
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

int main(void)
{
	static CU_TestInfo tests[] = {
		SUITE_TEST(tables_are_printed_and_repeat),
		SUITE_TEST(json_compares_two_policies),
		SUITE_TEST(tables_compare_two_policies),
		SUITE_TEST(bad_files_fail_with_their_place),
		SUITE_TEST(two_operands_are_needed),
		SUITE_TEST(times_have_three_digits),
		CU_TEST_INFO_NULL,
	};
	static const char *const files[] = {"policy.yaml", "policy2.yaml", "scenario.yaml",
					    "stranger.yaml", "reload.yaml"};
	int rc;

	if (mkdtemp(folder) == NULL)
		return 1;
	write_file("policy.yaml", policy, two_endpoints);
	write_file("policy2.yaml", policy, three_and_retries);
	write_file("scenario.yaml", scenario, "");
	rc = suite_run("simulate_cli", tests);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(path(files[i]));
	rmdir(folder);
	return rc;
}
