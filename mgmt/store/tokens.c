/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is copied and split at blanks; a word that is not known makes it an error, as one that was meant to take a right
 * away must not be passed over. The sentences about errors are constants and never contain a word of the line, as that may be a
 * token.
 */
#include "mgmt/store/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/plain.h"
#include "base/random.h"
#include "base/replace.h"
#include "mgmt/files/files.h"

static const char *const roles[] = { "viewer",  "oncall", "operator", "admin",
	                             "metrics", "peer",   NULL };

#define SPACE      " \t\r" /* \r: files written on other systems */
#define DAY_MS     ((int64_t)86400 * 1000)
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define HINT       "; `weir token new` makes a line"

/* Whether there is a role of this name. */
static bool is_role(const char *word)
{
	for (size_t i = 0; roles[i]; i++)
		if (!strcmp(roles[i], word))
			return true;
	return false;
}

/* What a certificate names. Blanks end words, so they are in none. */
bool tokens_is_certificate(const char *key)
{
	size_t n_kind = !strncmp(key, "URI:", 4) ? 4 : !strncmp(key, "CN:", 3) ? 3 : 0;

	if (!n_kind || !key[n_kind] || strlen(key) >= TOKENS_KEY_MAX)
		return false;
	for (const char *c = key; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

/* The first three words of a line: name, role and third. */
static const char *find_line_error(size_t n, char *const words[3])
{
	bool anonymous = n > 0 && !strcmp(words[0], TOKENS_ANONYMOUS);

	if (n != 3)
		return "it must have three words: NAME ROLE and the token's SHA-256" HINT;
	if (strlen(words[0]) >= TOKENS_NAME_MAX)
		return "its name is longer than 63 bytes";
	if (!is_role(words[1]))
		return "its second word must be a role: viewer, oncall, operator, admin, metrics or "
		       "peer";
	if (anonymous && strcmp(words[2], "*") != 0)
		return "the third word of anonymous must be *";
	if (!anonymous && !strcmp(words[2], "*"))
		return "only the name anonymous may have * as its third word";
	if (!anonymous && !tokens_is_certificate(words[2]) &&
	    !plain_is_hex(words[2], DIGEST_TEXT_MAX - 1))
		return "its third word must be the SHA-256 of the token, 64 hexadecimal digits in "
		       "lower case, or a name of a client's certificate, as "
		       "URI:spiffe://example.net/ci or CN:ci" HINT;
	return NULL;
}

/* --- the words behind them: each reads its value, or says what is wrong with it --- */

/* A day ends with its last moment. */
static const char *read_until(char *value, struct tokens_entry *out)
{
	bool is_day;

	if (clock_parse_day(value, &out->until_ms, &is_day))
		return "its until= must be a day or a time, as 2027-01-31 (the token ends with it, "
		       "in UTC) or 2027-01-31T12:00:00Z";
	out->until_ms += is_day ? DAY_MS - 1 : 0;
	return NULL;
}

static const char *read_person(char *value, struct tokens_entry *out)
{
	size_t n = strlen(value);

	if (n == 0 || strspn(value, NAME_CHARS "@+") != n)
		return "its person= must be of letters, digits and . _ - @ +";
	if (n + strlen(out->name) > TOKENS_BOTH_MAX)
		return "its name and person= are longer than 62 bytes together";
	memcpy(out->person, value, n + 1);
	return NULL;
}

static const char *read_scope(char *value, struct tokens_entry *out)
{
	const char *fault = scope_fault(value);

	if (fault)
		return fault;
	out->is_scoped = true;
	memcpy(out->scope, value, strlen(value) + 1);
	return NULL;
}

/* A prefix, or one address. */
static bool read_prefix(const char *text, struct prefix *out)
{
	if (!addr_parse(text, &out->addr)) {
		out->bits = addr_is4(&out->addr) ? 32 : 128;
		return true;
	}
	return !prefix_parse(text, out);
}

static const char *read_from(char *value, struct tokens_entry *out)
{
	for (char *at = value, *end; at; at = end ? end + 1 : NULL) {
		end = strchr(at, ',');
		if (end)
			*end = '\0';
		if (out->n_from == TOKENS_FROM_MAX)
			return "its from= has more than 16 prefixes";
		if (!read_prefix(at, &out->from[out->n_from++]))
			return "its from= must be addresses and prefixes with commas between, as "
			       "192.0.2.0/24,2001:db8::/32, host bits zero";
	}
	return NULL;
}

static const struct {
	const char *key;
	const char *(*read)(char *value, struct tokens_entry *out);
} optional[] = {
	{ "until=", read_until },
	{ "person=", read_person },
	{ "scope=", read_scope },
	{ "from=", read_from },
};
#define N_OPTIONAL (sizeof(optional) / sizeof(optional[0]))

/* Read an optional word; @p seen has a bit for each that was there. */
static const char *read_optional(char *word, unsigned *seen, struct tokens_entry *out)
{
	for (size_t i = 0; i < N_OPTIONAL; i++) {
		size_t n = strlen(optional[i].key);

		if (strncmp(word, optional[i].key, n) != 0)
			continue;
		if (*seen & 1u << i)
			return "it has one of until=, person=, scope= and from= twice";
		*seen |= 1u << i;
		return optional[i].read(word + n, out);
	}
	return "behind its three words it may have until=, person=, scope= and from= alone";
}

/* Read the words of @p copy, which is written to. @return NULL, or what is wrong */
static const char *read_words(char *copy, struct tokens_entry *out)
{
	char *saved = NULL, *words[3] = { NULL }, *word = strtok_r(copy, SPACE, &saved);
	unsigned seen = 0;
	size_t n = 0;

	for (; word && n < 3; word = strtok_r(NULL, SPACE, &saved))
		words[n++] = word;
	const char *fault = find_line_error(n, words);
	if (fault)
		return fault;
	snprintf(out->name, sizeof(out->name), "%s", words[0]);
	snprintf(out->role, sizeof(out->role), "%s", words[1]);
	snprintf(out->key, sizeof(out->key), "%s", words[2]);
	for (; word && !fault; word = strtok_r(NULL, SPACE, &saved))
		fault = read_optional(word, &seen, out);
	return fault;
}

/* What a line is. */
enum tokens_line {
	TOKENS_ENTRY,
	TOKENS_NOTHING, /* a comment, or empty */
	TOKENS_BAD,
};

/* Read one line of @p n bytes, without its newline. @p out is set for TOKENS_ENTRY alone, @p err_text for TOKENS_BAD. */
static enum tokens_line read_line(const char *line, size_t n, struct tokens_entry *out,
                                  const char **err_text)
{
	struct tokens_entry entry = { .until_ms = INT64_MAX };
	char copy[TOKENS_LINE_MAX];

	if (n > 0 && line[strspn(line, SPACE)] == '#')
		return TOKENS_NOTHING;
	if (n >= sizeof(copy) || memchr(line, '\0', n)) {
		*err_text = "it is longer than 1023 bytes, or has a NUL in it";
		return TOKENS_BAD;
	}
	memcpy(copy, line, n);
	copy[n] = '\0';
	if (!copy[strspn(copy, SPACE)])
		return TOKENS_NOTHING;
	*err_text = read_words(copy, &entry);
	if (*err_text)
		return TOKENS_BAD;
	*out = entry;
	return TOKENS_ENTRY;
}

bool tokens_has_ended(const struct tokens_entry *entry, int64_t now_ms)
{
	return now_ms >= entry->until_ms;
}

bool tokens_is_from(const struct tokens_entry *entry, const struct addr *from)
{
	bool is_inside = entry->n_from == 0;

	for (size_t i = 0; from && i < entry->n_from && !is_inside; i++)
		is_inside = prefix_has(&entry->from[i], from);
	return is_inside;
}

/* Names of the lines so far, as hashes of 64 bits: two that are alike by chance do not happen. */
struct names_seen {
	uint64_t *hashes;
	size_t n, room;
};

/* Add @p name. @return NULL, or why its line is not to be taken */
static const char *add_name(struct names_seen *seen, const char *name)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 1099511628211u;
	for (size_t i = 0; i < seen->n; i++)
		if (seen->hashes[i] == hash)
			return "a line before it has its name: both would be one person; give it "
			       "another";
	if (seen->n == seen->room) {
		size_t room = seen->room ? 2 * seen->room : 64;
		uint64_t *more = realloc(seen->hashes, room * sizeof(*more));

		if (!more)
			return "there is not enough memory";
		seen->hashes = more;
		seen->room = room;
	}
	seen->hashes[seen->n++] = hash;
	return NULL;
}

size_t tokens_scan(const char *text, size_t n, tokens_line_cb *cb, void *arg)
{
	struct names_seen seen = { .n = 0 };
	size_t n_bad = 0;

	for (size_t at = 0, line = 1; at < n; line++) {
		const char *end = memchr(text + at, '\n', n - at), *err_text = NULL;
		size_t length = end ? (size_t)(end - text) - at : n - at;
		struct tokens_entry entry;
		enum tokens_line is = read_line(text + at, length, &entry, &err_text);

		if (is == TOKENS_ENTRY)
			err_text = add_name(&seen, entry.name);
		if (err_text)
			is = TOKENS_BAD;
		n_bad += is == TOKENS_BAD;
		if (cb && is != TOKENS_NOTHING)
			cb(arg, line, is == TOKENS_ENTRY ? &entry : NULL, err_text);
		at += length + 1;
	}
	free(seen.hashes);
	return n_bad;
}

/*
 * Changing the file. It is replaced as a whole by rename(2), so that weir-mgmt never reads half
 * of it. Another command that changes it waits for a lock, whose file is removed by its holder.
 */

#define LOCK_FILE   TOKENS_FILE ".lock"
#define TOKEN_BYTES 32                 /* 256 bits at random: cannot be guessed */
#define LOCK_TRIES  50                 /* for five seconds */
#define LOCK_WAIT   ((unsigned)100000) /* microseconds between tries */

static bool token_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < TOKENS_NAME_MAX && strspn(name, NAME_CHARS) == n &&
	       strcmp(name, TOKENS_ANONYMOUS) != 0;
}

/*
 * Lock the directory by a file that only its owner can open. A lock on the directory itself could
 * be taken for ever by anybody who may read it.
 */
static int lock_tokens(const char *conf_dir, char path[PATH_MAX], int *lock_fd)
{
	int err = snprintf(path, PATH_MAX, "%s/" LOCK_FILE, conf_dir) < PATH_MAX ? -EBUSY
	                                                                         : -ENAMETOOLONG;

	for (int i = 0; i < LOCK_TRIES && err == -EBUSY; i++) {
		err = lock_acquire(path, lock_fd);
		if (err == -EBUSY)
			usleep(LOCK_WAIT);
	}
	return err;
}

static void unlock_tokens(const char *path, int lock_fd)
{
	unlink(path);
	close(lock_fd);
}

/* Whether there is a token of a name. */
struct name_search {
	const char *name;
	bool found;
};

static void note_name(void *arg, size_t line, const struct tokens_entry *entry,
                      const char *err_text)
{
	struct name_search *s = arg;

	(void)line;
	(void)err_text;
	s->found |= entry && !strcmp(entry->name, s->name);
}

static bool has_token_name(const char *text, size_t n, const char *name)
{
	struct name_search s = { .name = name };

	(void)tokens_scan(text, n, note_name, &s);
	return s.found;
}

/* Take the lines of @p name out of @p text, of *@p n bytes. @return whether there was one */
static bool cut_token_lines(char *text, size_t *n, const char *name)
{
	size_t kept = 0, was = *n;

	for (size_t at = 0; at < was;) {
		const char *end = memchr(text + at, '\n', was - at);
		size_t length = end ? (size_t)(end - text) + 1 - at : was - at;

		if (!has_token_name(text + at, length, name)) {
			memmove(text + kept, text + at, length);
			kept += length;
		}
		at += length;
	}
	*n = kept;
	return kept < was;
}

/* The owner and mode of the old file; a new file belongs to weir-mgmt alone. */
static int set_owner(int fd, const struct stat *old)
{
	const struct passwd *user = getpwnam("weir-mgmt");
	const struct group *group = getgrnam("weir");

	if (old)
		return fchown(fd, old->st_uid, old->st_gid) || fchmod(fd, old->st_mode & 0770)
		               ? -errno
		               : 0;
	if (geteuid() == 0 && user &&
	    fchown(fd, user->pw_uid, group ? group->gr_gid : user->pw_gid))
		return -errno;
	return fchmod(fd, 0400) ? -errno : 0;
}

/* Replace the file by @p text and @p line behind it. */
static int replace_tokens_file(const char *path, const struct stat *old, const char *text, size_t n,
                               const char *line)
{
	char temporary[REPLACE_NAME_MAX];
	int fd = replace_begin(path, 0600, temporary), err;

	if (fd < 0)
		return fd;
	err = set_owner(fd, old);
	if (!err)
		err = replace_write(fd, text, n);
	if (!err && n && text[n - 1] != '\n')
		err = replace_write(fd, "\n", 1);
	if (!err)
		err = replace_write(fd, line, strlen(line));
	return replace_end(fd, err, temporary, path, REPLACE_SYNC_FILE);
}

/* What becomes of the file's text, under the lock. @p n: its bytes; @p line gets what is put behind. */
typedef int change_text(void *arg, char *text, size_t *n, char line[TOKENS_LINE_MAX]);

static int change_file(const char *conf_dir, int dir, change_text *change, void *arg)
{
	char path[PATH_MAX], line[TOKENS_LINE_MAX] = "", none[1] = "", *text = NULL;
	struct stat old;
	size_t n = 0;
	int err;

	if (snprintf(path, sizeof(path), "%s/" TOKENS_FILE, conf_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	bool there = fstatat(dir, TOKENS_FILE, &old, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && !S_ISREG(old.st_mode))
		return -EMEDIUMTYPE;
	err = files_slurp(path, &text, &n);
	if (err == -ENOENT && !there)
		err = 0;
	if (!err)
		err = change(arg, text ? text : none, &n, line);
	if (!err)
		err = replace_tokens_file(path, there ? &old : NULL, text ? text : none, n, line);
	if (!err)
		fsync(dir); /* best effort: the token is valid already, so the caller must show it */
	free(text);
	return err;
}

/* The same under the lock, so that two commands cannot add a name twice, or lose what the other wrote. */
static int change_tokens(const char *conf_dir, change_text *change, void *arg)
{
	int dir = open(conf_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock_fd;
	char lock[PATH_MAX];

	if (dir < 0)
		return -errno;
	int err = lock_tokens(conf_dir, lock, &lock_fd);
	if (!err) {
		err = change_file(conf_dir, dir, change, arg);
		unlock_tokens(lock, lock_fd);
	}
	close(dir);
	return err;
}

/* A token whose line is to be added. */
struct new_line {
	const char *name, *text;
};

static int add_token_line(void *arg, char *text, size_t *n, char line[TOKENS_LINE_MAX])
{
	const struct new_line *add = arg;

	if (has_token_name(text, *n, add->name))
		return -EEXIST;
	snprintf(line, TOKENS_LINE_MAX, "%s", add->text);
	return 0;
}

static int remove_token_lines(void *arg, char *text, size_t *n, char line[TOKENS_LINE_MAX])
{
	(void)line;
	return cut_token_lines(text, n, arg) ? 0 : -ENOENT;
}

/* The line of a token, which must be one that gives access now. */
static int make_line(const struct tokens_request *request, const char *token,
                     char line[TOKENS_LINE_MAX], const char **err_text)
{
	struct tokens_entry entry;
	char digest[DIGEST_TEXT_MAX];
	const char *key = request->certificate ? request->certificate
	                                       : digest_bytes(token, strlen(token), digest);
	int n = snprintf(line, TOKENS_LINE_MAX, "%s %s %s%s%s\n", request->name, request->role, key,
	                 *request->words ? " " : "", request->words);

	*err_text = "the words are too long";
	if (n >= (int)TOKENS_LINE_MAX || strpbrk(request->words, "\n"))
		return -EBADMSG;
	if (read_line(line, (size_t)n - 1, &entry, err_text) != TOKENS_ENTRY)
		return -EBADMSG;
	*err_text = "its until= has passed: it would give no access";
	return tokens_has_ended(&entry, clock_realtime_ms()) ? -EBADMSG : 0;
}

int tokens_new(const char *conf_dir, const struct tokens_request *request,
               char token[DIGEST_TEXT_MAX], const char **err_text)
{
	char new_token[DIGEST_TEXT_MAX] = "", line[TOKENS_LINE_MAX];

	if (!token_name_ok(request->name))
		return -EINVAL;
	if (!is_role(request->role))
		return -ENOKEY;
	*err_text = "a certificate is known by URI:..., a subject alternative name, or CN:..., its "
	            "common name: up to 255 printable bytes without blanks";
	if (request->certificate && !tokens_is_certificate(request->certificate))
		return -EBADMSG;
	int err = request->certificate ? 0 : random_hex(new_token, TOKEN_BYTES);
	if (!err)
		err = make_line(request, new_token, line, err_text);
	if (!err)
		err = change_tokens(conf_dir, add_token_line,
		                    &(struct new_line){ request->name, line });
	if (!err)
		memcpy(token, new_token, sizeof(new_token));
	explicit_bzero(new_token, sizeof(new_token));
	return err;
}

int tokens_remove(const char *conf_dir, const char *name)
{
	char copy[TOKENS_NAME_MAX];

	if (strlen(name) >= sizeof(copy))
		return -ENOENT;
	snprintf(copy, sizeof(copy), "%s", name);
	return change_tokens(conf_dir, remove_token_lines, copy);
}
