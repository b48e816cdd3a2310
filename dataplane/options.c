/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/options.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/version.h"

static const char usage[] =
	"Usage: fender-dataplane --region PATH --instance NAME [options]\n"
	"The packet path of Fender; `fender run` starts it.\n"
	"\n"
	"  --region PATH      the shared region, made by the control plane\n"
	"  --instance NAME    names the files in the run directory\n"
	"  --run-dir DIR      lock and wake FIFO (default /run/fender)\n"
	"  --bpf-root DIR     where the limiter's maps are pinned\n"
	"  --takeover FD      prepare, say so to FD, then take over from the\n"
	"                     dataplane that runs; FD `dead`: of one that dies\n"
	"  --log-level LEVEL  error, warn, info (default) or debug\n"
	"  --log-format F     text (default) or json\n"
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

/* An open one, or -1. */
static int descriptor_of(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	if (end == text || *end != '\0' || fd < 0 || fd > INT_MAX)
		return -1;
	return fcntl((int)fd, F_GETFD) < 0 ? -1 : (int)fd;
}

enum options_result options_read(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"region", required_argument, NULL, 'r'},
		{"instance", required_argument, NULL, 'i'},
		{"run-dir", required_argument, NULL, 'd'},
		{"bpf-root", required_argument, NULL, 'b'},
		{"takeover", required_argument, NULL, 't'},
		{"log-level", required_argument, NULL, 'l'},
		{"log-format", required_argument, NULL, 'f'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option, level, format;

	*o = (struct options){.run_dir = "/run/fender",
			      .takeover_fd = TAKEOVER_NONE,
			      .log_level = LOG_LEVEL_INFO};
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
		case 'b':
			o->bpf_root = optarg;
			break;
		case 't':
			o->takeover_fd =
				strcmp(optarg, "dead") == 0 ? TAKEOVER_DEAD : descriptor_of(optarg);
			if (o->takeover_fd == TAKEOVER_NONE)
				return wrong("no such descriptor: ", optarg);
			break;
		case 'l':
			level = log_level_of(optarg);
			if (level < 0)
				return wrong("no such log level: ", optarg);
			o->log_level = (enum log_level)level;
			break;
		case 'f':
			format = log_format_of(optarg);
			if (format < 0)
				return wrong("no such log format: ", optarg);
			o->log_format = (enum log_format)format;
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
