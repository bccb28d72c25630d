/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/cluster/transcript.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "mgmt/files/files.h"
#include "mgmt/files/linediff.h"

#define RELEASE   "\"" WEIR_RELEASE "\"" /* as JSON and metrics have it */
#define SHOWN_MAX 256

/* What was shown last of a node, by path or name of a file. */
struct shown {
	const struct node *node;
	char what[HTTP_TEXT_MAX];
	char *text;
};

static struct {
	const char *folder; /* NULL: nothing is compared */
	bool writes;
	FILE *f;
	char *text;
	size_t n;
	struct shown shown[SHOWN_MAX];
	size_t n_shown;
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

/* A copy without that, from malloc(). */
static char *copy_plainly(const char *text)
{
	const char *at, *word, *instead;
	char *copy = NULL;
	size_t n;
	FILE *f = open_memstream(&copy, &n);

	if (!f)
		abort();
	while ((at = find_own(text, &word, &instead))) {
		fprintf(f, "%.*s%s", (int)(at - text), text, instead);
		text = at + strlen(word);
	}
	fputs(text, f);
	if (fclose(f))
		abort();
	return copy;
}

static void note_question(struct node *n, const struct node_person *who, const char *method,
                          const char *path, const char *body)
{
	fprintf(transcript.f, "\n> %s %s: %s %s %.200s\n", node_name(n), who->name, method, path,
	        body ? body : "");
}

struct node_answer transcript_ask(struct node *n, const struct node_person *who, const char *method,
                                  const char *path, const char *body)
{
	struct node_answer a = node_ask(n, who, method, path, body);

	note_question(n, who, method, path, body);
	fprintf(transcript.f, "%u\n", a.status);
	char *text = copy_plainly(a.text ? a.text : "no answer");
	fprintf(transcript.f, "%s\n", text);
	free(text);
	return a;
}

static struct shown *find_shown(const struct node *n, const char *what)
{
	struct shown *s = transcript.shown;

	while (s < transcript.shown + transcript.n_shown && (s->node != n || strcmp(s->what, what)))
		s++;
	if (s == transcript.shown + transcript.n_shown) {
		if (transcript.n_shown++ == SHOWN_MAX)
			abort();
		s->node = n;
		snprintf(s->what, sizeof(s->what), "%s", what);
	}
	return s;
}

static void forget_shown(void)
{
	for (; transcript.n_shown > 0; transcript.n_shown--) {
		struct shown *s = &transcript.shown[transcript.n_shown - 1];

		free(s->text);
		*s = (struct shown){ .node = NULL };
	}
}

/* A difference without the numbers of its lines, which would change with all that is above. */
static void write_difference(const char *former, const char *text)
{
	struct files from = { 0 }, to = { 0 };
	char *diff = NULL;

	if (!files_add(&from, "shown", former, strlen(former)) &&
	    !files_add(&to, "shown", text, strlen(text)))
		diff = linediff_files(&from, &to);
	if (!diff)
		abort();
	for (const char *line = diff; *line;) {
		size_t length = strcspn(line, "\n");
		bool is_place = !strncmp(line, "@@", 2);

		if (is_place)
			fputs("...\n", transcript.f);
		else if (strncmp(line, "--- ", 4) != 0 && strncmp(line, "+++ ", 4) != 0)
			fprintf(transcript.f, "%.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
	free(diff);
	files_fini(&from);
	files_fini(&to);
}

/* Note @p text, which is taken: whole, or what differs from what was shown last. */
static void note_shown(const struct node *n, const char *what, char *text)
{
	struct shown *s = find_shown(n, what);

	if (!s->text)
		fputs(text, transcript.f);
	else if (!strcmp(s->text, text))
		fputs("as it was\n", transcript.f);
	else
		write_difference(s->text, text);
	free(s->text);
	s->text = text;
}

void transcript_show(struct node *n, const char *paths)
{
	static const struct node_person root = { .name = "root", .role = HTTP_ADMIN };
	char path[HTTP_TEXT_MAX];

	while (*paths) {
		size_t length = strcspn(paths, " ");

		snprintf(path, sizeof(path), "%.*s", (int)length, paths);
		struct node_answer a = node_ask(n, &root, "GET", path, NULL);

		note_question(n, &root, "GET", path, NULL);
		fprintf(transcript.f, "%u\n", a.status);
		note_shown(n, path, copy_plainly(a.text ? a.text : "no answer\n"));
		putc('\n', transcript.f);
		node_answer_fini(&a);
		paths += length + (paths[length] == ' ');
	}
}

void transcript_show_file(struct node *n, const char *name)
{
	char *text = node_state_file(n, name);

	fprintf(transcript.f, "\n> %s: %s\n", node_name(n), name);
	note_shown(n, name, copy_plainly(text ? text : "there is none\n"));
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
	forget_shown();
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
