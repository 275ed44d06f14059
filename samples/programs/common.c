// A child that has its parent's descriptor table, as clone() with CLONE_FILES makes one: what one opens,
// the other sees. With an argument also its directories (CLONE_FS), which criu does not take.
#include "prove.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
	(void)argv;
	int ends[2], status;
	char text[32], cwd[256];
	PROVE(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	int flags = CLONE_FILES | (argc > 1 ? CLONE_FS : 0) | SIGCHLD;
	pid_t child = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (child != 0)
		ready();
	wait_for_go();
	if (child == 0) {
		PROVE(read(ends[0], text, 1) == 1);
		PROVE(dup2(ends[1], 99) == 99 && chdir("/usr") == 0);
		close(ends[1]);
		_exit(5);
	}
	PROVE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
	PROVE(write(99, "through", 7) == 7 && read(ends[0], text, 32) == 7);
	PROVE(fcntl(ends[1], F_GETFD) == -1 && getcwd(cwd, sizeof cwd) != NULL);
	PROVE((strcmp(cwd, "/usr") == 0) == (argc > 1));
	return 0;
}
