// Six processes in a row, a pipe between any two, and an endless stream of numbers through all of them. The pipes
// are of different size; some are full, some half full, some empty, since some stages take their time. Each stage
// adds one to each number and checks that the one that comes is the one that must come.
#include "prove.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>

#define STAGES 6
#define AT_A_TIME 700 // numbers: no divisor of any pipe's size

static int ends[STAGES - 1][2];

static size_t read_whole(int fd, void *to, size_t bytes)
{
	size_t done = 0;
	for (ssize_t n; done < bytes; done += (size_t)n) {
		n = read(fd, (char *)to + done, bytes - done);
		if (n == 0)
			break;
		PROVE(n > 0); // EINTR is no answer either: nobody sends a signal
	}
	return done;
}

static void write_whole(int fd, const void *from, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = write(fd, (const char *)from + done, bytes - done);
		PROVE(n > 0);
		done += (size_t)n;
	}
}

static void keep_only(int in, int out)
{
	for (int i = 0; i < STAGES - 1; i++)
		for (int k = 0; k < 2; k++)
			if (ends[i][k] != in && ends[i][k] != out)
				close(ends[i][k]);
}

static uint64_t source(int out)
{
	uint64_t numbers[AT_A_TIME], sent = 0;
	while (access("go", F_OK) != 0) {
		for (size_t i = 0; i < AT_A_TIME; i++)
			numbers[i] = sent++ * 3;
		write_whole(out, numbers, sizeof numbers);
	}
	return sent;
}

// Stage number which; the last one writes nowhere.
static uint64_t pass_on(int which, int in, int out)
{
	uint64_t numbers[AT_A_TIME], seen = 0;
	int slow = which == 2 || which == STAGES - 1; // before these, pipes are full; behind them, empty
	for (;;) {
		size_t n = read_whole(in, numbers, sizeof numbers);
		PROVE(n % sizeof *numbers == 0);
		for (size_t i = 0; i < n / sizeof *numbers; i++) {
			PROVE(numbers[i] == seen * 3 + (uint64_t)which - 1);
			numbers[i]++;
			seen++;
		}
		if (n == 0)
			return seen;
		if (out >= 0)
			write_whole(out, numbers, n);
		if (slow && access("go", F_OK) != 0)
			usleep(which == 2 ? 5000 : 7000);
	}
}

static _Noreturn void run_stage(int which)
{
	int in = which > 0 ? ends[which - 1][0] : -1;
	int out = which < STAGES - 1 ? ends[which][1] : -1;
	keep_only(in, out);
	uint64_t count = which == 0 ? source(out) : pass_on(which, in, out);
	PROVE(count > 0 && count % AT_A_TIME == 0);
	_exit(0);
}

int main(void)
{
	const int sizes[STAGES - 1] = { 1 << 16, 4096, 1 << 18, 8192, 1 << 16 };
	pid_t stages[STAGES];
	for (int i = 0; i < STAGES - 1; i++)
		PROVE(pipe(ends[i]) == 0 && fcntl(ends[i][1], F_SETPIPE_SZ, sizes[i]) == sizes[i]);
	for (int i = 0; i < STAGES; i++) {
		PROVE((stages[i] = fork()) >= 0);
		if (stages[i] == 0)
			run_stage(i);
	}
	keep_only(-1, -1);
	usleep(200 * 1000);
	ready();
	for (int i = 0; i < STAGES; i++) {
		int status;
		PROVE(waitpid(stages[i], &status, 0) == stages[i] && status == 0);
	}
	return 0;
}
