// Progress on standard error.
#include "convert/meter.h"

#include <stdio.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void crimg_meter_init(struct crimg_meter *m, bool shown, const volatile sig_atomic_t *stopped)
{
	*m = (struct crimg_meter){ .shown = shown, .stopped = stopped, .begun = now() };
	m->last = m->begun;
}

bool crimg_meter_tell(void *meter, uint64_t done, uint64_t total)
{
	struct crimg_meter *m = meter;
	if (*m->stopped != 0)
		return false;
	if (!m->shown || total == 0)
		return true;
	double t = now();
	if (t - m->last < 0.1 && done < total)
		return true;
	double spent = t - m->begun, rate = spent > 0 ? (double)done / spent : 0;
	double left = rate > 0 ? (double)(total - done) / rate : 0;
	m->last = t;
	m->printed = true;
	fprintf(stderr, "\r%7.1f of %.1f MiB  %3.0f%%  %7.1f MiB/s  %.0f s left ",
	        (double)done / 1048576, (double)total / 1048576,
	        100.0 * (double)done / (double)total, rate / 1048576, left);
	fflush(stderr);
	return true;
}

void crimg_meter_end(struct crimg_meter *m)
{
	if (m->printed)
		fputs("\r\x1b[K", stderr);
}
