/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service manager's protocol without its library: one datagram for each message (sd_notify(3)).
 * And the signals that a process ignores.
 */
#include "base/proc.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void proc_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;

	if (n < 2 || n >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	/* A courtesy: without a listener the process works just as well. */
	sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

void proc_ready(void)
{
	proc_notify("READY=1");
}

unsigned proc_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;

	if (!text || *text < '1' || *text > '9')
		return 0;
	if (pid && strtol(pid, NULL, 10) != getpid())
		return 0;
	errno = 0;
	unsigned long long us = strtoull(text, &end, 10);

	return errno || *end || us / 1000 > 3600000u ? 0 : (unsigned)(us / 1000);
}

void proc_ignore_signals(void)
{
	static const int ignored[] = { SIGHUP,  SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2,
		                       SIGTSTP, SIGTTIN, SIGTTOU, SIGIO,   SIGVTALRM,
		                       SIGPROF, SIGPWR,  SIGXFSZ, SIGXCPU, SIGSTKFLT };

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		signal(signo, SIG_IGN);
}
