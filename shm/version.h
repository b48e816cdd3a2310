/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_SHM_VERSION_H
#define FENDER_SHM_VERSION_H

#define FENDER_VERSION "0.1.0"

#endif
