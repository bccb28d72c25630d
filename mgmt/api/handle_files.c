/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An upload grows in the state directory, part by part (mgmt/files/blobs.h). Each answer says how
 * many bytes are here, and the sender goes on from there. Parts are decoded and written without
 * the core's lock; only the question whether a file is known needs it.
 */
#include "mgmt/api/handle_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/plain.h"
#include "mgmt/core/field.h"
#include "mgmt/files/blobs.h"
#include "record/fields.h"
#include "weir/json.h"

/* A part of a file as read from a request; its texts belong to the request. */
struct part {
	const char *digest, *data;
	uint64_t bytes, offset;
};

static bool read_file_part(const json_t *item, struct part *out)
{
	const json_t *data = json_object_get(item, "data");

	*out = (struct part){ .digest = json_get_text(item, "digest"),
		              .data = json_string_value(data) };
	return plain_is_hex(out->digest, DIGEST_TEXT_MAX - 1) &&
	       json_read_count(json_object_get(item, "bytes"), INT64_MAX, &out->bytes) &&
	       (!data || (out->data && json_read_count(json_object_get(item, "offset"), INT64_MAX,
	                                               &out->offset)));
}

/* An entry is checked by read_file_part(): one error says what all of it must be. */
#define PART_BODY_ROWS(X, t)                                                                       \
	X(t, const char *, digest, .pattern = "^[0-9a-f]{64}$", .forms = "|offset data")           \
	X(t, uint64_t, bytes)                                                                      \
	X(t, uint64_t, offset, .spare = true)                                                      \
	X(t, const char *, data, .spare = true, .pattern = "^[A-Za-z0-9+/]*={0,2}$")
RECORD_SHOWN(part_body, "part", PART_BODY_ROWS);
#define PARTS_EXAMPLE                                                                              \
	"[{\"digest\": \"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\", \"bytes\": 5, \"offset\": 0, \"data\": \"aGVsbG8=\"}]"
#define UPLOAD_BODY_ROWS(X, t)                                                                     \
	X(t, json_t *, parts, .each = &part_body_kind, .most = BLOBS_PARTS_MAX,                    \
	  .example = PARTS_EXAMPLE)
RECORD_ANSWER(upload_body, "upload", UPLOAD_BODY_ROWS);

/* Read the list of parts. @return NULL after a reply */
static const json_t *read_parts(const struct http_request *r, struct http_reply *reply)
{
	struct upload_body body;
	struct field_reader f;
	struct part part;
	const json_t *item;
	size_t i;

	field_read(&f, r->json, &upload_body_kind, &body);
	const json_t *list = body.parts;
	if (json_array_size(list) > BLOBS_PARTS_MAX)
		field_error(&f, "parts", "has more than %u entries", BLOBS_PARTS_MAX);
	json_array_foreach(list, i, item) if (!read_file_part(item, &part))
	{
		field_error(&f, "parts",
		            "entry %zu: expected {\"digest\": 64 hexadecimal digits, \"bytes\": "
		            "NUMBER} and, to upload, \"offset\": NUMBER, \"data\": BASE64",
		            i);
		break;
	}
	return field_end(&f, reply) ? list : NULL;
}

/* @return 0, -EINVAL (no base64, or beyond the end), or as blobs_add() */
static int store_file_part(const struct core *core, const struct part *p)
{
	char *bytes = NULL;
	size_t n;
	int err = files_base64_decode(p->data, &bytes, &n);

	if (!err)
		err = blobs_add(core->dirs.state, p->digest, p->bytes, p->offset, bytes, n);
	free(bytes);
	return err;
}

static void set_part_problem(int err, size_t i, struct http_reply *reply)
{
	if (err == -EBADMSG)
		http_problem(
		        reply, 422, "digest",
		        "entry %zu of parts: the complete file does not match its digest; it may "
		        "have changed during the upload: send it again from its beginning",
		        i);
	else if (err == -EINVAL)
		http_problem(
		        reply, 422, "invalid",
		        "entry %zu of parts: data is not base64, or extends beyond the end of the file",
		        i);
	else
		http_problem(reply, 503, "store", "the file cannot be kept: %s",
		             err == -EPERM
		                     ? "a path belongs to another user (weir status names it); "
		                       "find out who created it, then remove it"
		                     : strerror(-err));
}

#define UPLOADED_ROWS(X, t) X(t, const char *, digest) X(t, uint64_t, have) X(t, bool, complete)
RECORD_SHOWN(file_uploaded, "file", UPLOADED_ROWS);
#define UPLOAD_ROWS(X, t) X(t, json_t *, files, .each = &file_uploaded_kind)
RECORD_ANSWER(upload_answer, "upload", UPLOAD_ROWS);

void handle_files(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const json_t *list = read_parts(r, reply), *item;
	json_t *files = json_array();
	struct part part;
	int err = 0;
	size_t i;

	if (list && blobs_full(core->dirs.state)) {
		http_problem(reply, 503, "store", "%s", strerror(ENOSPC));
		list = NULL;
	}
	json_array_foreach(list, i, item)
	{
		uint64_t have = 0;

		read_file_part(item, &part);
		err = part.data ? store_file_part(core, &part) : 0;
		if (err)
			break;
		core_lock(core);
		bool whole = intent_has_file(core->intent, part.digest, &have);
		core_unlock(core);
		json_array_append_new(files, SHOWN(file_uploaded, part.digest, have, whole));
	}
	if (err)
		set_part_problem(err, i, reply);
	if (!list || err) {
		json_decref(files);
		return;
	}
	reply->json = SHOWN(upload_answer, files);
	reply->status = 200;
}

/*
 * Read up to @p room bytes of a file from @p p's offset; given. @return NULL: not here, or out of
 * memory
 */
static char *read_file_range(struct core *core, const struct part *p, size_t room, size_t *n)
{
	char path[PATH_MAX], *bytes = NULL;
	uint64_t have;
	bool whole = false;
	size_t all = 0;

	*n = 0;
	if (!blobs_have(core->dirs.state, p->digest, &have, &whole) && whole &&
	    !blobs_path(core->dirs.state, p->digest, path)) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = -1;

		bytes = malloc(room + 1);
		if (fd >= 0 && bytes)
			got = pread(fd, bytes, room, (off_t)p->offset);
		if (fd >= 0)
			close(fd);
		*n = got > 0 ? (size_t)got : 0;
		return bytes;
	}
	core_lock(core);
	struct store *store = intent_store(core->intent);
	int err = store ? store_blob(store, p->digest, &bytes, &all) : -ENOENT;
	core_unlock(core);
	if (err)
		return NULL;
	*n = p->offset < all ? all - p->offset : 0;
	*n = *n > room ? room : *n;
	memmove(bytes, bytes + (p->offset < all ? p->offset : 0), *n);
	return bytes;
}

#define PART_ROWS(X, t)                                                                            \
	X(t, const char *, digest)                                                                 \
	X(t, uint64_t, bytes)                                                                      \
	X(t, uint64_t, offset)                                                                     \
	X(t, const char *, data)
RECORD_SHOWN(part_sent, "part", PART_ROWS);
#define PARTS_ROWS(X, t) X(t, json_t *, parts, .each = &part_sent_kind)
RECORD_ANSWER(parts_answer, "parts", PARTS_ROWS);

void handle_peer_files(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const json_t *list = json_object_get(r->json, "parts"), *item;
	json_t *parts = json_array();
	size_t i, n_sent = 0;

	json_array_foreach(list, i, item)
	{
		struct part part;
		size_t n;

		if (i == BLOBS_PARTS_MAX || n_sent >= BLOBS_PARTS_BYTES_MAX ||
		    !read_file_part(item, &part))
			break;
		json_read_count(json_object_get(item, "offset"), INT64_MAX, &part.offset);
		char *bytes = read_file_range(core, &part, BLOBS_PARTS_BYTES_MAX - n_sent, &n);
		char *text = bytes ? files_base64_text(bytes, n) : NULL;
		if (text)
			json_array_append_new(parts, SHOWN(part_sent, part.digest, part.bytes,
			                                   part.offset, text));
		n_sent += n;
		free(text);
		free(bytes);
	}
	reply->json = SHOWN(parts_answer, parts);
	reply->status = 200;
}
