// System calls that wait for a time of their own, and how much of that is left. The kernel tells nobody; but it
// tells since when a task has slept, and what it was called with.
#ifndef CRIMG_PRODUCER_WAITS_H
#define CRIMG_PRODUCER_WAITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct crimg_wait {
	bool timed;       // the rest counts
	long number;      // of the call, as the program made it; -1: unknown
	long told;        // private: as the kernel tells it
	uint64_t args[6];
	uint64_t left_ns; // never less than what is left, nor more than the whole; off by some milliseconds
	uint64_t switches; // private
};

// The call that a task in restart_syscall (number 219) goes on with, for which its program made the system call
// instruction in front of ip: one that waits for a time of its own. -1: its code does not tell.
long crimg_wait_restarted(pid_t tid, uint64_t ip);

// Of a thread that is not interrupted yet; right after this it must be. A thread that does not sleep in such a
// call, or of which the kernel does not say since when, is not timed.
void crimg_wait_look(pid_t tid, struct crimg_wait *out);
// The thread stands now, with these registers: not timed any more when it did anything in between; of no known number
// when it is in another call.
void crimg_wait_confirm(pid_t tid, const struct user_regs_struct *regs, struct crimg_wait *wait);
// Looking moves this thread from CPU to CPU: when all were looked at, it may run where it might before.
void crimg_wait_looked(void);

#endif
