/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/files/strict_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "base/reason.h"
#include "base/replace.h"
#include "mgmt/files/files.h"
#include "weir/json.h"

static int fail_file(const char *name, char reason[STRICT_REASON_MAX], int err)
{
	return reason_write(reason, STRICT_REASON_MAX, err, "%s: %s", name, strerror(-err));
}

/* The bytes of a regular file, @p max at most. @return 0 or -errno, with a reason */
static int read_bytes(const char *path, const char *name, size_t max, char **text, size_t *n,
                      char reason[STRICT_REASON_MAX])
{
	char *bytes = NULL;
	int err = files_slurp(path, &bytes, n);

	if (err == -EINVAL || err == -E2BIG || (!err && *n > max))
		err = reason_write(reason, STRICT_REASON_MAX, -EINVAL,
		                   "%s: it must be a file of at most %zu KiB", name, max / 1024);
	else if (err)
		err = fail_file(name, reason, err);
	else if (memchr(bytes, '\0', *n))
		err = reason_write(reason, STRICT_REASON_MAX, -EINVAL, "%s: it has a NUL", name);
	if (err)
		free(bytes);
	else
		*text = bytes;
	return err;
}

static int check_names(const json_t *json, const char *name, const struct record_kind *kind,
                       char reason[STRICT_REASON_MAX])
{
	const char *given;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)json, given, value)
	{
		size_t i = 0;

		while (i < kind->n_fields && strcmp(kind->fields[i].name, given) != 0)
			i++;
		if (i < kind->n_fields)
			continue;
		return reason_write(reason, STRICT_REASON_MAX, -EINVAL,
		                    "%s: there is no setting \"%.60s\"", name,
		                    plain_is(given) ? given : "");
	}
	return 0;
}

static int read_record(const char *text, size_t n, const char *name, const struct record_kind *kind,
                       void *out, char reason[STRICT_REASON_MAX])
{
	char error[RECORD_ERROR_MAX] = "";
	json_error_t where;
	json_t *json = json_read(text, n, JSON_REJECT_DUPLICATES, &where);

	if (!json)
		return reason_write(reason, STRICT_REASON_MAX, -EINVAL, "%s:%d: %.160s", name,
		                    where.line, plain_is(where.text) ? where.text : "is no JSON");
	int err = check_names(json, name, kind, reason);

	if (!err && (err = record_from_json(kind, json, out, error)) != 0)
		snprintf(reason, STRICT_REASON_MAX, "%s: %s", name,
		         *error ? error : strerror(-err));
	json_decref(json);
	return err;
}

int strict_file_read(const char *path, const char *name, size_t max, const struct record_kind *kind,
                     void *out, char reason[STRICT_REASON_MAX])
{
	char *text = NULL;
	size_t n = 0;
	int err = read_bytes(path, name, max, &text, &n, reason);

	if (err)
		return err;
	err = read_record(text, n, name, kind, out, reason);
	explicit_bzero(text, n);
	free(text);
	return err;
}

int strict_file_write(const char *path, unsigned mode, const struct record_kind *kind,
                      const void *record)
{
	json_t *json = record_to_json(kind, record);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int err = text ? replace_file(path, mode, text, strlen(text), REPLACE_SYNC_NAME) : -ENOMEM;

	json_decref(json);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return err;
}
