// Whether those who were stopped still stand: SIGKILL, be it a user's or of a kernel short of
// memory, moves even whom ptrace holds. Then what was read of the others is not of one moment, and
// there is no image.
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "producer/tree.h"

#define DYING_US 200000u // between the signal and the end

static int check_thread(pid_t tid, struct crimg_err *err)
{
	siginfo_t info = {.si_pid = 0};
	if (waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0
	    && errno == ECHILD)
		return crimg_fail_sys(err, errno, NULL, "task %d is not held by us any more",
				      (int)tid);
	bool ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED
		     || info.si_code == CLD_DUMPED;
	if (info.si_pid == 0 || !ended) // a stop that nobody waited for is told, too
		return 0;
	return crimg_fail(
		err, CRIMG_E_IO, NULL, CRIMG_NO_OFFSET,
		info.si_code == CLD_EXITED
			? "task %d ended with status %d while its image was being taken"
			: "task %d was killed by signal %d while its image was being taken",
		(int)tid, info.si_status);
}

int crimg_tree_check(const struct crimg_tree *tree, struct crimg_err *err)
{
	for (size_t i = 0; i < tree->count; i++)
		for (size_t j = 0; j < tree->tasks[i].count; j++)
			if (check_thread(tree->tasks[i].threads[j].tid, err) < 0)
				return -1;
	return 0;
}

int crimg_tree_explain(const struct crimg_tree *tree, struct crimg_err *err)
{
	struct crimg_err why = CRIMG_ERR_INIT;
	uint64_t from = crimg_now_us();
	int rc = crimg_tree_check(tree, &why);
	while (rc == 0 && err->code == CRIMG_E_IO && crimg_now_us() - from < DYING_US) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		rc = crimg_tree_check(tree, &why);
	}
	if (rc < 0 && why.sys_errno == 0) // else err tells its end already
		*err = why;
	return -1;
}
