/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mapped file: one page of head, then each table from a page of its own, in the order of
 * find_offsets(). A file of an earlier process is input like any other: sizes are checked before
 * they lead anywhere, the file must have the length that they ask for, and root must agree with the
 * head, since packets believe root.
 *
 * A file in hugepages is as long as its pages, so its last table may end before it does. It cannot be
 * written to but by a mapping, whose length is in whole pages, too.
 *
 * A reader of a file that is cut short later would die of SIGBUS; page_guard() turns that into
 * zeros.
 */
#include "base/page_guard.h"
#include "dataplane/dpdk/hugefile.h"
#include "dataplane/dpdk/tablefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weir/layout.h"

#define MAGIC     0x53424c5452494557u /* "WEIRTBLS" */
#define PAGE      4096u         /* of memory: tables begin at one, so that they can be mapped */
#define BYTES_MAX (64ull << 30) /* more than any document's limits need: a size gone wrong */

struct file_head {
	uint64_t magic;
	uint32_t layout; /* FWD_TABLES_LAYOUT */
	uint32_t n_cpus;
	struct driver_sizes sizes;
	uint64_t bytes; /* of the file, but for what fills its last page */
};

/* The offset of each table in the file, and the file's length. */
struct table_offsets {
	uint64_t off[FWD_TABLE_COUNT], bytes;
};

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

/* Whether sizes from a file are sound: products of them must not overflow. */
static bool sizes_sound(const struct driver_sizes *s, uint32_t n_cpus)
{
	return is_power_of_two(s->services) && s->services < 1u << 30 && s->service_counts &&
	       s->pools && s->backends && s->backends <= FWD_BACKENDS_MAX && s->slots &&
	       s->slots % FWD_SLOTS_PER_BLOCK == 0 && is_power_of_two(s->exception_buckets) &&
	       n_cpus && (uint64_t)n_cpus * s->backends <= UINT32_MAX &&
	       (uint64_t)n_cpus * s->service_counts <= UINT32_MAX;
}

/* The order is the file format. */
static void find_offsets(struct table_offsets *p, const struct fwd_tables *t)
{
	struct layout_table tables[FWD_TABLE_COUNT];

	layout_list(t, tables);
	p->bytes = PAGE;
	for (int i = 0; i < FWD_TABLE_COUNT; i++) {
		p->off[i] = p->bytes;
		p->bytes += (layout_bytes(&tables[i]) + PAGE - 1) / PAGE * PAGE;
	}
}

static void point_tables(struct tablefile *f, const struct table_offsets *p)
{
	struct layout_table tables[FWD_TABLE_COUNT];

	layout_list(&f->tables, tables);
	for (int i = 0; i < FWD_TABLE_COUNT; i++)
		tables[i].memory = (uint8_t *)f->memory + p->off[i];
	layout_set(&f->tables, tables);
}

static int map_table_memory(struct tablefile *f, int fd, bool writable)
{
	void *memory =
	        mmap(NULL, f->len, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	f->memory = memory;
	return 0;
}

/* If the file is cut short while it is mapped, read zeros: no service, no backend. */
static int guard_file(struct tablefile *f)
{
	int err = page_guard(f->memory, f->len, -1, false);

	if (err) {
		munmap(f->memory, f->len);
		f->memory = NULL;
	}
	return err;
}

/*
 * Allocate the file's blocks now: a write to a mapped table must not find the file system full
 * (SIGBUS).
 */
static int make_ordinary_file(const char *path, uint64_t bytes, int *out)
{
	int fd, err;

	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	err = -posix_fallocate(fd, 0, (off_t)bytes);
	if (err) {
		close(fd);
		(void)unlink(path);
		return err;
	}
	*out = fd;
	return 0;
}

/* Make a file of @p bytes or more; f->len is its length. @return 0 or -errno */
static int make_table_file(struct tablefile *f, const char *path, uint64_t bytes,
                           struct hugefile_request *request, int *out)
{
	int fd = request ? hugefile_make(path, bytes, request, &f->len) : -1;

	if (fd < 0) {
		f->len = bytes;
		return make_ordinary_file(path, bytes, out);
	}
	f->page_bytes = hugepages_of_file(fd);
	*out = fd;
	return 0;
}

/*
 * Map the new file @p fd, which is closed, and fill in what packets must know of the tables. The head
 * is written last: a file without it is refused, so one that was made by half is never taken over.
 */
static int fill_file(struct tablefile *f, int fd, const char *path, const struct table_offsets *p,
                     struct driver_reason *reason)
{
	int err = map_table_memory(f, fd, true);

	close(fd);
	if (err) {
		(void)unlink(path);
		return driver_set_reason(reason, err, "%s cannot be mapped: %s", path,
		                         strerror(-err));
	}
	point_tables(f, p);
	layout_root(&f->tables, &f->sizes);
	*(struct file_head *)f->memory = (struct file_head){ .magic = MAGIC,
		                                             .layout = FWD_TABLES_LAYOUT,
		                                             .n_cpus = f->tables.n_cpus,
		                                             .sizes = f->sizes,
		                                             .bytes = p->bytes };
	return 0;
}

int tablefile_make(struct tablefile *out, const char *path, const struct driver_sizes *sizes,
                   uint32_t n_cpus, struct hugefile_request *request, struct driver_reason *reason)
{
	struct tablefile f = { .sizes = *sizes };
	struct table_offsets p;
	int fd = -1, err;

	if (!sizes_sound(sizes, n_cpus))
		return driver_set_reason(reason, -EINVAL, "the sizes of the tables are invalid");
	layout_count(&f.tables, sizes, n_cpus);
	find_offsets(&p, &f.tables);
	if (p.bytes > BYTES_MAX)
		return driver_set_reason(reason, -E2BIG, "tables of %llu bytes are too large",
		                         (unsigned long long)p.bytes);
	err = make_table_file(&f, path, p.bytes, request, &fd);
	if (err)
		return driver_set_reason(reason, err, "%s of %llu bytes cannot be made: %s", path,
		                         (unsigned long long)p.bytes, strerror(-err));
	err = fill_file(&f, fd, path, &p, reason);
	if (!err)
		*out = f;
	return err;
}

uint64_t tablefile_page_bytes(const struct tablefile *f)
{
	return f->page_bytes ? f->page_bytes : PAGE;
}

/* The length of a file with tables of @p bytes. */
static uint64_t file_length(const struct tablefile *f, uint64_t bytes)
{
	uint64_t page = tablefile_page_bytes(f);

	return (bytes + page - 1) / page * page;
}

/*
 * Check that head, sizes and the file's length agree; fill in everything except the memory.
 * @param f  has page_bytes
 */
static int check_head(struct tablefile *f, const struct file_head *h, uint64_t bytes,
                      struct table_offsets *p, const char *path, struct driver_reason *reason)
{
	if (h->magic != MAGIC)
		return driver_set_reason(reason, -EPROTO, "%s holds no tables of Weir: remove it",
		                         path);
	if (h->layout != FWD_TABLES_LAYOUT)
		return driver_set_reason(reason, -EPROTO, "%s has layout %u, this release has %u",
		                         path, h->layout, FWD_TABLES_LAYOUT);
	if (!sizes_sound(&h->sizes, h->n_cpus))
		return driver_set_reason(reason, -EPROTO, "%s has a head with invalid sizes", path);
	f->sizes = h->sizes;
	layout_count(&f->tables, &h->sizes, h->n_cpus);
	find_offsets(p, &f->tables);
	if (p->bytes != h->bytes || file_length(f, p->bytes) != bytes)
		return driver_set_reason(reason, -EPROTO,
		                         "%s has %llu bytes and needs %llu by its sizes", path,
		                         (unsigned long long)bytes, (unsigned long long)p->bytes);
	f->len = bytes;
	return 0;
}

/* Whether root has the sizes of the head: packets believe root. */
static bool root_agrees(const struct tablefile *f)
{
	const struct fwd_root *r = f->tables.root;

	return r->layout == FWD_TABLES_LAYOUT && r->n_services == f->sizes.services &&
	       r->n_service_counts == f->sizes.service_counts &&
	       r->n_backends == f->sizes.backends &&
	       r->n_exception_buckets == f->sizes.exception_buckets &&
	       r->n_slots == f->sizes.slots && r->n_cpus == f->tables.n_cpus;
}

/* Map the file; a reader's mapping is guarded, since the file may be cut short meanwhile. */
static int map_file(struct tablefile *f, int fd, bool writable, const char *path,
                    struct driver_reason *reason)
{
	int err = map_table_memory(f, fd, writable);

	if (!err && !writable)
		err = guard_file(f);
	if (err)
		driver_set_reason(reason, err, "%s cannot be mapped: %s", path, strerror(-err));
	return err;
}

/* A reader trusts only a file that belongs to the process's user (owner_open()). */
int tablefile_open(struct tablefile *out, const char *path, bool writable,
                   struct driver_reason *reason)
{
	struct tablefile f = { 0 };
	struct table_offsets p;
	struct file_head h = { 0 };
	struct stat st;
	int fd = hugefile_open(path, writable), err;

	if (fd < 0)
		return driver_set_reason(reason, fd, "%s cannot be opened: %s", path,
		                         strerror(-fd));
	f.page_bytes = hugepages_of_file(fd);
	if (fstat(fd, &st) || pread(fd, &h, sizeof(h), 0) < 0)
		err = driver_set_reason(reason, -errno, "%s cannot be read: %s", path,
		                        strerror(errno));
	else
		err = check_head(&f, &h, (uint64_t)st.st_size, &p, path, reason);
	if (!err)
		err = map_file(&f, fd, writable, path, reason);
	close(fd);
	if (err)
		return err;
	point_tables(&f, &p);
	if (!root_agrees(&f)) {
		tablefile_close(&f);
		return driver_set_reason(reason, -EPROTO,
		                         "%s: its root has other sizes than its head", path);
	}
	*out = f;
	return 0;
}

int tablefile_move(struct tablefile *f, const char *path, const char *next,
                   struct hugefile_request *request)
{
	struct tablefile g = { .sizes = f->sizes };
	struct table_offsets p;
	int fd, err;

	layout_count(&g.tables, &f->sizes, f->tables.n_cpus);
	find_offsets(&p, &g.tables);
	fd = hugefile_make(next, p.bytes, request, &g.len);
	if (fd < 0)
		return fd;
	g.page_bytes = hugepages_of_file(fd);
	err = fill_file(&g, fd, next, &p, &request->reason);
	if (err)
		return err;
	memcpy((uint8_t *)g.memory + PAGE, (const uint8_t *)f->memory + PAGE, p.bytes - PAGE);
	if (rename(next, path)) {
		err = driver_set_reason(&request->reason, -errno, "%s cannot be put in place: %s",
		                        path, strerror(errno));
		tablefile_close(&g);
		(void)unlink(next);
		return err;
	}
	tablefile_close(f);
	*f = g;
	return 0;
}

void tablefile_close(struct tablefile *f)
{
	if (f->memory) {
		(void)page_unguard(f->memory);
		munmap(f->memory, f->len);
	}
	memset(f, 0, sizeof(*f));
}

/* The guard knows the length; the head does not, as the file may have been cut short since. */
void tablefile_unmap(struct fwd_tables *t)
{
	void *memory;

	if (!t->root)
		return;
	memory = (uint8_t *)t->root - PAGE;
	munmap(memory, page_unguard(memory));
	memset(t, 0, sizeof(*t));
}
