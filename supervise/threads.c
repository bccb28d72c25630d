/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the threads of a hanging process are, from /proc and, for those that compute, ptrace(2). A
 * helper process reads it and writes lines into a pipe. Reading /proc of a process in an
 * uninterruptible sleep may block; then only the helper is stuck, no parent waits for it, and the
 * lines that it has written so far are there.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "supervise/run.h"
#include "supervise/watch.h"

#define LIMIT_MS    1500u /* for the helper: the supervisor must look at the others again */
#define TRACE_MS    100u  /* for a thread to stop */
#define THREADS_MAX 64
#define WORD_MAX    64 /* bytes of a thread's name, wait channel or call */

struct thread_report {
	int tid;
	char name[WORD_MAX], wchan[WORD_MAX], call[WORD_MAX];
	char state;
	uint64_t pc;
};

/* The first line of /proc/PID/task/TID/FILE; "" when it cannot be read. */
static void read_task_line(pid_t pid, int tid, const char *file, char *out, size_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "task/%d/%s", tid, file);
	run_read_proc(pid, name, out, size);
	out[strcspn(out, "\n")] = '\0';
}

/* Make a word safe for the log: a process names its threads as it likes. */
static void make_plain(char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text == '"' || *text == '=' || *text > '~')
			*text = '_';
}

/* "NR ARGUMENT ... SP PC", or "running". */
static void read_call(pid_t pid, struct thread_report *p)
{
	char line[256];

	read_task_line(pid, p->tid, "syscall", line, sizeof(line));
	const char *last = strrchr(line, ' ');

	if (last)
		p->pc = strtoull(last + 1, NULL, 16);
	line[strcspn(line, " ")] = '\0';
	snprintf(p->call, sizeof(p->call), "%.20s", *line ? line : "unknown");
}

/* The register of the program counter depends on the machine. */
static uint64_t program_counter(const struct user_regs_struct *r)
{
#if defined(__x86_64__)
	return r->rip;
#elif defined(__aarch64__)
	return r->pc;
#else
	(void)r;
	return 0;
#endif
}

/* Stop a running thread, read its program counter, let it go on. */
static void trace_thread(struct thread_report *p)
{
	struct user_regs_struct registers = { 0 };
	struct iovec io = { &registers, sizeof(registers) };
	int status;

	if (ptrace(PTRACE_SEIZE, p->tid, NULL, NULL) != 0)
		return;
	if (ptrace(PTRACE_INTERRUPT, p->tid, NULL, NULL) == 0)
		for (unsigned i = 0; i < TRACE_MS; i++) {
			if (waitpid(p->tid, &status, __WALL | WNOHANG) == p->tid) {
				if (ptrace(PTRACE_GETREGSET, p->tid, (void *)NT_PRSTATUS, &io) == 0)
					p->pc = program_counter(&registers);
				break;
			}
			usleep(1000);
		}
	ptrace(PTRACE_DETACH, p->tid, NULL, NULL);
}

static void read_thread(pid_t pid, int tid, struct thread_report *p)
{
	char line[512];

	*p = (struct thread_report){ .tid = tid, .state = '?' };
	read_task_line(pid, tid, "stat", line, sizeof(line));
	const char *behind = strrchr(line, ')');

	if (behind && behind[1] == ' ')
		p->state = behind[2];
	read_task_line(pid, tid, "comm", p->name, sizeof(p->name));
	read_task_line(pid, tid, "wchan", p->wchan, sizeof(p->wchan));
	make_plain(p->name);
	make_plain(p->wchan);
	read_call(pid, p);
	if (p->state == 'R' && !p->pc)
		trace_thread(p);
}

/* "PROGRAM+0x1234" of an address, from the process's map. */
static void print_address(FILE *maps, uint64_t pc)
{
	char line[512], path[256];
	uint64_t from, to, offset;

	rewind(maps);
	while (fgets(line, sizeof(line), maps)) {
		path[0] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %255s", &from,
		           &to, &offset, path) < 3 ||
		    pc < from || pc >= to)
			continue;
		const char *slash = strrchr(path, '/');

		make_plain(path);
		printf("address=0x%" PRIx64 " at=%s+0x%" PRIx64 "\n", pc, slash ? slash + 1 : path,
		       pc - from + offset);
		return;
	}
}

/* In the helper: standard output is the pipe. */
static void print_threads(pid_t pid)
{
	static struct thread_report threads[THREADS_MAX];
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	const struct dirent *e;

	while (d && n < THREADS_MAX && (e = readdir(d)))
		if (*e->d_name >= '1' && *e->d_name <= '9') {
			struct thread_report *p = &threads[n++];

			read_thread(pid, atoi(e->d_name), p);
			printf("tid=%d name=%s state=%c wchan=%s syscall=%s pc=0x%" PRIx64 "\n",
			       p->tid, p->name, p->state, *p->wchan ? p->wchan : "-", p->call,
			       p->pc);
			fflush(stdout);
		}
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	for (int i = 0; maps && i < n; i++)
		if (threads[i].pc)
			print_address(maps, threads[i].pc);
	fflush(stdout);
}

/* A grandchild, so that nobody has to wait for it. @return its end of the pipe, or -1 */
static int start_helper(pid_t pid)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	fflush(NULL);
	pid_t child = fork();

	if (child == 0) {
		if (fork() == 0) {
			dup2(ends[1], STDOUT_FILENO);
			/* the lock is the supervisor's */
			close_range(STDERR_FILENO + 1, ~0U, 0);
			signal(SIGALRM, SIG_DFL);
			alarm(10);
			print_threads(pid);
		}
		_exit(0);
	}
	close(ends[1]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return ends[0];
}

static void read_helper_output(int fd, char *text, size_t size)
{
	uint64_t until_ms = clock_mono_ms() + LIMIT_MS, now_ms;
	size_t n = 0;

	while (n + 1 < size && (now_ms = clock_mono_ms()) < until_ms) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		if (poll(&p, 1, (int)(until_ms - now_ms)) <= 0)
			continue;
		ssize_t got = read(fd, text + n, size - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
}

/* Where the main thread is, in short: what it waits for, and its address in the program. */
static void shorten_main(pid_t pid, struct run_thread_dump *p)
{
	char key[64], pc[32] = "", wchan[WORD_MAX] = "", state = '?', at[WORD_MAX] = "";

	snprintf(key, sizeof(key), "tid=%d ", (int)pid);
	const char *line = strstr(p->text, key);

	if (!line || sscanf(line, "%*s name=%*s state=%c wchan=%63s syscall=%*s pc=%31s", &state,
	                    wchan, pc) < 2)
		return;
	snprintf(key, sizeof(key), "address=%.20s at=", pc);
	line = *pc ? strstr(p->text, key) : NULL;
	if (line)
		sscanf(line + strlen(key), "%63s", at);
	snprintf(p->main, sizeof(p->main), "state %c in %.40s at %.50s", state, wchan,
	         *at ? at : pc);
}

void run_threads_dump(pid_t pid, struct run_thread_dump *out)
{
	*out = (struct run_thread_dump){ .blocked = false };
	int fd = start_helper(pid);

	if (fd < 0)
		return;
	read_helper_output(fd, out->text, sizeof(out->text));
	close(fd);
	out->blocked = strstr(out->text, " state=D ") != NULL;
	shorten_main(pid, out);
}
