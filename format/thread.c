// Beginning a thread.
#include "format/thread.h"

#include <signal.h>

int crimg_thread_begin(pthread_t *thread, void *(*run)(void *context), void *context)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
