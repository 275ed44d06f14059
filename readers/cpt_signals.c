// Handlers, and signals that wait.
#include "readers/cpt_records.h"
#include "readers/kernel_task.h"

enum { SIGNALS = 64, SIGKILL_NUMBER = 9, SIGSTOP_NUMBER = 19 };

#define SIGINFO_UNION_64 16u // where the union begins in a siginfo

uint64_t cpt_pending(const struct cpt *c, const struct cpt_object *task)
{
	const struct cpt_object *s = cpt_ref(c, task, CRIMG_CPT_TASK_SIGNAL);
	uint64_t shared = s != NULL ? cpt_get(c, s, CRIMG_CPT_SIGNAL_STRUCT_SIGPENDING) : 0;
	return (cpt_get(c, task, CRIMG_CPT_TASK_SIGPENDING) | shared)
	       & ~cpt_get(c, task, CRIMG_CPT_TASK_SIGBLOCKED);
}

// The image counts signals from 0. A table has no more than there are signals.
static void find_handlers(const struct cpt *c, const struct cpt_object *task,
			  const struct cpt_object *by_signal[SIGNALS + 1])
{
	const struct cpt_object *table = cpt_ref(c, task, CRIMG_CPT_TASK_SIGHAND);
	const struct cpt_object *h =
		table == NULL ? NULL : cpt_child(c, table, NULL, CRIMG_CPT_OBJ_SIGHANDLER);
	for (unsigned i = 0; h != NULL && i < SIGNALS; i++) {
		uint64_t signo = cpt_get(c, h, CRIMG_CPT_SIGHANDLER_SIGNO);
		if (signo < SIGNALS)
			by_signal[signo + 1] = h;
		h = cpt_child(c, table, h, CRIMG_CPT_OBJ_SIGHANDLER);
	}
}

const struct cpt_object *cpt_handler(const struct cpt *c, const struct cpt_object *task,
				     uint32_t signal)
{
	const struct cpt_object *by_signal[SIGNALS + 1] = {NULL};
	find_handlers(c, task, by_signal);
	return by_signal[signal];
}

int cpt_add_handlers(struct cpt_image *m, TaskCoreEntry *tc, const struct cpt_object *task,
		     struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *by_signal[SIGNALS + 1] = {NULL}, *h;
	SaEntry *list = cpt_make(m, SIGNALS, sizeof *list, err);
	tc->sigactions = cpt_make(m, SIGNALS, sizeof *tc->sigactions, err);
	if (list == NULL || tc->sigactions == NULL)
		return -1;
	find_handlers(c, task, by_signal);
	for (uint32_t i = 1; i <= SIGNALS; i++) {
		SaEntry *e = &list[tc->n_sigactions];
		if (i == SIGKILL_NUMBER || i == SIGSTOP_NUMBER)
			continue; // CRIU's list has none for those that cannot be caught
		sa_entry__init(e);
		if ((h = by_signal[i]) != NULL) {
			e->sigaction = cpt_get(c, h, CRIMG_CPT_SIGHANDLER_HANDLER);
			e->restorer = cpt_get(c, h, CRIMG_CPT_SIGHANDLER_RESTORER);
			e->flags = cpt_get(c, h, CRIMG_CPT_SIGHANDLER_FLAGS);
			e->mask = cpt_get(c, h, CRIMG_CPT_SIGHANDLER_MASK);
		}
		e->has_compat_sigaction = e->compat_sigaction = cpt_is_32(c, task);
		tc->sigactions[tc->n_sigactions++] = e;
	}
	return 0;
}

// The kernel's own union wins where it was written; that of a 32-bit kernel has other places.
static void put_siginfo(const struct cpt *c, const struct cpt_object *o, uint8_t *to)
{
	struct kernel_siginfo words = {
		.signo = cpt_u32(c, o, CRIMG_CPT_SIGINFO_SIGNO),
		.error = cpt_u32(c, o, CRIMG_CPT_SIGINFO_ERRNO),
		.code = cpt_u32(c, o, CRIMG_CPT_SIGINFO_CODE),
		.pid = cpt_u32(c, o, CRIMG_CPT_SIGINFO_PID),
		.uid = cpt_u32(c, o, CRIMG_CPT_SIGINFO_UID),
		.status = cpt_u32(c, o, CRIMG_CPT_SIGINFO_SIGVAL),
		.value = cpt_get(c, o, CRIMG_CPT_SIGINFO_SIGVAL),
		.address = cpt_get(c, o, CRIMG_CPT_SIGINFO_SIGVAL),
		.utime = cpt_get(c, o, CRIMG_CPT_SIGINFO_UTIME),
		.stime = cpt_get(c, o, CRIMG_CPT_SIGINFO_STIME),
		.band = cpt_get(c, o, CRIMG_CPT_SIGINFO_SIGVAL),
	};
	const uint8_t *raw = cpt_bytes(c, o, CRIMG_CPT_SIGINFO_SIFIELDS);
	kernel_siginfo(to, &words);
	if (raw != NULL && c->arch == CRIMG_CPT_ARCH_X86_64)
		memcpy(to + SIGINFO_UNION_64, raw, KERNEL_SIGINFO_BYTES - SIGINFO_UNION_64);
}

SignalQueueEntry *cpt_signals(struct cpt_image *m, const struct cpt_object *in,
			      struct crimg_err *err)
{
	const struct cpt *c = &m->c;
	const struct cpt_object *o = NULL;
	size_t count = 0;
	while ((o = cpt_child(c, in, o, CRIMG_CPT_OBJ_SIGINFO)) != NULL)
		count++;
	SignalQueueEntry *queue = cpt_make(m, 1, sizeof *queue, err);
	SiginfoEntry *list = cpt_make(m, count, sizeof *list, err);
	uint8_t *bytes = cpt_make(m, count, KERNEL_SIGINFO_BYTES, err);
	if (queue == NULL || list == NULL || bytes == NULL)
		return NULL;
	signal_queue_entry__init(queue);
	queue->signals = cpt_make(m, count, sizeof *queue->signals, err);
	if (queue->signals == NULL)
		return NULL;
	while ((o = cpt_child(c, in, o, CRIMG_CPT_OBJ_SIGINFO)) != NULL) {
		SiginfoEntry *e = &list[queue->n_signals];
		siginfo_entry__init(e);
		e->siginfo.len = KERNEL_SIGINFO_BYTES;
		e->siginfo.data = bytes + queue->n_signals * KERNEL_SIGINFO_BYTES;
		put_siginfo(c, o, e->siginfo.data);
		queue->signals[queue->n_signals++] = e;
	}
	return queue;
}
