/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request names the next missing files, some megabytes at a time, each with the offset from
 * which it is missing here. The loop ends when nothing is missing, when its time is over, or when
 * an answer brought nothing: a peer without the files cannot keep it going.
 */
#include "mgmt/api/fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mgmt/api/handle_files.h"
#include "mgmt/api/peer_query.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/blobs.h"
#include "weir/json.h"

#define ANSWER_MS  10000 /* for a version with its small files */
#define REQUEST_MS 20000 /* for some megabytes: 200 kB/s are enough */
#define PARTS_MAX  1024u /* of a request: small files cost an entry each, not bytes */

/* Make a request for the next missing parts. @return NULL: nothing is missing */
static json_t *next_request(struct core *core, const json_t *files)
{
	json_t *parts = json_array();
	uint64_t n_bytes = 0, have;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)files, name, value)
	{
		const char *digest = json_get_text(value, "digest");
		json_int_t bytes = json_integer_value(json_object_get(value, "bytes"));

		if (!digest || bytes < 0)
			continue;
		core_lock(core);
		bool whole = intent_has_file(core->intent, digest, &have);
		core_unlock(core);
		if (whole)
			continue;
		json_array_append_new(parts, json_pack("{s:s, s:I, s:I}", "digest", digest, "bytes",
		                                       bytes, "offset", (json_int_t)have));
		n_bytes += (uint64_t)bytes;
		if (n_bytes >= FILES_PART_BYTES_MAX || json_array_size(parts) == PARTS_MAX)
			break;
	}
	if (json_array_size(parts) > 0)
		return json_pack("{s:o}", "parts", parts);
	json_decref(parts);
	return NULL;
}

/* Store the parts that arrived. @return how many, or -errno */
static int keep_parts(struct core *core, const json_t *answer)
{
	const json_t *parts = json_object_get(answer, "parts"), *item;
	int err = 0, n_accepted = 0;
	size_t i;

	json_array_foreach(parts, i, item)
	{
		const char *digest = json_get_text(item, "digest");
		const char *data = json_get_text(item, "data");
		json_int_t bytes = json_integer_value(json_object_get(item, "bytes"));
		json_int_t offset = json_integer_value(json_object_get(item, "offset"));
		size_t room = data ? strlen(data) / 4 * 3 : 0;
		char *decoded =
		        data && digest && bytes >= 0 && offset >= 0 ? malloc(room + 1) : NULL;
		ssize_t n = decoded ? core_base64(data, decoded, room) : -EINVAL;

		err = n < 0 ? -EINVAL
		            : blobs_add(core->dirs.state, digest, (uint64_t)bytes, (uint64_t)offset,
		                        decoded, (size_t)n);
		free(decoded);
		if (err)
			return err;
		n_accepted += n > 0 || bytes == 0;
	}
	return n_accepted;
}

int fetch_files(struct core *core, struct peer_client *client, const char *api, const json_t *files,
                unsigned within_ms)
{
	uint64_t until_ms = clock_mono_ms() + within_ms;
	json_t *missing;
	int err = 0;

	while (!err && (missing = next_request(core, files))) {
		struct client_request r = { .post = 1, .timeout_ms = REQUEST_MS };
		char *body = json_line(missing);

		snprintf(r.url, sizeof(r.url), "%s/v1/peer/files", api);
		r.body = body;
		err = body && clock_mono_ms() < until_ms ? 0 : -EAGAIN;
		if (!err)
			(void)peer_query_run(core, client, &r, 1);
		if (!err && !r.answer)
			err = -EIO;
		if (!err && (err = keep_parts(core, r.answer)) == 0)
			err = -ENOENT; /* it does not have them either */
		err = err > 0 ? 0 : err;
		json_decref(r.answer);
		free(body);
	}
	return err;
}

int fetch_version(struct core *core, struct peer_client *client, const char *api, uint64_t number,
                  unsigned within_ms, struct files *out)
{
	const struct file_source source = { handle_files_find, core };
	struct client_request r = { .timeout_ms = ANSWER_MS };
	char reason[HTTP_TEXT_MAX];

	snprintf(r.url, sizeof(r.url), "%s/v1/peer/versions/%" PRIu64, api, number);
	(void)peer_query_run(core, client, &r, 1);
	if (!r.answer) {
		log_warn("peer-failed", "api=%s version=%" PRIu64 " reason=\"%s\"", api, number,
		         r.failure);
		return -ENOENT;
	}
	const json_t *files = json_object_get(r.answer, "files");
	int err = fetch_files(core, client, api, files, within_ms);

	if (!err)
		err = files_from_json(files, &source, out, reason);
	json_decref(r.answer);
	return err;
}
