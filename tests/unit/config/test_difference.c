/* SPDX-License-Identifier: Apache-2.0 */
#include "config/difference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/diagnostics.h"
#include "tests/unit/dataplane/suite.h"

#define POLICY                                                                                    \
	"version: 1\n"                                                                            \
	"sidecar: {name: unit, cpus: [0]}\n"                                                      \
	"interfaces:\n"                                                                           \
	"  - {name: app, device: 'af_xdp:fnd1', addresses: [10.0.0.1/24]}\n"                      \
	"  - {name: net, device: 'af_xdp:eth9', addresses: [10.1.0.1/24], gateway: 10.1.0.254}\n" \
	"listeners:\n"                                                                            \
	"  - {name: web, bind: '10.0.0.1:80', interface: app, protocol: tcp, cluster: web}\n"     \
	"clusters:\n"                                                                             \
	"  - name: web\n"                                                                         \
	"    timeouts: {}\n"                                                                      \
	"    endpoints: [{address: '10.1.0.11:80'}, {address: '10.1.0.12:80', weight: 1}]\n"

static char text[4096];

static void on_difference(void *ctx, const struct difference *d)
{
	static const char *const kinds[] = {"", "+", "-"};
	const size_t used = strlen(text);

	if (d->kind == DIFFERENCE_CHANGED)
		snprintf(text + used, sizeof(text) - used, "%s: %s -> %s%s\n", d->path, d->before,
			 d->after, d->needs_restart ? " !" : "");
	else
		snprintf(text + used, sizeof(text) - used, "%s%s%s\n", kinds[d->kind], d->path,
			 d->needs_restart ? " !" : "");
}

/* POLICY with the first @from replaced by @to; freed by the caller. */
static char *policy_with(const char *from, const char *to)
{
	static const char policy[] = POLICY;
	const char *at = strstr(policy, from);
	char *out;

	if (!at)
		abort();
	if (asprintf(&out, "%.*s%s%s", (int)(at - policy), policy, to, at + strlen(from)) < 0)
		abort();
	return out;
}

static int difference(const char *before, const char *after)
{
	const struct config_input a = {.text = before, .bytes = strlen(before)};
	const struct config_input b = {.text = after, .bytes = strlen(after)};
	struct diagnostics *a_d = diagnostics_create("a.yaml"), *b_d = diagnostics_create("b.yaml");
	int rc;

	text[0] = '\0';
	rc = config_difference(&a, a_d, &b, b_d, on_difference, NULL);
	diagnostics_free(a_d);
	diagnostics_free(b_d);
	return rc;
}

static void every_kind_of_key_is_told(void)
{
	static const struct {
		const char *from;
		const char *to;
		const char *said;
	} rows[] = {
		{"", "", ""},
		{"timeouts: {}", "timeouts: {connect: 1000ms}", ""},
		{"timeouts: {}", "load_balancing: {algorithm: round_robin}", ""},
		{"timeouts: {}", "timeouts: {connect: 2s}",
		 "clusters[web].timeouts.connect: 1s -> 2s\n"},
		{", weight: 1", ", weight: 5",
		 "clusters[web].endpoints[10.1.0.12:80].weight: 1 -> 5\n"},
		{"10.1.0.12:80", "10.1.0.13:81",
		 "-clusters[web].endpoints[10.1.0.12:80]\n+clusters[web].endpoints[10.1.0.13:81]"
		 "\n"},
		{"10.0.0.1:80", "10.0.0.1:81", "listeners[web].bind: 10.0.0.1:80 -> 10.0.0.1:81\n"},
		{"protocol: tcp", "protocol: udp", "listeners[web].protocol: tcp -> udp\n"},
		{"  - {name: web,", "  - {name: w2,", "+listeners[w2]\n-listeners[web]\n"},
		{"timeouts: {}", "bulkhead: {max_concurrent: 7}",
		 "+clusters[web].bulkhead\nclusters[web].bulkhead.max_concurrent: "},
		{"timeouts: {}", "circuit_breaker: {window: 30s}",
		 "+clusters[web].circuit_breaker\n"
		 "clusters[web].circuit_breaker.window: 100 calls -> 30s\n"},
		{"cpus: [0]", "cpus: [0, 2]", "sidecar.cpus: [0] -> [0, 2] !\n"},
		{"fnd1", "fnd2", "interfaces[app].device: af_xdp:fnd1 -> af_xdp:fnd2 !\n"},
		{"[10.0.0.1/24]", "[10.0.0.1/24, 10.0.0.9/24]",
		 "interfaces[app].addresses: [10.0.0.1/24] -> [10.0.0.1/24, 10.0.0.9/24] !\n"},
		{"addresses: [10.0.0.1/24]}", "addresses: [10.0.0.1/24], mtu: 1400}",
		 "interfaces[app].mtu: the device's own -> 1400 !\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *changed = policy_with(rows[i].from, rows[i].to);

		CU_ASSERT_EQUAL(difference(POLICY, changed), 0);
		CU_ASSERT_EQUAL(strncmp(text, rows[i].said, strlen(rows[i].said)), 0);
		if (strncmp(text, rows[i].said, strlen(rows[i].said)) != 0 ||
		    (!rows[i].said[0] && text[0])) {
			CU_FAIL("said otherwise");
			printf("row %zu: %s\n", i, text);
		}
		free(changed);
	}
}

static void a_block_that_goes_is_told_once(void)
{
	char *with = policy_with("timeouts: {}", "retry: {max_attempts: 5}");

	CU_ASSERT_EQUAL(difference(with, POLICY), 0);
	CU_ASSERT_STRING_EQUAL(text, "-clusters[web].retry\n");
	free(with);
}

static void errors_are_the_files_own(void)
{
	char *bad = policy_with(", weight: 1", ", weight: 0");

	CU_ASSERT_EQUAL(difference(POLICY, bad), -EINVAL);
	CU_ASSERT_EQUAL(difference(bad, POLICY), -EINVAL);
	CU_ASSERT_EQUAL(difference("[", POLICY), -EINVAL);
	CU_ASSERT_STRING_EQUAL(text, "");
	free(bad);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(every_kind_of_key_is_told),
	SUITE_TEST(a_block_that_goes_is_told_once),
	SUITE_TEST(errors_are_the_files_own),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("difference", tests);
}
