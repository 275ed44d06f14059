// Progress on standard error: bytes, rate, time left.
#ifndef CRIMG_CONVERT_METER_H
#define CRIMG_CONVERT_METER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct crimg_meter {
	bool shown;                 // whether to print at all
	bool printed;               // a line is on the screen
	const volatile sig_atomic_t *stopped;
	double begun, last;         // seconds, CLOCK_MONOTONIC
};

void crimg_meter_init(struct crimg_meter *m, bool shown, const volatile sig_atomic_t *stopped);
// For crimg_progress.tell: prints at most ten times a second; false when *stopped is set.
bool crimg_meter_tell(void *meter, uint64_t done_bytes, uint64_t total_bytes);
// Wipes the line.
void crimg_meter_end(struct crimg_meter *m);

#endif
