/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer holds flock(2) on PATH.lock as long as the page is open, so the lock ends with the
 * process, however that ends. The lock's file is its owner's alone: whoever may read the page
 * itself could lock it, too, and keep the next writer from starting. Only the lock's holder
 * replaces the page's file, and only by a complete one, so nobody ever finds a page half made.
 *
 * A page may be damaged from outside: cut short, or overwritten with zeros. Cutting it short would
 * end all processes that have mapped it (SIGBUS); base/page_guard.c puts zeros there instead. In
 * both cases the header is no header any more, or the file is shorter than its mapping:
 * page_is_sound() sees that, after the words have been read.
 */
#include "base/page.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/owner.h"
#include "base/page_guard.h"
#include "base/proc.h"
#include "base/replace.h"

/*
 * Bytes; a larger file is no page. Health has a megabyte; effects and counters grow with the
 * limits.
 */
#define PAGE_BYTES_MAX ((off_t)1 << 30)
/* A writer that lives gives a sign of life at least once a second. */
#define SILENT_MS 3000u

static const char magic[8] = { 'w', 'e', 'i', 'r', 'p', 'a', 'g', 'e' };

struct page {
	struct page_header *header;
	size_t map_bytes;
	int fd;      /* of the file: page_is_sound() reads its length */
	int lock_fd; /* -1 for a reader */
	uint32_t layout;
	struct page_header first; /* as it was when the page was opened */
	bool kept;
	bool name_lost; /* its file could not be put back: logged once */
	char *path;     /* NULL for a reader */
};

static bool header_fits(const struct page_header *h, const char *kind, uint32_t layout)
{
	return memcmp(h->magic, magic, sizeof(magic)) == 0 &&
	       strncmp(h->kind, kind, sizeof(h->kind)) == 0 && h->layout == layout;
}

static void unmap_file(struct page_header *h, size_t map_bytes)
{
	page_unguard(h);
	munmap(h, map_bytes);
}

/*
 * Map the file behind @p fd, which stays open as long. @return 0, -EPROTO when it is no page, or
 * -errno
 */
static int map_file(int fd, int protection, struct page_header **out, size_t *map_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(struct page_header) ||
	    st.st_size > PAGE_BYTES_MAX)
		return -EPROTO;
	void *at = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	struct page_header *h = at;
	int err = page_guard(at, (size_t)st.st_size, fd, protection & PROT_WRITE);

	if (err) {
		munmap(at, (size_t)st.st_size);
		return err;
	}
	if (memcmp(h->magic, magic, sizeof(magic)) != 0 ||
	    h->size_bytes > (size_t)st.st_size - sizeof(*h)) {
		unmap_file(h, (size_t)st.st_size);
		return -EPROTO;
	}
	*out = h;
	*map_bytes = (size_t)st.st_size;
	return 0;
}

/* Copy @p from to the heap. @return 0, or -ENOMEM: the mapping and its file are closed then */
static int page_new(const struct page *from, struct page **out)
{
	struct page *p = malloc(sizeof(*p));

	if (!p) {
		unmap_file(from->header, from->map_bytes);
		close(from->fd);
		return -ENOMEM;
	}
	*p = *from;
	p->first = *p->header;
	*out = p;
	return 0;
}

static int lock_path(const char *path, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s.lock", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Become the only writer of @p path. @return 0, -EBUSY or -errno */
static int lock_page(const char *path, int *out)
{
	char own[PATH_MAX];
	int err = lock_path(path, own);

	return err ? err : lock_acquire(own, out);
}

static void wake_all(const struct page_header *h)
{
	/* FUTEX_WAKE only reads: fine on a reader's mapping. */
	syscall(SYS_futex, &h->epoch, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Tell the readers of an old file that a new file is at its path. */
static void mark_replaced(int fd)
{
	struct page_header *h;
	size_t map_bytes;

	if (map_file(fd, PROT_READ | PROT_WRITE, &h, &map_bytes))
		return;
	__atomic_store_n(&h->replaced, 1, __ATOMIC_RELEASE);
	__atomic_fetch_add(&h->epoch, 1, __ATOMIC_ACQ_REL);
	wake_all(h);
	unmap_file(h, map_bytes);
}

static int fill_new(int fd, const char *kind, uint32_t layout, size_t size_bytes)
{
	struct page_header h = { .layout = layout, .size_bytes = size_bytes };

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.kind, kind, strlen(kind));
	h.writer_pid = (uint64_t)getpid();
	h.alive_ms = clock_mono_ms();
	if (ftruncate(fd, (off_t)(sizeof(h) + size_bytes)) < 0)
		return -errno;
	/* allocate all blocks now: a write through the mapping cannot report a full file system */
	int err = posix_fallocate(fd, 0, (off_t)(sizeof(h) + size_bytes));
	if (err == ENOSPC || err == EDQUOT)
		return -err;
	ssize_t n = pwrite(fd, &h, sizeof(h), 0);

	return n == (ssize_t)sizeof(h) ? 0 : n < 0 ? -errno : -EIO;
}

/*
 * Make a complete page under a name of its own, with @p payload or zeros, then rename it to @p
 * path: no reader sees half of it.
 */
static int make_page_file(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                          const void *payload, int *out)
{
	char own[REPLACE_NAME_MAX];
	int fd = replace_begin(path, 0644, own);

	if (fd < 0)
		return fd;
	int err = fill_new(fd, kind, layout, size_bytes);

	if (!err && payload &&
	    pwrite(fd, payload, size_bytes, sizeof(struct page_header)) != (ssize_t)size_bytes)
		err = -EIO;
	if (!err && rename(own, path) < 0)
		err = -errno;
	if (err) {
		unlink(own);
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* Whether the page behind @p fd can be kept as it is. */
static bool can_keep(int fd, const char *kind, uint32_t layout, size_t size_bytes)
{
	struct page_header *h;
	size_t map_bytes;

	if (map_file(fd, PROT_READ, &h, &map_bytes))
		return false;
	bool fits = header_fits(h, kind, layout) && h->size_bytes == size_bytes && !h->replaced &&
	            map_bytes == sizeof(*h) + size_bytes;

	unmap_file(h, map_bytes);
	return fits;
}

/*
 * Open the page's file at @p path, or make a new one; under the lock. A kept file keeps its
 * readers' mappings valid.
 */
static int open_or_make_file(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                             int *out, bool *kept)
{
	int old = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	*kept = old >= 0 && owner_check(old, path, NULL) == 0 &&
	        can_keep(old, kind, layout, size_bytes);
	if (*kept) {
		*out = old;
		return 0;
	}
	if (old < 0 && errno == ELOOP) {
		old = owner_open(path, NULL); /* notes it as a condition */
		if (old >= 0)
			close(old);
		return -EPERM;
	}
	if (old < 0 && errno != ENOENT)
		return -errno;
	int err = make_page_file(path, kind, layout, size_bytes, NULL, out);
	if (old >= 0) {
		if (!err)
			mark_replaced(old);
		close(old);
	}
	return err;
}

int page_create(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                struct page **out)
{
	struct page p = { .layout = layout };

	if (strlen(kind) >= sizeof(p.header->kind))
		return -EINVAL;
	int err = lock_page(path, &p.lock_fd);
	if (err)
		return err;
	p.path = strdup(path);
	err = p.path ? open_or_make_file(path, kind, layout, size_bytes, &p.fd, &p.kept) : -ENOMEM;
	if (!err) {
		err = map_file(p.fd, PROT_READ | PROT_WRITE, &p.header, &p.map_bytes);
		if (err)
			close(p.fd);
	}
	if (!err)
		err = page_new(&p, out);
	if (err) {
		close(p.lock_fd);
		free(p.path);
		return err;
	}
	p.header->writer_pid = (uint64_t)getpid();
	return 0;
}

int page_open(const char *path, const char *kind, uint32_t layout, const char *writer,
              struct page **out)
{
	struct page p = {
		.fd = owner_open(path, writer), .lock_fd = -1, .layout = layout, .kept = true
	};

	if (p.fd < 0)
		return p.fd;
	int err = map_file(p.fd, PROT_READ, &p.header, &p.map_bytes);

	if (!err && !header_fits(p.header, kind, layout)) {
		unmap_file(p.header, p.map_bytes);
		err = -EPROTO;
	}
	if (err) {
		close(p.fd);
		return err;
	}
	return page_new(&p, out);
}

int page_open_in(const char *run_dir, const struct page_form *form, struct page **out)
{
	struct page *page = NULL;
	char path[PATH_MAX];
	int err = proc_path(run_dir, form->file, path);

	if (!err)
		err = page_open(path, form->kind, form->layout, form->writer, &page);
	if (!err && page_size(page) < form->least_bytes) {
		page_close(page);
		err = -EPROTO;
	}
	if (!err)
		*out = page;
	return err;
}

void page_close(struct page *p)
{
	if (!p)
		return;
	unmap_file(p->header, p->map_bytes);
	close(p->fd);
	if (p->lock_fd >= 0)
		close(p->lock_fd);
	free(p->path);
	free(p);
}

void page_remove(struct page *p, const char *path)
{
	char own[PATH_MAX];

	(void)unlink(path);
	if (!lock_path(path, own))
		(void)unlink(own);
	page_close(p);
}

void *page_payload(struct page *p)
{
	return p->header + 1;
}

size_t page_size(const struct page *p)
{
	return p->map_bytes - sizeof(*p->header);
}

const struct page_header *page_header(const struct page *p)
{
	return p->header;
}

bool page_was_kept(const struct page *p)
{
	return p->kept;
}

void page_publish(struct page *p)
{
	__atomic_fetch_add(&p->header->epoch, 1, __ATOMIC_ACQ_REL);
	wake_all(p->header);
}

void page_alive(struct page *p, uint64_t now_ms)
{
	__atomic_store_n(&p->header->alive_ms, now_ms, __ATOMIC_RELAXED);
}

uint32_t page_epoch(const struct page *p)
{
	return __atomic_load_n(&p->header->epoch, __ATOMIC_ACQUIRE);
}

int page_wait(const struct page *p, uint32_t epoch, int timeout_ms)
{
	struct timespec wait = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	if (page_epoch(p) != epoch)
		return 0;
	if (syscall(SYS_futex, &p->header->epoch, FUTEX_WAIT, epoch, timeout_ms < 0 ? NULL : &wait,
	            NULL, 0) == 0)
		return page_epoch(p) != epoch ? 0 : -EINTR;
	return errno == EAGAIN ? 0 : -errno;
}

void page_nudge(const struct page *p)
{
	wake_all(p->header);
}

/* @param st  out: of the page's file, where it is sound */
static bool look_at_page(const struct page *p, struct stat *st)
{
	const struct page_header *h = p->header;

	/* the caller's reads must not move behind the checks below */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return memcmp(h->magic, magic, sizeof(magic)) == 0 && h->layout == p->layout &&
	       h->size_bytes <= p->map_bytes - sizeof(*h) && fstat(p->fd, st) == 0 &&
	       (size_t)st->st_size >= p->map_bytes;
}

bool page_is_sound(const struct page *p)
{
	struct stat st;

	return look_at_page(p, &st);
}

/* Whether @p path is the file behind @p fd. @p gone  out: there is none */
static bool is_at(const char *path, int fd, bool *gone)
{
	struct stat there, own;

	*gone = lstat(path, &there) < 0 && errno == ENOENT;
	return !*gone && fstat(fd, &own) == 0 && there.st_ino == own.st_ino &&
	       there.st_dev == own.st_dev;
}

/*
 * Somebody removed the lock's file: take the lock again, else another writer could start beside
 * this one. @return 0 or -errno
 */
static int renew_lock(struct page *p)
{
	char own[PATH_MAX];
	bool gone;
	int fd, err = lock_path(p->path, own);

	if (err || is_at(own, p->lock_fd, &gone))
		return err;
	err = lock_acquire(own, &fd);
	if (err)
		return err;
	close(p->lock_fd);
	p->lock_fd = fd;
	return 0;
}

/*
 * Map the file @p fd over the old mapping, whose addresses others in this process hold. The readers
 * of the old file are notified first. @return 0 or -errno
 */
static int map_over(struct page *p, int fd)
{
	__atomic_store_n(&p->header->replaced, 1, __ATOMIC_RELEASE);
	page_publish(p);
	page_unguard(p->header);
	void *at = mmap(p->header, p->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
	                0);
	int err = at == MAP_FAILED ? -errno : 0;

	if (err)
		fd = p->fd;
	int guarded = page_guard(p->header, p->map_bytes, fd, true);
	return err ? err : guarded;
}

/* Make a new file at the path, with the payload as it is. @return 0 or -errno */
static int make_name(struct page *p)
{
	size_t size_bytes = p->map_bytes - sizeof(*p->header);
	int fd, err = renew_lock(p);

	if (!err)
		err = make_page_file(p->path, p->first.kind, p->layout, size_bytes, p->header + 1,
		                     &fd);
	if (err)
		return err;
	err = map_over(p, fd);
	if (err) {
		close(fd);
		return err;
	}
	close(p->fd);
	p->fd = fd;
	return 0;
}

void page_keep_name(struct page *p)
{
	bool gone;
	int err = 0;

	if (!is_at(p->path, p->fd, &gone))
		err = gone ? make_name(p) : -EEXIST;
	else
		err = renew_lock(p);
	if (gone || (err && !p->name_lost))
		log_error("page-removed", "path=%s effect=\"%s\" error=\"%s\"", p->path,
		          err ? "other processes do not see the values of this process"
		              : "created again",
		          err ? strerror(-err) : "");
	p->name_lost = err != 0;
}

bool page_repair(struct page *p)
{
	struct page_header h = p->first;

	page_keep_name(p);
	if (page_is_sound(p))
		return false;
	log_error("page-damaged", "kind=%s effect=\"written again\"", h.kind);
	if (ftruncate(p->fd, (off_t)p->map_bytes) < 0)
		return true;
	memset(p->header, 0, p->map_bytes);
	h.writer_pid = (uint64_t)getpid();
	h.alive_ms = clock_mono_ms();
	memcpy(p->header, &h, sizeof(h));
	page_publish(p);
	return true;
}

/*
 * A file that was removed while it had no writer cannot be marked: the next writer finds nothing there.
 * A writer that lives puts its file back, or goes on in the removed one.
 */
bool page_is_replaced(const struct page *p)
{
	const struct page_header *h = p->header;
	struct stat st;

	if (!look_at_page(p, &st) || __atomic_load_n(&h->replaced, __ATOMIC_ACQUIRE))
		return true;
	return st.st_nlink == 0 &&
	       clock_mono_ms() > __atomic_load_n(&h->alive_ms, __ATOMIC_RELAXED) + SILENT_MS;
}
