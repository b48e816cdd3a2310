/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli), RFC 3720 appendix B.4. */
#ifndef FENDER_SHM_CRC32C_H
#define FENDER_SHM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * crc32c() - checksum of @bytes at @data, or of a continued sequence
 * @crc: 0 to begin, else what the call for the preceding bytes returned
 *
 * With SSE4.2 by its instruction, about 8 bytes in 3 cycles.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);

/* The same by tables, for processors without the instruction. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t bytes);

#endif
