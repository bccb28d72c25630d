/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Files by their digests: uploads by operators, fetches by peers. Parts of them go over JSON, base64, a few
 * megabytes a request, so that a file of any size takes little memory and an interrupted transfer goes on.
 *
 * Implemented in mgmt/api/handle_files.c; called by the threads of handlers, handle_files_find()
 * by the peers' thread too.
 */
#ifndef WEIR_MGMT_API_HANDLE_FILES_H
#define WEIR_MGMT_API_HANDLE_FILES_H

#include "mgmt/api/core.h"
#include "mgmt/api/to_json.h"
#include "mgmt/http/http.h"

#define FILES_PARTS_MAX      4096u             /**< of a request */
#define FILES_PART_BYTES_MAX ((size_t)4 << 20) /**< of all parts of a request, decoded */

http_handler handle_files, handle_peer_files;

/** Finds files in uploads and versions; takes core's lock (@p arg: core). */
int handle_files_find(void *arg, const char *name, const char *digest, uint64_t n_bytes,
                      struct files *out);

#endif
