/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload costs the control plane: the table of one cluster (config/tables.h), and the whole
 * way from the text of a policy to its image, by algorithm and number of endpoints.
 *
 * bench_compile [--rounds N]: one JSON object a row on standard output.
 */
#include "config/arena.h"
#include "config/checks.h"
#include "config/config.h"
#include "config/parse.h"
#include "config/tables.h"
#include "config/yaml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_MAX = 101 };

static const char *const algorithms[] = {"round_robin", "maglev", "ring_hash"};
static const uint32_t sizes[] = {10, 100, 1000, MAX_ENDPOINTS};

struct text {
	char *bytes;
	size_t count;
};

struct built {
	size_t entries;
	size_t points;
	size_t image_bytes;
};

static double cpu_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void must(int holds, const char *what, struct diagnostics *d)
{
	if (holds)
		return;
	fprintf(stderr, "bench_compile: %s\n", what);
	if (d)
		diagnostics_print(d, stderr);
	exit(1);
}

static struct text write_policy(const char *algorithm, uint32_t endpoints)
{
	struct text t = {0};
	FILE *out = open_memstream(&t.bytes, &t.count);

	must(out != NULL, "no memory", NULL);
	fprintf(out,
		"version: 1\n"
		"sidecar: {name: bench, max_endpoints: %d, policy_slot: 256MiB}\n"
		"interfaces:\n"
		"  - {name: servers, device: 'vdev:net_null0', addresses: [10.78.0.1/16]}\n"
		"clusters:\n"
		"  - name: web\n"
		"    load_balancing: {algorithm: %s}\n"
		"    endpoints:\n",
		MAX_ENDPOINTS, algorithm);
	for (uint32_t i = 0; i < endpoints; i++)
		fprintf(out, "      - {address: '10.78.%u.%u:80'}\n", 1 + i / 250, 1 + i % 250);
	must(fclose(out) == 0, "no memory", NULL);
	return t;
}

static double build_tables(const struct text *text, struct built *built)
{
	struct diagnostics *d = diagnostics_create("bench");
	struct check check = {.arena = arena_create(), .d = d};
	struct tables tables = {0};
	double began_ms, ms;

	must(d && check.arena, "no memory", NULL);
	check.policy =
		policy_parse(yaml_tree(text->bytes, text->count, check.arena, d), check.arena, d);
	must(check.policy && policy_check(&check) == 0 && diagnostics_errors(d) == 0, "policy", d);
	began_ms = cpu_ms();
	must(tables_build(&tables, check.policy, check.arena, d) == 0, "tables", d);
	ms = cpu_ms() - began_ms;
	built->entries = tables.count;
	built->points = tables.point_count;
	tables_free(&tables);
	arena_free(check.arena);
	diagnostics_free(d);
	return ms;
}

static double compile(const struct text *text, struct built *built)
{
	struct diagnostics *d = diagnostics_create("bench");
	double began_ms = cpu_ms(), ms;
	struct image_header *image = config_compile(text->bytes, text->count, d);

	ms = cpu_ms() - began_ms;
	must(image != NULL, "policy", d);
	built->image_bytes = image->length;
	free(image);
	diagnostics_free(d);
	return ms;
}

static void print_values(const char *key, const double *values, long rounds)
{
	printf(", \"%s\": [", key);
	for (long i = 0; i < rounds; i++)
		printf("%s%.4f", i ? ", " : "", values[i]);
	printf("]");
}

static void run_row(const char *algorithm, uint32_t endpoints, long rounds)
{
	struct text text = write_policy(algorithm, endpoints);
	double table_ms[ROUNDS_MAX], compile_ms[ROUNDS_MAX];
	struct built built = {0};

	for (long i = 0; i < rounds; i++) {
		table_ms[i] = build_tables(&text, &built);
		compile_ms[i] = compile(&text, &built);
	}
	printf("{\"algorithm\": \"%s\", \"endpoints\": %u, \"entries\": %zu, \"table_bytes\": %zu, "
	       "\"image_bytes\": %zu",
	       algorithm, endpoints, built.entries,
	       built.entries * sizeof(uint16_t) + built.points * sizeof(uint64_t),
	       built.image_bytes);
	print_values("table_ms", table_ms, rounds);
	print_values("compile_ms", compile_ms, rounds);
	printf("}\n");
	(void)fflush(stdout);
	free(text.bytes);
}

int main(int argc, char **argv)
{
	long rounds = 7;

	if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
		rounds = strtol(argv[2], NULL, 10);
	else if (argc != 1)
		rounds = 0;
	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_compile [--rounds 1..%d]\n", ROUNDS_MAX);
		return 2;
	}
	for (size_t a = 0; a < sizeof(algorithms) / sizeof(algorithms[0]); a++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			run_row(algorithms[a], sizes[i], rounds);
	return 0;
}
