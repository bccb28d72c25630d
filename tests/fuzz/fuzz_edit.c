/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text, any include and any edit: refused with a reason, or made. What was made is in force, so that the same edit
 * of the new text changes nothing; and what the text says without the edited object is what it said.
 *
 * Input: the edit as JSON [HOW, PATH, VALUE], weir.conf, and the file "i", with a NUL between.
 */
#include <errno.h>

#include "tests/fuzz/fuzz_text.h"
#include "weir/edit.h"
#include "weir/json.h"

struct fuzz_files {
	const char *texts[2];
	size_t n[2];
};

static int read_fuzz_file(void *arg, const char *name, const char **bytes, size_t *n)
{
	const struct fuzz_files *f = arg;
	size_t i = !strcmp(name, "i");

	if (!i && strcmp(name, "weir.conf") != 0)
		return -ENOENT;
	*bytes = f->texts[i];
	*n = f->n[i];
	return 0;
}

static bool read_fuzz_edit(const json_t *json, struct edit *e)
{
	const char *path = json_string_value(json_array_get(json, 1));

	*e = (struct edit){ .how = (enum edit_how)(
		                    (uint64_t)json_integer_value(json_array_get(json, 0)) % 3),
		            .create = EDIT_IN_ANY_CASE,
		            .value = json_array_get(json, 2) };
	return path && e->value && !object_path_read(path, NULL, &e->path) &&
	       !object_is_list(&e->path);
}

static void check_fuzz_refusal(const struct edit_refusal *r)
{
	if (!r->text || !*r->text || !edit_code_text(r->code) ||
	    (r->code == EDIT_INVALID) != (r->n_errors > 0) ||
	    (r->code == EDIT_SHARED_INCLUDE) != (r->n_positions == 2) ||
	    (r->code == EDIT_REFERENCED) != (r->n_referents > 0))
		abort();
}

/* The files with what an edit changed. */
static struct fuzz_files files_after(const struct fuzz_files *f, const struct edit_result *result)
{
	struct fuzz_files after = *f;

	for (size_t k = 0; k < result->n_files; k++) {
		size_t i = !strcmp(result->files[k].name, "i");

		after.texts[i] = result->files[k].bytes;
		after.n[i] = result->files[k].n;
	}
	return after;
}

static void check_made(const struct fuzz_files *f, const struct edit *e,
                       const struct edit_result *made)
{
	struct fuzz_files after = files_after(f, made);
	struct edit_result again;
	int err = edit_configuration(read_fuzz_file, &after, "weir.conf", e, 1, &again);

	if (e->how == EDIT_DELETE ? err != -EINVAL || again.refusal.code != EDIT_NOT_FOUND
	                          : err || again.n_files)
		abort();
	edit_result_free(&again);
}

static void make_edit(struct fuzz_files *f, const json_t *json)
{
	struct edit e;
	struct edit_result result;

	if (!read_fuzz_edit(json, &e))
		return;
	int err = edit_configuration(read_fuzz_file, f, "weir.conf", &e, 1, &result);
	if (err == -EINVAL)
		check_fuzz_refusal(&result.refusal);
	else if (err)
		abort();
	else
		check_made(f, &e, &result);
	edit_result_free(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = fuzz_text(bytes, n);
	const char *at = text;
	struct fuzz_files f;

	for (size_t i = 0; i < 2; i++) {
		if (at + strlen(at) < text + n)
			at += strlen(at) + 1;
		else
			at = text + n;
		f.texts[i] = at;
		f.n[i] = strlen(at);
	}
	json_t *json = json_read(text, strlen(text), 0, NULL);
	if (json)
		make_edit(&f, json);
	json_decref(json);
	free(text);
	return 0;
}
