// Timers of every sort, armed and not: interval timers, POSIX timers with numbers that have gaps, a timerfd.
// What was left must be left, periods go on, and signals come with their values.
#include "prove.h"

#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t alarms, ticks, value;

static void on_alarm(int signal)
{
	(void)signal;
	alarms = alarms + 1;
}

static void on_tick(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	ticks = ticks + 1;
	value = info->si_value.sival_int;
}

static int about(double found, double wanted, double less)
{
	return found <= wanted && found > wanted - less;
}

int main(void)
{
	struct sigaction alarm_action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct sigaction tick_action = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	sigaction(SIGALRM, &alarm_action, NULL);
	sigaction(SIGRTMIN + 3, &tick_action, NULL);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3,
		                  .sigev_value.sival_int = 4711 };
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	timer_t dropped, tick, far;
	PROVE(timer_create(CLOCK_MONOTONIC, &silent, &dropped) == 0);
	PROVE(timer_create(CLOCK_MONOTONIC, &event, &tick) == 0);
	PROVE(timer_create(CLOCK_REALTIME, &silent, &far) == 0);
	timer_delete(dropped);
	struct itimerspec every = { { 0, 50000000 }, { 0, 50000000 } }, once = { { 0, 0 }, { 900, 0 } }, left;
	timer_settime(tick, 0, &every, NULL);
	timer_settime(far, 0, &once, NULL);
	struct itimerval real = { { 0, 70000 }, { 0, 70000 } }, virtual = { { 0, 0 }, { 500, 0 } }, found;
	setitimer(ITIMER_REAL, &real, NULL);
	setitimer(ITIMER_VIRTUAL, &virtual, NULL);
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec fd_once = { { 700, 5 }, { 600, 0 } };
	timerfd_settime(fd, 0, &fd_once, NULL);
	ready();
	wait_for_go();

	int alarms_before = alarms, ticks_before = ticks;
	struct timespec end, now;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 1;
	do {
		usleep(10000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	PROVE(alarms - alarms_before >= 5 && ticks - ticks_before >= 7 && value == 4711);
	PROVE(timer_gettime(far, &left) == 0 && about((double)left.it_value.tv_sec, 900, 120));
	PROVE(getitimer(ITIMER_VIRTUAL, &found) == 0 && about((double)found.it_value.tv_sec, 500, 120));
	PROVE(getitimer(ITIMER_PROF, &found) == 0 && found.it_value.tv_sec == 0);
	PROVE(timerfd_gettime(fd, &left) == 0 && about((double)left.it_value.tv_sec, 600, 120));
	PROVE(left.it_interval.tv_sec == 700 && left.it_interval.tv_nsec == 5);
	PROVE(timer_gettime(dropped, &left) == -1 && errno == EINVAL);
	uint64_t count;
	PROVE(read(fd, &count, sizeof count) == -1 && errno == EAGAIN);
	return 0;
}
