// A thread that takes no signals: whoever waits for one is elsewhere.
#ifndef CRIMG_FORMAT_THREAD_H
#define CRIMG_FORMAT_THREAD_H

#include <pthread.h>

// 0, or an errno.
int crimg_thread_begin(pthread_t *thread, void *(*run)(void *context), void *context);

#endif
