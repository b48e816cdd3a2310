/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "shm/version.h"

static const char usage[] = "Usage: fender-dataplane --region PATH --instance NAME [options]\n"
			    "The packet path of Fender; `fender run` starts it.\n"
			    "\n"
			    "  --region PATH      the shared region, made by the control plane\n"
			    "  --instance NAME    names the files in the run directory\n"
			    "  --run-dir DIR      lock and wake FIFO (default /run/fender)\n"
			    "  --log-level LEVEL  error, warn, info (default) or debug\n"
			    "  --version          print the version\n"
			    "  --help             print this\n";

static enum options_result wrong(const char *what, const char *which)
{
	fprintf(stderr, "fender-dataplane: %s%s\n%s", what, which, usage);
	return OPTIONS_WRONG;
}

static enum options_result set_paths(struct options *o)
{
	const struct {
		char *path;
		const char *suffix;
	} rows[] = {{o->lock_path, ".dataplane.lock"}, {o->wake_path, ".wake"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = snprintf(rows[i].path, OPTIONS_PATH_BYTES, "%s/%s%s", o->run_dir,
				 o->instance, rows[i].suffix);

		if (n < 0 || n >= OPTIONS_PATH_BYTES)
			return wrong("too long: ", o->run_dir);
	}
	return OPTIONS_RUN;
}

enum options_result options_read(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"region", required_argument, NULL, 'r'},
		{"instance", required_argument, NULL, 'i'},
		{"run-dir", required_argument, NULL, 'd'},
		{"log-level", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option, level;

	*o = (struct options){.run_dir = "/run/fender", .log_level = LOG_LEVEL_INFO};
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'r':
			o->region = optarg;
			break;
		case 'i':
			o->instance = optarg;
			break;
		case 'd':
			o->run_dir = optarg;
			break;
		case 'l':
			level = log_level_of(optarg);
			if (level < 0)
				return wrong("no such log level: ", optarg);
			o->log_level = (enum log_level)level;
			break;
		case 'v':
			puts("fender-dataplane " FENDER_VERSION);
			return OPTIONS_DONE;
		case 'h':
			fputs(usage, stdout);
			return OPTIONS_DONE;
		default:
			fputs(usage, stderr);
			return OPTIONS_WRONG;
		}
	}
	if (optind < argc)
		return wrong("unexpected argument: ", argv[optind]);
	if (!o->region || !o->instance)
		return wrong("--region and --instance are needed", "");
	if (o->instance[0] == '\0' || o->instance[0] == '.' || strchr(o->instance, '/'))
		return wrong("cannot name an instance: it names files: ", o->instance);
	return set_paths(o);
}
