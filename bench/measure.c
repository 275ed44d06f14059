// measure RUNS COMMAND…: runs a command, prints the smallest wall time in seconds, the processor time of
// that run, and the largest peak memory in KiB over all runs. With -p CMD before, CMD is run by sh first,
// untimed, each time. What the command prints is dropped. Exit 1 when the command fails.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
	const char *prepare = NULL;
	if (argc > 3 && strcmp(argv[1], "-p") == 0) {
		prepare = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc < 3)
		return 2;
	double best = 1e9, cpu = 0;
	long peak = 0;
	for (int i = atoi(argv[1]); i > 0; i--) {
		struct rusage u;
		int status;
		if (prepare != NULL && system(prepare) != 0)
			return 2;
		double begun = now();
		pid_t pid = fork();
		if (pid == 0) {
			dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
			execvp(argv[2], argv + 2);
			_exit(127);
		}
		if (pid < 0 || wait4(pid, &status, 0, &u) < 0 || status != 0)
			return 1;
		double spent = now() - begun;
		if (spent < best) {
			best = spent;
			cpu = seconds(u.ru_utime) + seconds(u.ru_stime);
		}
		if (u.ru_maxrss > peak)
			peak = u.ru_maxrss;
	}
	printf("%.4f %.4f %ld\n", best, cpu, peak);
	return 0;
}
