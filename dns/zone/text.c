/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scanner over bytes, with one buffer for each open file. The state machine takes one byte at a
 * time; runs of bytes that mean themselves in every state are copied at once.
 *
 * Files are hostile: they are opened without blocking, so that a FIFO cannot stop us, and must be
 * regular. The kernel resolves includes beneath the zone file's directory (openat2(2),
 * RESOLVE_BENEATH).
 */
#include "dns/zone/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "dns/zone/zone.h"
#include "weir/model.h"

struct file {
	char *name;
	int fd;
	unsigned number; /* 0: the zone's own; else the nth that was included */
	unsigned line;
	bool ended;
	uint64_t digest; /* of its bytes up to here */
	size_t at, filled;
	char bytes[65536];
};

struct zone_text {
	int dir_fd;
	unsigned depth;
	unsigned n_includes;
	size_t bytes_left;
	int error;       /* -errno of what next_byte() failed for */
	uint64_t digest; /* of the files that have ended */
	char *included;
	size_t n_included;
	struct file *files[ZONE_INCLUDE_DEPTH + 1];
	size_t length; /* of the line in the making */
	char text[ZONE_RECORD_TEXT_MAX + 1];
};

/* The kernel's codes for an escape from the directory would only confuse. */
static const char *open_error_text(int error)
{
	switch (error) {
	case ENOENT:
		return "no such file";
	case EXDEV:
	case ELOOP:
		return "leads out of the zone file's directory";
	default:
		return strerror(error);
	}
}

/* Takes @p fd, also on failure, so that callers have nothing to clean up. */
static int open_file(struct zone_text *t, const char *name, int fd, const char **reason)
{
	struct stat st;

	if (fd < 0) {
		*reason = open_error_text(errno);
		return -errno;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		*reason = "is not a regular file";
		close(fd);
		return -EINVAL;
	}
	struct file *f = calloc(1, sizeof(*f));
	char *copy = strdup(name);

	if (!f || !copy) {
		*reason = "out of memory";
		free(f);
		free(copy);
		close(fd);
		return -ENOMEM;
	}
	f->name = copy;
	f->fd = fd;
	f->number = t->n_includes;
	f->line = 1;
	t->files[t->depth] = f;
	return 0;
}

static void close_file(struct zone_text *t)
{
	struct file *f = t->files[t->depth];

	close(f->fd);
	free(f->name);
	free(f);
}

static int open_dir(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	free(copy);
	return fd;
}

int zone_text_open(const char *path, struct zone_text **out, const char **reason)
{
	struct zone_text *t = calloc(1, sizeof(*t));

	if (!t) {
		*reason = "out of memory";
		return -ENOMEM;
	}
	t->bytes_left = ZONE_FILE_BYTES_MAX;
	t->dir_fd = open_dir(path);

	/* without its directory no file that it includes could be opened */
	int fd = t->dir_fd < 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int err = open_file(t, path, fd, reason);

	if (err < 0) {
		zone_text_close(t);
		return err;
	}
	*out = t;
	return 0;
}

void zone_text_close(struct zone_text *t)
{
	if (!t)
		return;
	for (;; t->depth--) {
		if (t->files[t->depth])
			close_file(t);
		if (t->depth == 0)
			break;
	}
	if (t->dir_fd >= 0)
		close(t->dir_fd);
	free(t->included);
	free(t);
}

static bool note_included(struct zone_text *t, const char *path)
{
	size_t n = strlen(path) + 1;
	char *grown = realloc(t->included, t->n_included + n);

	if (!grown)
		return false;
	memcpy(grown + t->n_included, path, n);
	t->included = grown;
	t->n_included += n;
	return true;
}

int zone_text_include(struct zone_text *t, const char *path, const char **reason)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	if (t->depth == ZONE_INCLUDE_DEPTH || t->n_includes == ZONE_INCLUDES_MAX) {
		*reason = "too many files include one another";
		return -ELOOP;
	}
	if (!note_included(t, path)) {
		*reason = "out of memory";
		return -ENOMEM;
	}
	t->n_includes++;
	t->depth++;

	int fd = (int)syscall(SYS_openat2, t->dir_fd, path, &how, sizeof(how));
	int err = open_file(t, path, fd, reason);

	if (err == 0 && !model_file_name_ok(path)) {
		*reason =
		        "use A-Z a-z 0-9 . _ - and / in its name, and no part that begins with a dot: a "
		        "version of the configuration cannot keep other names";
		close_file(t);
		err = -EINVAL;
	}
	if (err < 0)
		t->depth--;
	return err;
}

/* Fill the buffer, so that pieces for the digest have one size. @return bytes read, or -errno */
static ssize_t fill_buffer(struct file *f)
{
	size_t filled = 0;

	while (filled < sizeof(f->bytes)) {
		ssize_t n = read(f->fd, f->bytes + filled, sizeof(f->bytes) - filled);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		filled += (size_t)n;
	}
	return (ssize_t)filled;
}

/* Each file counts with its number: the sum does not depend on which one ends first. */
static void end_file(struct zone_text *t, struct file *f)
{
	const struct hash_key key = { f->digest, f->number };

	if (!f->ended)
		t->digest += hash_bytes(&key, f->name, f->number ? strlen(f->name) : 0);
	f->ended = true;
}

/* The next byte; -1 at the end of the file, -2 when reading failed or the limit was hit. */
static int next_byte(struct zone_text *t, struct file *f, const char **reason)
{
	if (f->at < f->filled)
		return (unsigned char)f->bytes[f->at++];

	ssize_t n = fill_buffer(f);

	if (n == 0) {
		end_file(t, f);
		return -1;
	}
	if ((size_t)n > t->bytes_left) { /* a negative one, too */
		t->error = n < 0 ? (int)n : -EINVAL;
		*reason = n < 0 ? strerror((int)-n) : "zone file too large";
		return -2;
	}
	f->digest = hash_bytes(&(struct hash_key){ f->digest, (uint64_t)n }, f->bytes, (size_t)n);
	t->bytes_left -= (size_t)n;
	f->filled = (size_t)n;
	f->at = 1;
	return (unsigned char)f->bytes[0];
}

/* The scanner's state in a logical line. */
struct scan {
	unsigned open; /* parentheses */
	bool quoted;   /* inside "" */
	bool escaped;  /* behind a backslash */
	bool comment;
	bool started; /* something other than blanks was seen */
};

static const char *put_byte(struct zone_text *t, int c)
{
	if (t->length == ZONE_RECORD_TEXT_MAX)
		return "record too long";
	t->text[t->length++] = (char)c;
	return NULL;
}

/*
 * Take a line end: a blank inside parentheses, else the record's end. @return what is wrong, or
 * NULL
 */
static const char *scan_line_end(struct zone_text *t, struct scan *s)
{
	s->comment = false;
	if (s->quoted)
		return "line ends inside a quoted text";
	if (s->escaped)
		return "line ends behind a backslash";
	return s->open ? put_byte(t, ' ') : NULL;
}

static const char *scan_parenthesis(struct zone_text *t, struct scan *s, int c)
{
	if (c == ')' && s->open == 0)
		return "a ')' without '('";
	s->open = c == '(' ? s->open + 1 : s->open - 1;
	return put_byte(t, ' ');
}

/* Take any other byte. @return what is wrong, or NULL */
static const char *scan_byte(struct zone_text *t, struct scan *s, int c)
{
	if (c == '\0')
		return "a NUL byte";
	if (s->comment)
		return NULL;
	if (s->escaped) {
		s->escaped = false;
		return put_byte(t, c);
	}
	if (!s->quoted && c == ';') {
		s->comment = true;
		return NULL;
	}
	s->started = s->started || (c != ' ' && c != '\t' && c != '\r');
	s->escaped = c == '\\';
	s->quoted ^= c == '"';
	if (!s->quoted && (c == '(' || c == ')'))
		return scan_parenthesis(t, s, c);
	return put_byte(t, !s->quoted && (c == '\t' || c == '\r') ? ' ' : c);
}

/*
 * Take bytes that mean themselves in every state, as many as lie in the buffer. @return what is
 * wrong, or NULL
 */
static const char *scan_run(struct zone_text *t, struct file *f, struct scan *s)
{
	static const bool special[256] = {
		['\0'] = true, ['\n'] = true, ['\t'] = true, ['\r'] = true, [' '] = true,
		['"'] = true,  ['\\'] = true, [';'] = true,  ['('] = true,  [')'] = true,
	};
	const char *from = f->bytes + f->at;
	size_t left = f->filled - f->at, n = 0;

	if (s->escaped)
		return NULL;
	while (n < left &&
	       (!special[(unsigned char)from[n]] || (from[n] == ' ' && (s->started || s->comment))))
		n++;
	if (n == 0)
		return NULL;
	f->at += n;
	if (s->comment)
		return NULL;
	s->started = true;
	if (n > ZONE_RECORD_TEXT_MAX - t->length)
		return "record too long";
	memcpy(t->text + t->length, from, n);
	t->length += n;
	return NULL;
}

/*
 * Read up to the end of a logical line. @return 1, 0 at the file's end with nothing read, or -errno: -EINVAL for what
 * it says
 */
static int read_logical_line(struct zone_text *t, struct file *f, struct scan *s,
                             const char **reason)
{
	const char *wrong;
	int c;

	while ((c = next_byte(t, f, reason)) >= 0) {
		wrong = c == '\n' ? scan_line_end(t, s) : scan_byte(t, s, c);
		if (!wrong && c != '\n')
			wrong = scan_run(t, f, s);

		f->line += c == '\n';
		if (wrong) {
			*reason = wrong;
			return -EINVAL;
		}
		if (c == '\n' && s->open == 0)
			return 1;
	}
	if (c == -2)
		return t->error;
	if (s->open || s->quoted || s->escaped) {
		*reason = "file ends inside a record";
		return -EINVAL;
	}
	return s->started;
}

int zone_text_next(struct zone_text *t, struct zone_text_line *line, const char **reason)
{
	for (;;) {
		struct file *f = t->files[t->depth];
		struct scan s = { 0 };

		*line = (struct zone_text_line){ .text = t->text,
			                         .line = f->line,
			                         .depth = t->depth };
		line->file = f->name;
		t->length = 0;

		int got = read_logical_line(t, f, &s, reason);

		if (got < 0)
			return got;
		if (s.started) {
			t->text[t->length] = '\0';
			line->indented = t->text[0] == ' ';
			return 1;
		}
		if (got == 0) {
			if (t->depth == 0)
				return 0;
			close_file(t);
			t->depth--;
		}
	}
}

struct zone_text_read zone_text_read(const struct zone_text *t)
{
	return (struct zone_text_read){ .digest = t->digest,
		                        .included = t->included,
		                        .n_included = t->n_included };
}

/* Read the open file to its end. */
static int skip_file(struct zone_text *t, const char **reason)
{
	struct file *f = t->files[t->depth];
	int c;

	while ((c = next_byte(t, f, reason)) >= 0)
		f->at = f->filled;
	return c == -1 ? 0 : -EIO;
}

int zone_text_digest(const char *path, const char *included, size_t n_included, uint64_t *out)
{
	struct zone_text *t;
	const char *reason = NULL;
	int err = zone_text_open(path, &t, &reason);

	if (err < 0)
		return err;
	err = skip_file(t, &reason);
	for (size_t at = 0; err == 0 && at < n_included; at += strlen(included + at) + 1) {
		err = zone_text_include(t, included + at, &reason);
		if (err < 0)
			break;
		err = skip_file(t, &reason);
		close_file(t);
		t->depth--;
	}
	if (err == 0)
		*out = t->digest;
	zone_text_close(t);
	return err;
}
