/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "tests/unit/dataplane/suite.h"

enum { TEXT_BYTES = 2048 };

static const char policy[] =
	"version: 1\n"
	"sidecar: {name: one, workers: 1, spin: 50us}\n"
	"interfaces:\n"
	"  - {name: in, device: 'af_xdp:fa', addresses: [10.1.0.1/24], mtu: 1400}\n"
	"  - name: out\n"
	"    device: af_xdp:fb\n"
	"    addresses: [10.2.0.1/24]\n"
	"    shared: true\n"
	"    routes: [{to: 10.3.0.0/16, via: 10.2.0.9}]\n"
	"    neighbours: [{address: 10.2.0.9, mac: '02:00:00:00:00:09'}]\n"
	"listeners:\n"
	"  - {name: web, bind: '10.1.0.1:80', interface: in, protocol: tcp, cluster: web}\n"
	"clusters:\n"
	"  - {name: web, endpoints: [{address: '10.2.0.11:80'}]}\n";

static struct image_header *compile(const char *text)
{
	struct diagnostics *d = diagnostics_create("policy.yaml");
	struct image_header *image = config_compile(text, strlen(text), d);

	if (!image)
		diagnostics_print(d, stderr);
	diagnostics_free(d);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	return image;
}

/* The policy with @from replaced by @to. */
static struct image_header *variant(const char *from, const char *to)
{
	const char *at = strstr(policy, from);
	char text[TEXT_BYTES];

	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - policy), policy, to, at + strlen(from));
	return compile(text);
}

static void says_what_needs_a_restart(void)
{
	static const struct {
		const char *from, *to, *differs; /* NULL: a reload can do it */
	} rows[] = {
		{"version: 1", "version: 1", NULL},
		{"10.2.0.11:80", "10.2.0.12:8080", NULL},
		{"name: web, bind", "name: a-longer-name, bind", NULL}, /* moves all strings */
		{"10.1.0.1:80", "10.1.0.1:81", NULL},
		{"name: one", "name: two", "sidecar"},
		{"spin: 50us", "spin: 60us", "sidecar"},
		{"spin: 50us", "spin: 50us, connections: 1024", "sidecar"},
		{"af_xdp:fa", "af_xdp:fc", "interfaces"},
		{"mtu: 1400", "mtu: 1300", "interfaces"},
		{"mtu: 1400", "mtu: 1400, vlan: 7", "interfaces"},
		{"name: out", "name: back", "interfaces"},
		{"spin: 50us", "spin: 50us, on_dataplane_loss: pass", NULL},
		{"version: 1", "version: 1\nreload: {watch: 5s}", NULL},
		{"cluster: web}",
		 "cluster: web, rate_limit: {listener: {connections_per_second: "
		 "5}}}",
		 NULL},
		{"shared: true", "shared: false", "interfaces"},
		{"mtu: 1400", "mtu: 1400, limiter: dpdk", "interfaces"},
		{"mtu: 1400", "mtu: 1400, kernel_addresses: 10.1.0.3", "addresses of interfaces"},
		{"[10.2.0.1/24]", "[10.2.0.2/24]", "addresses of interfaces"},
		{"[10.2.0.1/24]", "[10.2.0.1/24, 10.2.0.2/24]", "addresses of interfaces"},
		{"10.3.0.0/16", "10.4.0.0/16", "routes of interfaces"},
		{"00:09", "00:08", "neighbours of interfaces"},
	};
	struct image_header *running = compile(policy);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *wanted = variant(rows[i].from, rows[i].to);
		const char *differs = restart_needed(running, wanted);

		if (rows[i].differs && differs)
			CU_ASSERT_STRING_EQUAL(differs, rows[i].differs);
		CU_ASSERT_EQUAL(!differs, !rows[i].differs);
		free(wanted);
	}
	free(running);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(says_what_needs_a_restart),
		CU_TEST_INFO_NULL,
	};

	return suite_run("restart", tests);
}
