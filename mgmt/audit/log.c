/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock is held over a write, never over a sync: the thread syncs a descriptor of its own. What was noted has another lock,
 * which nobody holds for a disk.
 *
 * Room for the lines of all requests at work is allocated ahead (fallocate(2)), where the file system can: so a
 * full disk is noticed before a change is carried out, and not when its line is to be written.
 */
#include "mgmt/audit/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/plain.h"
#include "base/replace.h"
#include "mgmt/audit/flood.h"
#include "mgmt/audit/key.h"
#include "mgmt/files/files.h"

#define ROOM_BYTES  ((off_t)1 << 19) /* for the lines of all threads that carry out requests */
#define NAME_DIGITS 20               /* of a file, before its ending */
#define NAME_END    ".log"
#define NEW_KEY     ".next"
#define CUT_FILE    "cut"    /* bytes that a power cut left, where they were a whole file */
#define FORMER_FILE "former" /* the former key, and its signature of the next */
#define READ_MAX    ((size_t)256 << 20) /* bytes of a file that is read again */

/* A file that is written. */
struct log_file {
	int fd;
	off_t size, room; /* bytes of whole lines; to where room is allocated */
	bool is_torn;     /* half a line may stand behind them */
};

struct audit_log {
	char dir[PATH_MAX - 64], node[MODEL_NAME_MAX];
	size_t file_max, files_max;
	pthread_mutex_t lock;
	struct log_file file; /* the newest; its descriptor below 0: it is to be opened */
	uint64_t seq;
	char prev[DIGEST_TEXT_MAX];
	uint64_t *files; /* numbers of their first lines */
	size_t n_files;
	uint64_t dropped; /* lines to this one are no longer kept, by the log itself */
	struct audit_key *key;
	struct audit_head handover; /* by which peers follow a change of the key: node, keys */
	const char *loss;           /* how lines were lost; NULL: none were, or a line says so */
	uint64_t gone;              /* that line, as in the state */
	char gone_how[AUDIT_HOW_MAX];
	int error;
	uint64_t unrecorded;
	int64_t unrecorded_ms; /* believed: since when */
	size_t n_cut;          /* bytes that were found and are no lines: to be said */
	bool is_unsynced, is_unsealed, is_new_file;
	uint64_t sealed_ms;            /* 0: never */
	struct audit_head signed_head; /* the last that was written */
	/* of noted lines, and what others look at */
	pthread_mutex_t noted_lock;
	pthread_cond_t noted;
	bool stops, is_due;
	struct audit_mark saved; /* on the disk; of the thread alone, once there is one */
	struct audit_flood flood;
	struct audit_log_state shown;
	struct audit_head head; /* the last that is on the disk; its number 0: there is none */
};

/* --- files --- */

void audit_log_name(const char *dir, uint64_t first, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%.*s/%0*" PRIu64 NAME_END, PATH_MAX - 64, dir, NAME_DIGITS, first);
}

static bool read_name(const char *name, uint64_t *out)
{
	char *end;

	if (strlen(name) != NAME_DIGITS + sizeof(NAME_END) - 1 ||
	    strspn(name, "0123456789") != NAME_DIGITS || strcmp(name + NAME_DIGITS, NAME_END) != 0)
		return false;
	*out = strtoull(name, &end, 10);
	return *out > 0 && *out <= INT64_MAX;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

ssize_t audit_log_files(const char *dir, uint64_t **out)
{
	DIR *d = opendir(dir);
	uint64_t *files = NULL, first;
	size_t n = 0;
	const struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		uint64_t *more = read_name(e->d_name, &first)
		                         ? realloc(files, (n + 1) * sizeof(*files))
		                         : NULL;

		if (more) {
			files = more;
			files[n++] = first;
		}
	}
	closedir(d);
	if (n)
		qsort(files, n, sizeof(*files), compare_numbers);
	*out = files;
	return (ssize_t)n;
}

/* Of a file's name, made or removed. A failure is passed over: the next start finds the files that there are. */
static void sync_dir(const struct audit_log *log)
{
	int fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

/* --- writing --- */

/* Put @p n bytes of a line with its newline behind the last one, by one write. */
static int put_bytes(struct audit_log *log, const char *bytes, size_t n)
{
	if (log->file.is_torn && ftruncate(log->file.fd, log->file.size))
		return -errno;
	log->file.is_torn = false;
	ssize_t put = pwrite(log->file.fd, bytes, n, log->file.size);
	int err = put < 0 ? -errno : (size_t)put < n ? -ENOSPC : 0;

	if (err && put > 0 && ftruncate(log->file.fd, log->file.size))
		log->file.is_torn = true;
	if (!err)
		log->file.size += (off_t)n;
	return err;
}

static int sign_line(struct audit_log *log, struct audit_line *line)
{
	char text[AUDIT_SIGNED_MAX];

	snprintf(line->key, sizeof(line->key), "%s", audit_key_public(log->key));
	size_t n = audit_line_signed(line, text);
	return audit_key_sign(log->key, text, n, line->signature);
}

static void make_head(struct audit_log *log, const struct audit_line *line)
{
	audit_head_of(line, &log->signed_head);
	if (strcmp(log->handover.key, line->key) != 0)
		return;
	memcpy(log->signed_head.former, log->handover.former, sizeof(log->handover.former));
	memcpy(log->signed_head.handover, log->handover.handover, sizeof(log->handover.handover));
}

/* Write @p line behind the last one of the open file. */
static int put_line(struct audit_log *log, const struct audit_line *what)
{
	struct audit_line line = *what;
	int err = 0;

	line.seq = log->seq + 1;
	memcpy(line.prev, log->prev, sizeof(line.prev));
	memcpy(line.node, log->node, sizeof(line.node));
	(void)clock_text(clock_believed_ms(), line.time);
	if (audit_kind_is_signed(line.kind))
		err = sign_line(log, &line);
	char *text = err ? NULL : audit_line_text(&line);
	if (!text)
		return -ENOMEM;
	size_t n = strlen(text);
	char digest[DIGEST_TEXT_MAX];
	digest_bytes(text, n, digest);
	text[n] = '\n'; /* instead of the NUL */
	err = put_bytes(log, text, n + 1);
	free(text);
	if (err)
		return err;
	log->seq = line.seq;
	memcpy(log->prev, digest, sizeof(log->prev));
	log->is_unsynced = true;
	log->is_unsealed |= !audit_kind_is_signed(line.kind);
	if (line.kind == AUDIT_SEAL || (line.kind == AUDIT_BEGIN && !line.dropped))
		make_head(log, &line);
	return 0;
}

/* The number of the last line that is no longer kept once there is one more file: of files that others took it does not say so. */
static uint64_t count_dropped(const struct audit_log *log)
{
	size_t n = log->n_files + 1;

	return n > log->files_max ? log->files[n - log->files_max] - 1 : log->dropped;
}

static void close_file(struct log_file *file)
{
	if (file->fd < 0)
		return;
	(void)!ftruncate(file->fd, file->size); /* the room that was allocated ahead */
	(void)fdatasync(file->fd);
	close(file->fd);
	file->fd = -1;
}

/* Make a file whose first line is the next one. @return 0 or -errno: nothing of it is there */
static int make_file(struct audit_log *log, uint64_t dropped)
{
	const struct audit_line begin = { .kind = AUDIT_BEGIN, .dropped = dropped };
	char path[PATH_MAX];

	audit_log_name(log->dir, log->seq + 1, path);
	log->file =
	        (struct log_file){ .fd = open(path,
		                              O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		                              S_IRUSR | S_IWUSR) };
	if (log->file.fd < 0)
		return -errno;
	int err = put_line(log, &begin);
	if (err) {
		unlink(path);
		close(log->file.fd);
	}
	return err;
}

/*
 * Begin the next file. The oldest is removed later, when the line that says so is on the disk. On failure the present
 * file goes on.
 */
static int begin_file(struct audit_log *log)
{
	struct log_file former = log->file;
	uint64_t dropped = count_dropped(log);
	uint64_t *files = realloc(log->files, (log->n_files + 1) * sizeof(*files));

	if (!files)
		return -ENOMEM;
	log->files = files;
	int err = make_file(log, dropped);
	if (err) {
		log->file = former;
		return err;
	}
	close_file(&former);
	log->dropped = dropped;
	log->files[log->n_files++] = log->seq;
	log->is_new_file = true;
	return 0;
}

/* --- opening --- */

/*
 * The bytes of whole lines at the beginning of @p text that may stay. What a power cut has left is at the end, behind the last
 * signature, before which all was synced: there whatever breaks the chain goes. What is broken before a signature is no
 * power cut's, and is left for `weir audit verify`.
 */
static size_t measure_sound(const char *text, size_t n, struct audit_line *last,
                            char digest[DIGEST_TEXT_MAX])
{
	char hash[DIGEST_TEXT_MAX] = "";
	bool is_broken = false;
	size_t sound = 0;

	for (size_t at = 0; at < n;) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t length = end ? (size_t)(end - text) - at : 0;
		struct audit_line line;

		if (!end)
			break;
		bool is_line = !audit_line_read(text + at, length, &line);
		is_broken |= !is_line || (*hash && strcmp(line.prev, hash) != 0);
		if (is_line && audit_kind_is_signed(line.kind) && audit_line_is_signed(&line))
			is_broken = false;
		digest_bytes(text + at, length, hash);
		at += length + 1;
		if (is_broken)
			continue;
		*last = line;
		memcpy(digest, hash, DIGEST_TEXT_MAX);
		sound = at;
	}
	return sound;
}

/* Put a file aside that has no sound line. */
static int put_aside(struct audit_log *log, const char *path, size_t n)
{
	char aside[PATH_MAX];

	snprintf(aside, sizeof(aside), "%s/" CUT_FILE, log->dir);
	log->n_cut += n;
	if (n ? rename(path, aside) : unlink(path))
		return -errno;
	return -ENODATA;
}

/* What the log has dropped, by the first line of a file. */
static uint64_t read_dropped(const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);
	struct audit_line line;

	return end && !audit_line_read(text, (size_t)(end - text), &line) ? line.dropped : 0;
}

/* Go on behind the last sound line of the file whose first is @p first. @return 0; -ENODATA: it has none; or -errno */
static int resume_file(struct audit_log *log, uint64_t first)
{
	struct audit_line last = { 0 };
	char path[PATH_MAX], *text;
	size_t n;

	audit_log_name(log->dir, first, path);
	int err = files_slurp_within(path, READ_MAX, &text, &n);
	if (err)
		return err;
	size_t sound = measure_sound(text, n, &last, log->prev);
	log->dropped = read_dropped(text, n);
	free(text);
	if (!sound)
		return put_aside(log, path, n);
	log->file.fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (log->file.fd < 0)
		return -errno;
	log->seq = last.seq;
	log->file.size = (off_t)sound;
	log->file.room = 0;
	log->file.is_torn = sound < n;
	log->n_cut += n - sound;
	return 0;
}

static int load_key(struct audit_log *log)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, log->dir);
	int err = audit_key_read(path, &log->key);
	if (err == -EINVAL)
		log_error("audit-key-bad",
		          "path=%s do=\"a new key is made; weir audit verify will say that the old "
		          "one has not signed it\"",
		          path);
	if (err != -ENOENT && err != -EINVAL)
		return err;
	err = audit_key_new(&log->key);
	if (!err)
		err = audit_key_write(log->key, path);
	if (err) {
		audit_key_free(log->key);
		log->key = NULL;
	}
	return err;
}

/*
 * A change of the key that was cut short: where the log names the new one it is in force. It was synced before the log did. The
 * line that names it may be in the file that is read here alone: rotation signs a head behind it at once.
 */
static void finish_rotation(struct audit_log *log)
{
	char path[PATH_MAX], next[PATH_MAX], file[PATH_MAX], *text = NULL;
	struct audit_key *key = NULL;
	size_t n;

	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, log->dir);
	snprintf(next, sizeof(next), "%s/" AUDIT_KEY_FILE NEW_KEY, log->dir);
	if (audit_key_read(next, &key))
		return;
	if (log->n_files) {
		audit_log_name(log->dir, log->files[log->n_files - 1], file);
		if (files_slurp_within(file, READ_MAX, &text, &n))
			text = NULL;
	}
	bool is_named = text && strstr(text, audit_key_public(key));
	free(text);
	if (is_named ? rename(next, path) : unlink(next))
		log_warn("audit-key-kept", "path=%s error=\"%s\"", next, strerror(errno));
	audit_key_free(key);
}

/* By what the key in force was handed over; nothing, if it is the first, or the file is of no use. */
static void load_handover(struct audit_log *log)
{
	struct audit_head head = { .seq = 0 };
	char path[PATH_MAX], *text;
	size_t n;

	snprintf(path, sizeof(path), "%s/" FORMER_FILE, log->dir);
	if (files_slurp(path, &text, &n))
		return;
	memcpy(head.node, log->node, sizeof(head.node));
	snprintf(head.key, sizeof(head.key), "%s", audit_key_public(log->key));
	if (sscanf(text, "%64s %128s", head.former, head.handover) == 2 &&
	    strcmp(head.former, head.key) != 0 && audit_head_follows(&head, head.former))
		log->handover = head;
	free(text);
}

/* Have the key in force sign that @p next follows it, where the next start finds it. Under the lock. */
static int hand_over(struct audit_log *log, const struct audit_key *next)
{
	struct audit_head head = { .seq = 0 };
	char path[PATH_MAX], signs[AUDIT_SIGNED_MAX], text[AUDIT_KEY_MAX + AUDIT_SIGN_MAX + 2];

	memcpy(head.node, log->node, sizeof(head.node));
	snprintf(head.former, sizeof(head.former), "%s", audit_key_public(log->key));
	snprintf(head.key, sizeof(head.key), "%s", audit_key_public(next));
	size_t n = audit_head_handover(&head, signs);
	int err = audit_key_sign(log->key, signs, n, head.handover);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/" FORMER_FILE, log->dir);
	snprintf(text, sizeof(text), "%s %s\n", head.former, head.handover);
	err = replace_file(path, S_IRUSR | S_IWUSR, text, strlen(text), REPLACE_SYNC_NAME);
	if (!err)
		log->handover = head;
	return err;
}

/* Find the files that there are. @return 0 or -errno */
static int list_files(struct audit_log *log)
{
	free(log->files);
	log->files = NULL;
	log->n_files = 0;
	ssize_t n = audit_log_files(log->dir, &log->files);
	log->n_files = n < 0 ? 0 : (size_t)n;
	return n < 0 ? (int)n : 0;
}

static bool has_key_file(const struct audit_log *log)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, log->dir);
	return !access(path, F_OK);
}

/* The log goes on behind its last line, though that is not there any more; a key that went with it is written again. */
static int resume_lost(struct audit_log *log)
{
	char path[PATH_MAX];
	int err = list_files(log);

	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, log->dir);
	if (!err && !has_key_file(log))
		err = audit_key_write(log->key, path);
	return err;
}

/*
 * Whether the log had come further before this start. What is behind its mark may have gone by a power cut; what is before it, all of which
 * was on the disk, has not.
 */
static void compare_mark(struct audit_log *log, bool had_key)
{
	const struct audit_head *head = &log->saved.head;

	audit_mark_read(log->dir, &log->saved);
	log->gone = log->saved.gone;
	memcpy(log->gone_how, log->saved.how, sizeof(log->gone_how));
	if (head->seq > log->seq) {
		if (log->file.fd >= 0)
			close(log->file.fd); /* it stays as it was found */
		log->file.fd = -1;
		log->n_cut = 0;
		log->seq = head->seq;
		memcpy(log->prev, head->hash, sizeof(log->prev));
		log->loss = "missing";
	} else if (!log->seq && had_key) {
		log->loss = "missing";
	}
}

/* Find where the log ended. @return 0 or -errno */
static int resume_log(struct audit_log *log)
{
	bool had_key = !log->key && has_key_file(log);

	snprintf(log->prev, sizeof(log->prev), "%s", audit_line_none());
	log->seq = 0;
	log->n_cut = 0;
	log->dropped = 0;
	int err = list_files(log);
	if (err)
		return err;
	if (!log->key)
		finish_rotation(log);
	if (!log->key)
		err = load_key(log);
	if (!err)
		load_handover(log);
	while (!err && log->n_files && log->file.fd < 0) {
		err = resume_file(log, log->files[log->n_files - 1]);
		log->n_files -= err == -ENODATA;
		err = err == -ENODATA ? 0 : err;
	}
	if (!err)
		compare_mark(log, had_key);
	return err;
}

/* Make the directory, or find that it is this user's alone: the key would be read by whose it is. @return 0 or -errno */
static int own_dir(const char *dir)
{
	struct stat st;

	if (mkdir(dir, S_IRWXU) && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st))
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) ? 0 : -EPERM;
}

/* Open what is there, or begin; and say what a power cut has left. */
static int open_log(struct audit_log *log)
{
	int err = own_dir(log->dir);

	if (!err)
		err = log->loss ? resume_lost(log) : resume_log(log);
	if (!err && log->file.fd < 0)
		err = begin_file(log);
	if (err || !log->n_cut)
		return err;
	const struct audit_line repair = { .kind = AUDIT_REPAIR, .count = log->n_cut };
	log_warn("audit-repaired", "dir=%s line=%" PRIu64 " bytes=%zu", log->dir, log->seq + 1,
	         log->n_cut);
	return put_line(log, &repair);
}

/* --- a file that is not there any more --- */

/* What became of the file that is open; NULL: it is as it was written. */
static const char *find_loss(const struct audit_log *log)
{
	char path[PATH_MAX];
	struct stat st, there;

	if (fstat(log->file.fd, &st))
		return NULL;
	if (st.st_size < log->file.size)
		return "cut";
	audit_log_name(log->dir, log->files[log->n_files - 1], path);
	if (lstat(path, &there))
		return errno == ENOENT || errno == ENOTDIR ? "removed" : NULL;
	return there.st_ino == st.st_ino && there.st_dev == st.st_dev ? NULL : "replaced";
}

/* Leave such a file as it is: another one is begun, behind the last line that was written. Under the lock. */
static void leave_lost_file(struct audit_log *log)
{
	const char *loss = log->file.fd >= 0 ? find_loss(log) : NULL;

	if (!loss)
		return;
	(void)fdatasync(log->file.fd); /* it may have been renamed */
	close(log->file.fd);
	log->file.fd = -1;
	log->loss = loss;
}

/* Say that lines are gone, once that can be written. */
static int put_gone(struct audit_log *log)
{
	struct audit_line line = { .kind = AUDIT_GONE, .who = "weir" };

	if (!log->loss)
		return 0;
	snprintf(line.result, sizeof(line.result), "%s", log->loss);
	int err = put_line(log, &line);
	if (err)
		return err;
	log_error("audit-gone",
	          "dir=%s how=%s line=%" PRIu64
	          " do=\"keep that directory, and run weir audit verify\"",
	          log->dir, log->loss, log->seq);
	log->gone = log->seq;
	snprintf(log->gone_how, sizeof(log->gone_how), "%s", log->loss);
	log->loss = NULL;
	return 0;
}

/* --- lines --- */

/* Let others see @p err, why the log cannot be written (0: it can). Under the lock. */
static void note_error(struct audit_log *log, int err)
{
	if (err && !log->error)
		log_error("audit-not-written", "dir=%s error=\"%s\" effect=\"changes are refused\"",
		          log->dir, strerror(-err));
	if (!err && log->error)
		log_note("audit-written", "dir=%s", log->dir);
	log->error = err;
	pthread_mutex_lock(&log->noted_lock);
	log->shown.error = err;
	log->shown.unrecorded = log->unrecorded;
	log->shown.last = log->seq;
	log->shown.gone = log->gone;
	memcpy(log->shown.gone_how, log->gone_how, sizeof(log->gone_how));
	snprintf(log->shown.key, sizeof(log->shown.key), "%s",
	         log->key ? audit_key_public(log->key) : "");
	pthread_mutex_unlock(&log->noted_lock);
}

/* Say how many lines were lost, once one can be written. */
static int put_lost(struct audit_log *log)
{
	struct audit_line lost = { .kind = AUDIT_LOST, .count = log->unrecorded };

	if (!log->unrecorded)
		return 0;
	(void)clock_text(log->unrecorded_ms, lost.since);
	int err = put_line(log, &lost);
	if (!err)
		log->unrecorded = 0;
	return err;
}

/* Have a file open that has room for a line, and nothing that is still to be said. Under the lock. */
static int be_ready(struct audit_log *log)
{
	leave_lost_file(log);
	int err = log->file.fd < 0 ? open_log(log) : 0;

	if (!err)
		err = put_gone(log);
	if (!err && (size_t)log->file.size + AUDIT_LINE_MAX > log->file_max)
		err = begin_file(log);
	return err ? err : put_lost(log);
}

/* Under the lock. */
static int write_now(struct audit_log *log, const struct audit_line *line)
{
	int err = be_ready(log);

	return err ? err : put_line(log, line);
}

void audit_log_write(struct audit_log *log, const struct audit_line *line)
{
	if (!log)
		return;
	pthread_mutex_lock(&log->lock);
	int err = write_now(log, line);
	if (err && !log->unrecorded)
		log->unrecorded_ms = clock_believed_ms();
	if (err)
		log->unrecorded += line->count ? line->count : 1;
	note_error(log, err);
	pthread_mutex_unlock(&log->lock);
}

/* Allocate room ahead; a file system that cannot is no reason to refuse. Under the lock. */
static int allocate_room(struct audit_log *log)
{
	if (log->file.room >= log->file.size + ROOM_BYTES / 2)
		return 0;
	if (fallocate(log->file.fd, FALLOC_FL_KEEP_SIZE, log->file.size, ROOM_BYTES)) {
		bool is_full = errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EROFS;

		return is_full ? -errno : 0;
	}
	log->file.room = log->file.size + ROOM_BYTES;
	return 0;
}

int audit_log_ready(struct audit_log *log)
{
	if (!log)
		return 0;
	pthread_mutex_lock(&log->lock);
	int err = be_ready(log);
	if (!err)
		err = allocate_room(log);
	note_error(log, err);
	pthread_mutex_unlock(&log->lock);
	return err;
}

void audit_log_look(struct audit_log *log, struct audit_log_state *out)
{
	pthread_mutex_lock(&log->noted_lock);
	*out = log->shown;
	pthread_mutex_unlock(&log->noted_lock);
}

bool audit_log_head(struct audit_log *log, struct audit_head *out)
{
	if (!log)
		return false;
	pthread_mutex_lock(&log->noted_lock);
	*out = log->head;
	pthread_mutex_unlock(&log->noted_lock);
	return out->seq > 0;
}

void audit_log_note(struct audit_log *log, const struct audit_line *line)
{
	if (!log)
		return;
	pthread_mutex_lock(&log->noted_lock);
	enum audit_flood_noted noted =
	        audit_flood_note(&log->flood, line, clock_mono_ms(), clock_believed_ms());
	if (noted == AUDIT_FLOOD_DUE) {
		log->is_due = true;
		pthread_cond_signal(&log->noted);
	}
	pthread_mutex_unlock(&log->noted_lock);
	if (noted == AUDIT_FLOOD_FULL)
		audit_log_write(log, line);
}

/* --- the thread --- */

/* Sync what was written, without the lock; the peers hear a head that was written before then. @return 0 or -errno */
static int sync_file(struct audit_log *log)
{
	pthread_mutex_lock(&log->lock);
	int fd = log->file.fd >= 0 && log->is_unsynced ? dup(log->file.fd) : -1;
	bool needs = log->is_unsynced, is_new = log->is_new_file;
	const struct audit_head head = log->signed_head;
	log->is_unsynced = log->is_new_file = false;
	pthread_mutex_unlock(&log->lock);
	if (!needs)
		return 0;
	int err = fd < 0 ? -EIO : fdatasync(fd) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	if (is_new)
		sync_dir(log);
	pthread_mutex_lock(&log->lock);
	log->is_unsynced |= err != 0;
	log->is_new_file |= err && is_new;
	if (err)
		note_error(log, err);
	pthread_mutex_unlock(&log->lock);
	if (err)
		return err;
	pthread_mutex_lock(&log->noted_lock);
	log->head = head;
	pthread_mutex_unlock(&log->noted_lock);
	return 0;
}

/* Remove files beyond those that are kept, of which the log says so on the disk. */
static void drop_files(struct audit_log *log)
{
	char path[PATH_MAX];
	bool drops = false;

	pthread_mutex_lock(&log->lock);
	while (log->n_files > log->files_max) {
		audit_log_name(log->dir, log->files[0], path);
		if (unlink(path) && errno != ENOENT)
			break;
		drops = true;
		memmove(log->files, log->files + 1, --log->n_files * sizeof(log->files[0]));
	}
	pthread_mutex_unlock(&log->lock);
	if (drops)
		sync_dir(log);
}

/* Keep how far the log is on the disk; without success it is tried again. Of the thread, or before and after it. */
static void save_mark(struct audit_log *log)
{
	struct audit_mark mark;

	pthread_mutex_lock(&log->noted_lock);
	mark = (struct audit_mark){ .head = log->head, .gone = log->shown.gone };
	memcpy(mark.how, log->shown.gone_how, sizeof(mark.how));
	pthread_mutex_unlock(&log->noted_lock);
	bool is_saved = mark.gone == log->saved.gone &&
	                !strcmp(mark.head.signature, log->saved.head.signature);
	if (mark.head.seq && !is_saved && !audit_mark_write(log->dir, &mark))
		log->saved = mark;
}

#define SYNCS_MAX 4 /* while lines come; then they wait */

/*
 * Sign the head. All before it is on the disk first: what a power cut breaks is behind the last signature (measure_sound()).
 */
static void seal_log(struct audit_log *log)
{
	const struct audit_line seal = { .kind = AUDIT_SEAL };

	for (int i = 0;; i++) {
		if (sync_file(log))
			return;
		pthread_mutex_lock(&log->lock);
		if (!log->is_unsynced)
			break;
		if (i == SYNCS_MAX && !fdatasync(log->file.fd))
			break;
		pthread_mutex_unlock(&log->lock);
		if (i == SYNCS_MAX)
			return;
	}
	int err = write_now(log, &seal);
	if (!err) {
		log->is_unsealed = false;
		log->sealed_ms = clock_mono_ms();
	}
	note_error(log, err);
	pthread_mutex_unlock(&log->lock);
	(void)sync_file(log);
}

struct audit_log *audit_log_open(const struct audit_log_options *o)
{
	struct audit_log *log = memory_must(calloc(1, sizeof(*log)));
	pthread_condattr_t attributes;

	snprintf(log->dir, sizeof(log->dir), "%s", o->dir);
	snprintf(log->node, sizeof(log->node), "%s", o->node);
	log->file_max = o->file_max ? o->file_max : AUDIT_FILE_MAX;
	log->files_max = o->files_max ? o->files_max : AUDIT_FILES_MAX;
	log->file.fd = -1;
	memcpy(log->shown.dir, log->dir, sizeof(log->dir));
	pthread_mutex_init(&log->lock, NULL);
	pthread_mutex_init(&log->noted_lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&log->noted, &attributes);
	const struct audit_line start = { .kind = AUDIT_START, .who = "weir" };
	audit_log_write(log, &start);
	seal_log(
	        log); /* at once: of a log that was cut while weir-mgmt did not run, the peers hear a lower number */
	save_mark(log);
	return log;
}

static bool is_seal_due(struct audit_log *log, bool all)
{
	pthread_mutex_lock(&log->lock);
	bool due = log->is_unsealed &&
	           (all || !log->sealed_ms || clock_mono_ms() >= log->sealed_ms + AUDIT_SEAL_MS);
	pthread_mutex_unlock(&log->lock);
	return due;
}

static bool receive_noted(struct audit_log *log, bool all, struct audit_line *out)
{
	pthread_mutex_lock(&log->noted_lock);
	bool is_one = audit_flood_next(&log->flood, all, clock_mono_ms(), clock_believed_ms(), out);
	log->is_due &= is_one;
	pthread_mutex_unlock(&log->noted_lock);
	return is_one;
}

static bool is_failing(struct audit_log *log)
{
	pthread_mutex_lock(&log->lock);
	bool failing = log->error != 0;
	pthread_mutex_unlock(&log->lock);
	return failing;
}

/* A file that went is missed when nothing is written, too. */
static void look_after_file(struct audit_log *log)
{
	pthread_mutex_lock(&log->lock);
	if (log->file.fd >= 0 && find_loss(log))
		note_error(log, be_ready(log));
	pthread_mutex_unlock(&log->lock);
}

static void write_noted(struct audit_log *log, bool all)
{
	struct audit_line line;

	while (receive_noted(log, all, &line))
		audit_log_write(log, &line);
}

void audit_log_work(struct audit_log *log, bool all)
{
	look_after_file(log);
	write_noted(log, all);
	if (is_failing(log) && audit_log_ready(log))
		return; /* the next turn tries again */
	if (!sync_file(log))
		drop_files(log);
	if (is_seal_due(log, all))
		seal_log(log);
	save_mark(log);
}

bool audit_log_await(struct audit_log *log)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += AUDIT_SYNC_MS / 1000;
	pthread_mutex_lock(&log->noted_lock);
	while (!log->stops && !log->is_due &&
	       !pthread_cond_timedwait(&log->noted, &log->noted_lock, &until))
		;
	bool goes_on = !log->stops;
	pthread_mutex_unlock(&log->noted_lock);
	return goes_on;
}

void audit_log_end(struct audit_log *log)
{
	if (!log)
		return;
	pthread_mutex_lock(&log->noted_lock);
	log->stops = true;
	pthread_cond_signal(&log->noted);
	pthread_mutex_unlock(&log->noted_lock);
}

void audit_log_close(struct audit_log *log)
{
	const struct audit_line stop = { .kind = AUDIT_STOP, .who = "weir" };

	if (!log)
		return;
	write_noted(log, true);
	audit_log_write(log, &stop);
	audit_log_work(log, true);
	close_file(&log->file);
	audit_key_free(log->key);
	pthread_mutex_destroy(&log->lock);
	pthread_mutex_destroy(&log->noted_lock);
	pthread_cond_destroy(&log->noted);
	free(log->files);
	free(log);
}

/* --- another key --- */

/* Put the new key in force: the log names it, signed by the old one. Under the lock. */
static int change_key(struct audit_log *log, struct audit_key *key, const char *next,
                      const struct audit_line *by)
{
	const struct audit_line seal = { .kind = AUDIT_SEAL };
	struct audit_line line = *by;
	char path[PATH_MAX];

	line.kind = AUDIT_KEY;
	snprintf(line.next, sizeof(line.next), "%s", audit_key_public(key));
	int err = put_line(log, &line);
	if (err)
		return err;
	audit_key_free(log->key);
	log->key = key;
	log->gone = 0; /* somebody has seen it */
	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, log->dir);
	(void)fdatasync(log->file.fd);
	if (rename(next, path)) /* the next start does it */
		log_error("audit-key-kept", "path=%s error=\"%s\"", next, strerror(errno));
	(void)put_line(log, &seal);
	return 0;
}

/*
 * The new key is on the disk before the log names it. If the process dies between both, the next start finds it under its other
 * name, and the log says if it is in force (finish_rotation()).
 */
int audit_log_rotate(struct audit_log *log, const struct audit_line *by)
{
	struct audit_key *key;
	char next[PATH_MAX];
	int err = audit_key_new(&key);

	if (err)
		return err;
	pthread_mutex_lock(&log->lock);
	snprintf(next, sizeof(next), "%s/" AUDIT_KEY_FILE NEW_KEY, log->dir);
	err = be_ready(log);
	if (!err)
		err = audit_key_write(key, next);
	if (!err)
		err = hand_over(log, key);
	if (!err) {
		err = change_key(log, key, next, by);
		if (err)
			unlink(next);
	}
	note_error(log, err);
	pthread_mutex_unlock(&log->lock);
	if (err)
		audit_key_free(key);
	return err;
}
