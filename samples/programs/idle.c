// Waits. With "deadline" it is scheduled by deadlines, and says "without" where that is not allowed; with "threads" it has
// a second thread.
#include "prove.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>

struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static void *second(void *unused)
{
	wait_for_go();
	return unused;
}

int main(int argc, char **argv)
{
	struct attributes a = { .size = sizeof a, .policy = 6, .flags = 1 | 4, .runtime = 3000000,
		                .deadline = 10000000, .period = 20000000 };
	struct attributes now = { .size = sizeof now };
	int deadline = argc > 1 && strcmp(argv[1], "deadline") == 0;
	pthread_t thread;
	int threaded = argc > 1 && strcmp(argv[1], "threads") == 0;
	if (deadline && syscall(SYS_sched_setattr, 0, &a, 0) != 0) {
		puts("without");
		deadline = 0;
	}
	PROVE(!threaded || pthread_create(&thread, NULL, second, NULL) == 0);
	ready();
	wait_for_go();
	if (deadline)
		PROVE(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) == 0 && now.policy == 6 && now.flags == (1 | 4)
		      && now.runtime == a.runtime && now.deadline == a.deadline && now.period == a.period);
	PROVE(!threaded || pthread_join(thread, NULL) == 0);
	return 0;
}
