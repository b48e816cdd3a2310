/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/starved.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROC_PATH_BYTES = 320, STAT_BYTES = 512 };

/* The first line of a file of the thread's; "" when it cannot be read. */
static const char *read_line(pid_t pid, const char *thread, const char *name, char line[STAT_BYTES])
{
	char path[PROC_PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/%s", pid, thread, name);
	line[0] = '\0';
	file = fopen(path, "re");
	if (!file)
		return line;
	if (!fgets(line, STAT_BYTES, file))
		line[0] = '\0';
	fclose(file);
	return line;
}

/* "PID (name) STATE ..."; the name is what the thread calls itself. */
static int is_ready(const char *stat)
{
	const char *end = strrchr(stat, ')');

	return end && end[1] == ' ' && end[2] == 'R';
}

static int read_row(struct cpu_look *look, pid_t pid, const char *thread)
{
	char line[STAT_BYTES];

	if (read_line(pid, thread, "schedstat", line)[0] == '\0')
		return 0;
	look->row[look->count].thread = (pid_t)strtol(thread, NULL, 10);
	look->row[look->count].run_ns = strtoull(line, NULL, 10);
	look->row[look->count].ready = is_ready(read_line(pid, thread, "stat", line));
	return 1;
}

void cpu_look(struct cpu_look *look, pid_t pid, uint64_t now_ns)
{
	char path[PROC_PATH_BYTES];
	const struct dirent *entry;
	DIR *threads;

	look->at_ns = now_ns;
	look->count = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads = opendir(path);
	if (!threads)
		return;
	while (look->count < STARVED_THREADS && (entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			look->count += (uint32_t)read_row(look, pid, entry->d_name);
	closedir(threads);
}

int cpu_starved(const struct cpu_look *before, const struct cpu_look *after)
{
	const uint64_t little_ns = (after->at_ns - before->at_ns) / 10;

	for (uint32_t i = 0; i < before->count; i++)
		for (uint32_t k = 0; k < after->count; k++)
			if (before->row[i].thread == after->row[k].thread && before->row[i].ready &&
			    after->row[k].ready &&
			    after->row[k].run_ns - before->row[i].run_ns < little_ns)
				return 1;
	return 0;
}
