/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handler of SIGBUS finds the address in a fixed array. An entry is published by storing its
 * address last, so the handler needs neither lock nor allocation. It makes system calls only (mmap,
 * fstat, ftruncate); when it returns, the access is repeated and succeeds.
 */
#include "base/page_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct guarded {
	uintptr_t at; /* 0: free; stored last, cleared first */
	size_t bytes;
	int fd;
	bool writable;
};

static struct {
	pthread_mutex_t lock;
	struct guarded items[PAGE_GUARDS_MAX];
	struct sigaction before;
} guards = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* @return the guarded mapping of @p address, or NULL */
static const struct guarded *find_guarded(uintptr_t address)
{
	for (size_t i = 0; i < PAGE_GUARDS_MAX; i++) {
		const struct guarded *g = &guards.items[i];
		uintptr_t at = __atomic_load_n(&g->at, __ATOMIC_ACQUIRE);

		if (at && address >= at && address - at < g->bytes)
			return g;
	}
	return NULL;
}

/* Give a file that was cut short its length back. @return whether that can have helped */
static bool restore_length(const struct guarded *g)
{
	struct stat st;

	/*
	 * a file that is long enough raised SIGBUS because its file system is full: trying again
	 * fails
	 */
	if (fstat(g->fd, &st) < 0 || st.st_size >= (off_t)g->bytes ||
	    ftruncate(g->fd, (off_t)g->bytes) < 0)
		return false;
	/* the payload is lost although the header may be left: make page_is_sound() say so */
	*(volatile char *)g->at = 0;
	return true;
}

/*
 * Put memory behind the addresses: the file at its old length, else private zeros. @return whether
 * there is
 */
static bool back_addresses(const struct guarded *g)
{
	if (g->writable && restore_length(g))
		return true;
	return mmap((void *)g->at, g->bytes, PROT_READ | (g->writable ? PROT_WRITE : 0),
	            MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static void on_bus(int signo, siginfo_t *info, void *context)
{
	int err = errno;
	const struct guarded *g = info->si_code > 0 ? find_guarded((uintptr_t)info->si_addr) : NULL;

	(void)context;
	if (!g || !back_addresses(g)) {
		/*
		 * not a guarded mapping: let the signal do what it would have done without a
		 * guard
		 */
		sigaction(SIGBUS, &guards.before, NULL);
		if (info->si_code <= 0)
			raise(signo);
	}
	errno = err;
}

/*
 * Under the lock. A library may have put its own handler in our place since the last page was
 * mapped.
 */
static int install_bus_handler(void)
{
	struct sigaction act = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction now;

	if (sigaction(SIGBUS, NULL, &now) < 0)
		return -errno;
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_bus)
		return 0;
	guards.before = now;
	sigemptyset(&act.sa_mask);
	return sigaction(SIGBUS, &act, NULL) < 0 ? -errno : 0;
}

int page_guard(void *at, size_t bytes, int fd, bool writable)
{
	size_t i = 0;

	pthread_mutex_lock(&guards.lock);
	int err = install_bus_handler();
	while (i < PAGE_GUARDS_MAX && guards.items[i].at)
		i++;
	if (!err && i == PAGE_GUARDS_MAX)
		err = -ENFILE;
	if (!err) {
		guards.items[i].bytes = bytes;
		guards.items[i].fd = fd;
		guards.items[i].writable = writable;
		__atomic_store_n(&guards.items[i].at, (uintptr_t)at, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&guards.lock);
	return err;
}

size_t page_unguard(const void *at)
{
	size_t bytes = 0;

	pthread_mutex_lock(&guards.lock);
	for (size_t i = 0; i < PAGE_GUARDS_MAX; i++)
		if (guards.items[i].at == (uintptr_t)at) {
			bytes = guards.items[i].bytes;
			__atomic_store_n(&guards.items[i].at, 0, __ATOMIC_RELEASE);
		}
	pthread_mutex_unlock(&guards.lock);
	return bytes;
}
