// Threads that take the next number until there is none.
#include "format/together.h"

#include <stdbool.h>

#include "format/thread.h"

#define THREADS_MAX 16u

struct together {
	pthread_mutex_t lock;
	size_t next, count;
	int (*one)(void *context, size_t i, struct crimg_err *err);
	void *context;
	bool failed;
	struct crimg_err err; // of the first that failed
};

static void *work(void *context)
{
	struct together *t = context;
	pthread_mutex_lock(&t->lock);
	while (!t->failed && t->next < t->count) {
		struct crimg_err err = CRIMG_ERR_INIT;
		size_t i = t->next++;
		pthread_mutex_unlock(&t->lock);
		int rc = t->one(t->context, i, &err);
		pthread_mutex_lock(&t->lock);
		if (rc < 0 && !t->failed) {
			t->failed = true;
			t->err = err;
		}
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

int crimg_together(size_t threads, size_t count,
                   int (*one)(void *context, size_t i, struct crimg_err *err), void *context,
                   struct crimg_err *err)
{
	struct together t = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .count = count, .one = one, .context = context,
	};
	pthread_t others[THREADS_MAX];
	unsigned begun = 0;
	while (begun < THREADS_MAX && begun + 1 < threads
	       && crimg_thread_begin(&others[begun], work, &t) == 0)
		begun++;
	work(&t);
	while (begun > 0)
		pthread_join(others[--begun], NULL);
	if (t.failed && err != NULL && err->code == CRIMG_OK)
		*err = t.err;
	return t.failed ? -1 : 0;
}
