// A process, and a pipe that tells it that its creator is no more.
#include "producer/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

// Waits until its creator says that all is well, or dies. A session of its own: what ends a group
// of processes does not end it.
static _Noreturn void watch(void (*put_back)(const void *context), const void *context, int pipe)
{
	char word;
	ssize_t n;
	setsid();
	while ((n = read(pipe, &word, 1)) < 0 && errno == EINTR)
		;
	if (n == 0)
		put_back(context);
	_exit(0);
}

int crimg_guard_start(struct crimg_guard *g, void (*put_back)(const void *context), const void *context,
		      struct crimg_err *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return crimg_fail_sys(err, errno, NULL, "no pipe can be made");
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[1]);
		watch(put_back, context, ends[0]);
	}
	int number = errno;
	close(ends[0]);
	if (pid > 0) {
		*g = (struct crimg_guard){.pid = pid, .pipe = ends[1]};
		return 0;
	}
	close(ends[1]);
	return crimg_fail_sys(err, number, NULL, "no process can be made that guards what is changed for a moment");
}

void crimg_guard_dismiss(struct crimg_guard *g)
{
	if (g->pid == 0)
		return;
	bool told = write(g->pipe, "", 1) == 1; // else it puts back what is put back already
	close(g->pipe);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR && told)
		;
	g->pid = 0;
}
