/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/transcript.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "mgmt/store/files.h"

#define RELEASE "\"" WEIR_RELEASE "\"" /* as JSON and metrics have it */

static struct {
	const char *folder; /* NULL: nothing is compared */
	bool writes;
	FILE *f;
	char *text;
	size_t n;
} transcript;

void transcript_use(const char *folder, bool writes)
{
	transcript.folder = folder;
	transcript.writes = writes;
}

void transcript_begin(void)
{
	sched_be_steady();
	transcript.f = open_memstream(&transcript.text, &transcript.n);
	if (!transcript.f)
		abort();
}

void transcript_say(const char *format, ...)
{
	va_list list;

	fputs("\n# ", transcript.f);
	va_start(list, format);
	vfprintf(transcript.f, format, list);
	va_end(list);
	putc('\n', transcript.f);
}

/* What differs from run to run, or from release to release, and what is written in its place. */
static const char *find_own(const char *text, const char **word, const char **instead)
{
	const char *folder = strstr(text, node_folder()), *release = strstr(text, RELEASE);
	bool is_folder = folder && (!release || folder < release);

	*word = is_folder ? node_folder() : RELEASE;
	*instead = is_folder ? "DIR" : "\"RELEASE\"";
	return is_folder ? folder : release;
}

static void write_plainly(const char *text)
{
	const char *at, *word, *instead;

	while ((at = find_own(text, &word, &instead))) {
		fprintf(transcript.f, "%.*s%s", (int)(at - text), text, instead);
		text = at + strlen(word);
	}
	fputs(text, transcript.f);
}

struct node_answer transcript_ask(struct node *n, const struct node_person *who, const char *method,
                                  const char *path, const char *body)
{
	struct node_answer a = node_ask(n, who, method, path, body);

	fprintf(transcript.f, "\n> %s %s: %s %s %.200s\n%u\n", node_name(n), who->name, method,
	        path, body ? body : "", a.status);
	write_plainly(a.text ? a.text : "no answer");
	putc('\n', transcript.f);
	return a;
}

void transcript_show(struct node *n, const char *paths)
{
	static const struct node_person root = { .name = "root", .role = HTTP_ADMIN };
	char path[HTTP_TEXT_MAX];

	while (*paths) {
		size_t length = strcspn(paths, " ");

		snprintf(path, sizeof(path), "%.*s", (int)length, paths);
		struct node_answer a = transcript_ask(n, &root, "GET", path, NULL);

		node_answer_fini(&a);
		paths += length + (paths[length] == ' ');
	}
}

void transcript_show_file(struct node *n, const char *name)
{
	char *text = node_state_file(n, name);

	fprintf(transcript.f, "\n> %s: %s\n", node_name(n), name);
	write_plainly(text ? text : "there is none");
	free(text);
}

/* --- comparing --- */

static void write_kept(const char *path)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(transcript.text, 1, transcript.n, f) != transcript.n || fclose(f))
		abort();
}

static void compare_kept(const struct scene *s, const char *path, const char *kept)
{
	const char *a = kept, *b = transcript.text;

	for (unsigned line = 1; *a || *b; line++) {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

		JUDGE(s, n == m && !memcmp(a, b, n), "%s:%u: another text is shown\n- %.*s\n+ %.*s",
		      path, line, (int)n, a, (int)m, b);
		a += n + (a[n] == '\n');
		b += m + (b[m] == '\n');
	}
}

void transcript_end(const struct scene *s)
{
	char path[PATH_MAX], *kept;
	size_t n;

	fclose(transcript.f);
	if (!transcript.folder || s->seed != 1)
		return;
	snprintf(path, sizeof(path), "%s/%s.txt", transcript.folder, s->name);
	if (transcript.writes) {
		write_kept(path);
	} else if (files_slurp(path, &kept, &n)) {
		scene_fail(s, __FILE__, __LINE__, "%s cannot be read", path);
	} else {
		compare_kept(s, path, kept);
		free(kept);
	}
	free(transcript.text);
}
