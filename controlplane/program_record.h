/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane program that an upgrade put in the place of the one `fender run` names, in a file:
 * a control plane that is started again starts the same one.
 */
#ifndef FENDER_CONTROLPLANE_PROGRAM_RECORD_H
#define FENDER_CONTROLPLANE_PROGRAM_RECORD_H

#include <stddef.h>

/*
 * @program is the one from now on where `fender run` names @named; the same one: the file is
 * removed. What cannot be written is logged.
 */
void program_record_write(const char *path, const char *named, const char *program);

/**
 * program_record_read() - the program to start in the place of @named
 * @program: NUL-terminated path
 *
 * A file that is not ours alone to write, or was written when `fender run` named another one,
 * says nothing. Return: 0 or -ENOENT.
 */
int program_record_read(const char *path, const char *named, char *program, size_t size);

#endif
