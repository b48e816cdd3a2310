/* SPDX-License-Identifier: Apache-2.0 */
/* From a checked policy to the flat image of shm/image.h. */
#ifndef FENDER_CONFIG_COMPILE_H
#define FENDER_CONFIG_COMPILE_H

#include "config/checks.h"

/**
 * policy_compile() - write the image
 * @check: after policy_check() without an error in its diagnostics
 *
 * Return: malloc'ed, sealed image with generation 0 that image_check() accepts; NULL with an
 * error in the diagnostics (it does not fit policy_slot, or there is no memory).
 */
struct image_header *policy_compile(const struct check *check);

#endif
