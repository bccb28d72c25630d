/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The writer's lock is flock(2) on PATH.lock, held as long as the page is open, so it ends
 * with the process however that ends. That file is its owner's alone: whoever may read the
 * page itself could lock it too, and keep the next writer from starting. The page's file is
 * replaced only by the lock's holder, and only by a complete one; so nobody ever finds a page half made.
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

static const char magic[8] = { 'w', 'e', 'i', 'r', 'p', 'a', 'g', 'e' };

struct page {
	struct page_header *header;
	size_t map_bytes;
	int lock_fd; /* -1 for a reader */
	bool kept;
};

static bool header_fits(const struct page_header *h, const char *kind, uint32_t layout)
{
	return memcmp(h->magic, magic, sizeof(magic)) == 0 &&
	       strncmp(h->kind, kind, sizeof(h->kind)) == 0 && h->layout == layout;
}

/* Map the file behind @p fd. @return 0, -EPROTO when it is no page, or -errno */
static int map_file(int fd, int protection, struct page_header **out, size_t *map_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(struct page_header))
		return -EPROTO;
	void *at = mmap(NULL, (size_t)st.st_size, protection, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	struct page_header *h = at;

	if (memcmp(h->magic, magic, sizeof(magic)) != 0 ||
	    h->size_bytes > (size_t)st.st_size - sizeof(*h)) {
		munmap(at, (size_t)st.st_size);
		return -EPROTO;
	}
	*out = h;
	*map_bytes = (size_t)st.st_size;
	return 0;
}

static int page_new(struct page_header *h, size_t map_bytes, int lock_fd, bool kept,
                    struct page **out)
{
	struct page *p = malloc(sizeof(*p));

	if (!p) {
		munmap(h, map_bytes);
		return -ENOMEM;
	}
	*p = (struct page){ .header = h, .map_bytes = map_bytes, .lock_fd = lock_fd, .kept = kept };
	*out = p;
	return 0;
}

static int lock_path(const char *path, char out[PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s.lock", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Become the only writer of @p path. @return 0, -EBUSY or -errno */
static int lock(const char *path, int *out)
{
	char own[PATH_MAX];
	int rc = lock_path(path, own);

	return rc ? rc : lock_take(own, out);
}

static void wake_all(const struct page_header *h)
{
	/* FUTEX_WAKE only reads: fine on a reader's mapping. */
	syscall(SYS_futex, &h->epoch, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* Tell the readers of an old file that a new one stands in its place. */
static void mark_replaced(int fd)
{
	struct page_header *h;
	size_t map_bytes;

	if (map_file(fd, PROT_READ | PROT_WRITE, &h, &map_bytes))
		return;
	__atomic_store_n(&h->replaced, 1, __ATOMIC_RELEASE);
	__atomic_fetch_add(&h->epoch, 1, __ATOMIC_ACQ_REL);
	wake_all(h);
	munmap(h, map_bytes);
}

static int fill_new(int fd, const char *kind, uint32_t layout, size_t size_bytes)
{
	struct page_header h = { .layout = layout, .size_bytes = size_bytes };

	memcpy(h.magic, magic, sizeof(magic));
	memcpy(h.kind, kind, strlen(kind));
	h.writer_pid = (uint64_t)getpid();
	h.alive_ms = clock_mono_ms();
	if (fchmod(fd, 0644) < 0 || ftruncate(fd, (off_t)(sizeof(h) + size_bytes)) < 0)
		return -errno;
	ssize_t n = pwrite(fd, &h, sizeof(h), 0);

	return n == (ssize_t)sizeof(h) ? 0 : n < 0 ? -errno : -EIO;
}

/* Make a complete page under a name of its own, then move it to @p path. */
static int make_file(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                     int *out)
{
	char own[PATH_MAX];

	if (snprintf(own, sizeof(own), "%s.%d", path, (int)getpid()) >= (int)sizeof(own))
		return -ENAMETOOLONG;
	unlink(own);
	int fd = open(own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	int rc = fill_new(fd, kind, layout, size_bytes);

	if (!rc && rename(own, path) < 0)
		rc = -errno;
	if (rc) {
		unlink(own);
		close(fd);
		return rc;
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
	bool fits = header_fits(h, kind, layout) && h->size_bytes == size_bytes && !h->replaced;

	munmap(h, map_bytes);
	return fits;
}

/* The page's file, kept or new; under the lock. */
static int take_file(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                     int *out, bool *kept)
{
	int old = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	*kept = old >= 0 && can_keep(old, kind, layout, size_bytes);
	if (*kept) {
		*out = old;
		return 0;
	}
	if (old < 0 && errno != ENOENT)
		return -errno;
	int rc = make_file(path, kind, layout, size_bytes, out);
	if (old >= 0) {
		if (!rc)
			mark_replaced(old);
		close(old);
	}
	return rc;
}

int page_create(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                struct page **out)
{
	struct page_header *h;
	size_t map_bytes;
	int lock_fd, fd;
	bool kept;

	if (strlen(kind) >= sizeof(h->kind))
		return -EINVAL;
	int rc = lock(path, &lock_fd);
	if (rc)
		return rc;
	rc = take_file(path, kind, layout, size_bytes, &fd, &kept);
	if (!rc) {
		rc = map_file(fd, PROT_READ | PROT_WRITE, &h, &map_bytes);
		close(fd);
	}
	if (!rc)
		rc = page_new(h, map_bytes, lock_fd, kept, out);
	if (rc) {
		close(lock_fd);
		return rc;
	}
	h->writer_pid = (uint64_t)getpid();
	return 0;
}

int page_open(const char *path, const char *kind, uint32_t layout, struct page **out)
{
	struct page_header *h;
	size_t map_bytes;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int rc = map_file(fd, PROT_READ, &h, &map_bytes);

	close(fd);
	if (rc)
		return rc;
	if (!header_fits(h, kind, layout)) {
		munmap(h, map_bytes);
		return -EPROTO;
	}
	return page_new(h, map_bytes, -1, true, out);
}

void page_close(struct page *p)
{
	if (!p)
		return;
	munmap(p->header, p->map_bytes);
	if (p->lock_fd >= 0)
		close(p->lock_fd);
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

bool page_is_replaced(const struct page *p)
{
	return __atomic_load_n(&p->header->replaced, __ATOMIC_ACQUIRE) != 0;
}
