// Counts real-time signals, each of which carries its number, and proves that all came in order,
// once each. As "meddle send PID FIRST COUNT" it sends them.
#include "../samples/programs/prove.h"

#include <signal.h>

static volatile sig_atomic_t next, continued;

static void on_number(int number, siginfo_t *info, void *context)
{
	(void)number, (void)context;
	PROVE(info->si_value.sival_int == next);
	next++;
}

static void on_continue(int number)
{
	(void)number;
	continued++;
}

static int send(pid_t pid, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		while (sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = i}) < 0)
			PROVE(errno == EAGAIN);
		nanosleep(&(struct timespec){0, 200000}, NULL);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction number = {.sa_sigaction = on_number, .sa_flags = SA_SIGINFO};
	struct sigaction go_on = {.sa_handler = on_continue};
	if (argc > 4)
		return send(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	sigaction(SIGRTMIN, &number, NULL);
	sigaction(SIGCONT, &go_on, NULL);
	ready();
	wait_for_go();
	printf("%d signals, continued %s\n", (int)next, continued > 0 ? "too" : "never");
	return 0;
}
