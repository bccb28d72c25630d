/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine of edits over its public header, for edits.py: a line of JSON in, a line out. In: { root, files: { NAME: TEXT },
 * edits: [ { how, create, path, value, current } ] }. Out: { files: { NAME: TEXT } } with what changed, or { code, text,
 * edit, errors, positions, referents }. Texts are of bytes 1 to 255, each as the character of that number.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/edit.h"
#include "weir/json.h"

static void give_up(const char *reason)
{
	fprintf(stderr, "edit-tool: %s\n", reason);
	exit(2);
}

/* Characters to bytes; given. */
static char *bytes_of(const char *text, size_t *n)
{
	char *bytes = malloc(strlen(text) + 1);
	size_t used = 0;

	if (!bytes)
		give_up("no memory");
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < 0x80) {
			bytes[used++] = (char)*c;
		} else if (c[1] && (*c & 0xfc) == 0xc0) {
			bytes[used++] = (char)((*c & 3) << 6 | (c[1] & 0x3f));
			c++;
		} else {
			give_up("a character above 255");
		}
	*n = used;
	return bytes;
}

/* Bytes to characters, given. */
static json_t *characters_of(const char *bytes, size_t n)
{
	char *text = malloc(2 * n + 1);
	size_t used = 0;

	if (!text)
		give_up("no memory");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c >= 0x80)
			text[used++] = (char)(0xc0 | c >> 6);
		text[used++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
	}
	json_t *out = json_stringn(text, used);
	free(text);
	return out;
}

#define FILES_MAX 64

struct tool_files {
	size_t n;
	struct {
		const char *name;
		char *bytes;
		size_t n;
	} all[FILES_MAX];
};

static int read_file(void *arg, const char *name, const char **bytes, size_t *n)
{
	const struct tool_files *f = arg;

	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->all[i].name, name)) {
			*bytes = f->all[i].bytes;
			*n = f->all[i].n;
			return 0;
		}
	return -ENOENT;
}

static size_t word_index(const json_t *of, const char *name, const char *const *words)
{
	const char *word = json_text_of(of, name);
	size_t i = 0;

	while (words[i] && strcmp(words[i], word) != 0)
		i++;
	if (!words[i])
		give_up("an unknown word");
	return i;
}

static void edit_of_json(const json_t *json, struct edit *e)
{
	static const char *const hows[] = { "put", "patch", "delete", NULL }, *const creates[] = {
		"if_there", "if_not_there", "in_any_case", NULL
	};

	*e = (struct edit){ .how = (enum edit_how)word_index(json, "how", hows),
		            .create = (enum edit_create)word_index(json, "create", creates),
		            .value = json_object_get(json, "value"),
		            .current = json_object_get(json, "current") };
	if (object_path_read(json_text_of(json, "path"), NULL, &e->path) ||
	    object_is_list(&e->path))
		give_up("no path of an object");
}

static json_t *refusal_to_json(const struct edit_refusal *r)
{
	json_t *out = json_pack("{s:s, s:s, s:i, s:[], s:[], s:[]}", "code",
	                        edit_code_text(r->code), "text", r->text, "edit", (int)r->edit,
	                        "errors", "positions", "referents");

	for (size_t i = 0; i < r->n_errors; i++)
		json_array_append_new(json_object_get(out, "errors"),
		                      json_pack("[ss]", r->errors[i].path, r->errors[i].detail));
	for (size_t i = 0; i < r->n_positions; i++)
		json_array_append_new(
		        json_object_get(out, "positions"),
		        json_pack("[si]", r->positions[i].file, (int)r->positions[i].line));
	for (size_t i = 0; i < r->n_referents; i++)
		json_array_append_new(json_object_get(out, "referents"),
		                      json_string(r->referents[i]));
	return out;
}

static json_t *answer_request(const json_t *request)
{
	const json_t *list = json_object_get(request, "edits");
	struct edit *edits = calloc(json_array_size(list) + 1, sizeof(*edits));
	struct tool_files files = { .n = 0 };
	struct edit_result result;
	const char *name;
	json_t *text;

	json_object_foreach(json_object_get(request, "files"), name, text)
	{
		if (files.n == FILES_MAX)
			give_up("too many files");
		files.all[files.n].name = name;
		files.all[files.n].bytes = bytes_of(json_string_value(text), &files.all[files.n].n);
		files.n++;
	}
	for (size_t i = 0; i < json_array_size(list); i++)
		edit_of_json(json_array_get(list, i), &edits[i]);
	int err = edit_configuration(read_file, &files, json_text_of(request, "root"), edits,
	                             json_array_size(list), &result);
	json_t *out =
	        err == -EINVAL ? refusal_to_json(&result.refusal) : json_pack("{s:{}}", "files");
	if (err && err != -EINVAL)
		give_up(strerror(-err));
	for (size_t i = 0; i < result.n_files; i++)
		json_object_set_new(json_object_get(out, "files"), result.files[i].name,
		                    characters_of(result.files[i].bytes, result.files[i].n));
	edit_result_free(&result);
	for (size_t i = 0; i < files.n; i++)
		free(files.all[i].bytes);
	free(edits);
	return out;
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	json_prepare();
	while ((n = getline(&line, &room, stdin)) > 0) {
		json_t *request = json_read(line, (size_t)n, 0, NULL);

		if (!request)
			give_up("no JSON");
		char *out = json_line(answer_request(request));
		if (!out)
			give_up("no answer");
		puts(out);
		fflush(stdout);
		free(out);
		json_decref(request);
	}
	free(line);
	return 0;
}
