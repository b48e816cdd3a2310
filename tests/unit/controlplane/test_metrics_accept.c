/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/metrics.h"

#include <stdio.h>

#include "tests/unit/dataplane/suite.h"

static void the_accept_header_chooses(void)
{
#define PROTO          \
	"application/" \
	"vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	static const struct {
		const char *accept;
		enum metrics_format format;
	} rows[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/plain", METRICS_TEXT},
		{PROTO, METRICS_PROTOBUF},
		{PROTO ",application/openmetrics-text;version=1.0.0;q=0.8,"
		       "application/openmetrics-text;version=0.0.1;q=0.75,"
		       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_PROTOBUF},
		{"text/plain;q=0.9," PROTO ";q=0.8", METRICS_TEXT},
		{"text/plain;q=0.8," PROTO ";q=0.9", METRICS_PROTOBUF},
		{PROTO ";q=0", METRICS_TEXT},
		{PROTO ";q=0.000", METRICS_TEXT},
		{PROTO ";q=0.0001", METRICS_TEXT},
		{PROTO ";q=", METRICS_TEXT},
		{PROTO ";q=x", METRICS_TEXT},
		{PROTO ";q=-1", METRICS_TEXT},
		{PROTO ";q=1.999", METRICS_PROTOBUF},
		{PROTO ";q=1;q=0", METRICS_TEXT},
		{" Application/VND.google.Protobuf ; Encoding = DELIMITED ; "
		 "Proto = io.prometheus.client.metricfamily ; Q = 0.5 ",
		 METRICS_PROTOBUF},
		{"application/vnd.google.protobuf", METRICS_TEXT},
		{"application/vnd.google.protobuf;encoding=delimited", METRICS_TEXT},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=text",
		 METRICS_TEXT},
		{",,,;;;===,;q=1,=;", METRICS_TEXT},
		{";", METRICS_TEXT},
		{"\"" PROTO, METRICS_TEXT},
		{"\xff\xfe;\x01=\x02", METRICS_TEXT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(metrics_accepted(rows[i].accept), rows[i].format);
		if (metrics_accepted(rows[i].accept) != rows[i].format)
			printf("accept: %s\n", rows[i].accept);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_accept_header_chooses),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("metrics_accept", tests);
}
