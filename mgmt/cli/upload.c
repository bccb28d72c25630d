/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the node by digest which bytes it already has, then sends the rest as base64 parts,
 * collected into requests of at most PART_BYTES_MAX. An upload that broke off therefore goes on
 * where it stopped. Few and small files go in the request itself: that saves the question, and an
 * upload needs a higher role than a check or a plan.
 */
#include "mgmt/cli/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/cli/api.h"
#include "record/fields.h"

#define PART_BYTES_MAX ((size_t)4 << 20) /* bytes; BLOBS_PARTS_BYTES_MAX of the API */
#define PARTS_MAX      1024u             /* of a request */
#define DIGESTS_MAX    4096u             /* digests of a request; BLOBS_PARTS_MAX of the API */

/* Put all bytes into the request. */
static json_t *inline_files(const struct files *files, int *status)
{
	json_t *out = json_object();

	for (size_t i = 0; i < files->n_items; i++) {
		const struct files_item *item = &files->items[i];
		struct files_text file;
		json_t *text = NULL;
		int err = files_read(item, &file);

		if (!err)
			text = files_bytes_json(file.bytes, file.n);
		files_read_end(&file);
		if (text && json_object_set_new(out, item->name, text) == 0)
			continue;
		*status = cli_fail(CLI_USAGE, "%s %s", item->name,
		                   err ? strerror(-err) : "cannot be sent: out of memory");
		json_decref(out);
		return NULL;
	}
	return out;
}

static const struct record_kind digest_record =
        RECORD_OF(struct files_item, "file", NULL, SHOW(struct files_item, digest),
                  SHOW_AS(struct files_item, "bytes", n_bytes));

static int post_parts(const struct cli *cli, json_t *parts, struct api_reply *reply)
{
	struct api_request request = { .method = "POST",
		                       .path = "/v1/files",
		                       .reads = true, /* what it stores is in no version */
		                       .timeout_ms = API_TIMEOUT_MS };

	request.body = json_with(json_object(), "parts", parts);
	return api_get(cli, &request, reply);
}

/* How much of a file of @p n_bytes the node has, according to its answer. */
static uint64_t read_have(const json_t *item, size_t n_bytes)
{
	double n = api_number(item, "have", 0);

	if (json_has_true(item, "complete"))
		return UINT64_MAX;
	return n >= 0 && n <= (double)n_bytes ? (uint64_t)n : 0;
}

/* How much of each file the node has: UINT64_MAX is all. @return an exit status */
static int query_stored_bytes(const struct cli *cli, const struct files *files, uint64_t *have)
{
	int status = CLI_OK;

	for (size_t first = 0; first < files->n_items && status == CLI_OK; first += DIGESTS_MAX) {
		json_t *parts = json_array();
		struct api_reply reply;
		const json_t *item;
		size_t i;

		for (i = first; i < files->n_items && i < first + DIGESTS_MAX; i++)
			json_array_append_new(parts,
			                      record_shown(&digest_record, &files->items[i]));
		status = post_parts(cli, parts, &reply);
		if (status != CLI_OK)
			break;
		json_array_foreach(json_object_get(reply.body, "files"), i, item)
		{
			if (first + i < files->n_items)
				have[first + i] = read_have(item, files->items[first + i].n_bytes);
		}
		api_reply_fini(&reply);
	}
	return status;
}

/* Read up to @p room bytes of a file from @p offset. @return how many, or -errno */
static ssize_t read_upload_part(const struct files_item *item, uint64_t offset, char *out,
                                size_t room)
{
	if (!item->path) {
		size_t n = item->n_bytes - (size_t)offset;

		n = n < room ? n : room;
		memcpy(out, item->bytes + offset, n);
		return (ssize_t)n;
	}
	int fd = open(item->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : pread(fd, out, room, (off_t)offset);

	if (fd >= 0 && n < 0)
		n = -errno;
	if (fd >= 0)
		close(fd);
	return n;
}

/* Parts that are collected for a request. */
struct sending {
	const struct cli *cli;
	json_t *parts;
	size_t n_bytes;
	char *room;         /* PART_BYTES_MAX */
	uint64_t sent, all; /* bytes */
	uint64_t last_report_ms;
};

/* No command is silent for long. */
static void print_upload_progress(struct sending *s)
{
	uint64_t now_ms = clock_mono_ms();

	s->sent += s->n_bytes;
	if (now_ms < s->last_report_ms + API_REPORT_MS)
		return;
	s->last_report_ms = now_ms;
	fprintf(stderr, "weir: %llu of %llu KiB of files sent\n",
	        (unsigned long long)(s->sent >> 10), (unsigned long long)(s->all >> 10));
}

static int flush_parts(struct sending *s)
{
	struct api_reply reply;

	if (json_array_size(s->parts) == 0)
		return CLI_OK;
	int status = post_parts(s->cli, s->parts, &reply);
	if (api_succeeded(&reply))
		api_reply_fini(&reply);
	print_upload_progress(s);
	s->parts = json_array();
	s->n_bytes = 0;
	return status;
}

/*
 * Parts of several files share a request: a request for each of ten thousand small zones would take
 * long.
 */
static int send_file(struct sending *s, const struct files_item *item, uint64_t offset)
{
	int status = CLI_OK;

	do {
		ssize_t n = read_upload_part(item, offset, s->room, PART_BYTES_MAX - s->n_bytes);
		char *text = n >= 0 ? files_base64_text(s->room, (size_t)n) : NULL;

		if (!text || (n == 0 && offset < item->n_bytes)) {
			free(text);
			return cli_fail(CLI_USAGE, "%s: %s", item->name,
			                n < 0  ? strerror((int)-n)
			                : text ? "it changed while weir read it; try again"
			                       : "out of memory");
		}
		json_t *part = json_with(record_shown(&digest_record, item), "offset",
		                         json_integer((json_int_t)offset));
		json_array_append_new(s->parts, json_with(part, "data", json_string(text)));
		free(text);
		offset += (uint64_t)n;
		s->n_bytes += (size_t)n;
		if (s->n_bytes >= PART_BYTES_MAX || json_array_size(s->parts) >= PARTS_MAX)
			status = flush_parts(s);
	} while (status == CLI_OK && offset < item->n_bytes);
	return status;
}

/* The total is summed up before the first byte is sent, so that the progress can name it. */
static int send_missing(const struct cli *cli, const struct files *files)
{
	uint64_t *have = calloc(files->n_items + 1, sizeof(*have));
	struct sending s = { .cli = cli, .parts = json_array(), .room = malloc(PART_BYTES_MAX) };
	int status = have && s.room ? query_stored_bytes(cli, files, have)
	                            : cli_fail(CLI_USAGE, "%s", strerror(ENOMEM));

	s.last_report_ms = clock_mono_ms();
	for (size_t i = 0; i < files->n_items && status == CLI_OK; i++)
		if (have[i] != UINT64_MAX)
			s.all += files->items[i].n_bytes - have[i];
	for (size_t i = 0; i < files->n_items && status == CLI_OK; i++)
		if (have[i] != UINT64_MAX)
			status = send_file(&s, &files->items[i], have[i]);
	if (status == CLI_OK)
		status = flush_parts(&s);
	json_decref(s.parts);
	free(s.room);
	free(have);
	return status;
}

json_t *upload_files(const struct cli *cli, const struct files *files, int *status)
{
	if (files_go_whole(files))
		return inline_files(files, status);
	*status = send_missing(cli, files);
	if (*status != CLI_OK)
		return NULL;

	json_t *out = json_object();

	for (size_t i = 0; i < files->n_items; i++) {
		const struct files_item *item = &files->items[i];

		json_object_set_new(out, item->name, record_shown(&digest_record, item));
	}
	return out;
}
