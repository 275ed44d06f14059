// Signals: those that wait, what is done with them, and the POSIX timers that send them.
#include "format/checked.h"
#include "format/siginfo.h"
#include "writers/cptmake_task.h"

// The union as it is; and what older kernels would have told of it.
int cptmake_siginfos(struct cptmake *k, const struct crimg_list *list, struct crimg_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const SiginfoEntry *e = list->items[i];
		struct cptmake_object o =
			cptmake_new(CRIMG_CPT_OBJ_SIGINFO, CRIMG_CPT_CONTENT_VOID);
		struct crimg_siginfo s;
		if (!crimg_siginfo_decode(e->siginfo.data, e->siginfo.len, &s))
			continue;
		cptmake_set(&o, CRIMG_CPT_SIGINFO_SIGNO, (uint32_t)s.signo);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_ERRNO, (uint32_t)s.sys_errno);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_CODE, (uint32_t)s.code);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_SIGVAL, s.value);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_PID, s.pid);
		cptmake_set(&o, CRIMG_CPT_SIGINFO_UID, s.uid);
		if (e->siginfo.len > 16)
			cptmake_set_bytes(&o, CRIMG_CPT_SIGINFO_SIFIELDS, e->siginfo.data + 16,
					  crimg_min_u64(e->siginfo.len - 16, 112));
		if (cptmake_put(k, &o, NULL, 0, err) < 0)
			return -1;
	}
	return 0;
}

uint64_t cptmake_signal_set(const struct crimg_list *list)
{
	uint64_t set = 0;
	for (size_t i = 0; i < list->count; i++) {
		const SiginfoEntry *e = list->items[i];
		uint32_t signo = e->siginfo.len >= 4 ? crimg_get_u32(e->siginfo.data) : 0;
		if (signo >= 1 && signo <= 64)
			set |= UINT64_C(1) << (signo - 1);
	}
	return set;
}

static int put_handlers(struct cptmake *k, const struct crimg_task *task, struct cptmake_place *p,
			struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_SIGHAND_STRUCT, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	struct crimg_list list;
	if (crimg_task_list(k->image, task, CRIMG_PART_SIGACTIONS, &list, err) < 0
	    || cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0, signal = 0; i < list.count; i++, signal++) {
		const SaEntry *e = list.items[i];
		struct cptmake_object h =
			cptmake_new(CRIMG_CPT_OBJ_SIGHANDLER, CRIMG_CPT_CONTENT_VOID);
		if (signal == 8 || signal == 18) // KILL and STOP, from 0, are not in the list
			signal++;
		if (e->sigaction == 0 && e->flags == 0)
			continue;
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_SIGNO, signal);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_HANDLER, e->sigaction);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_RESTORER, e->restorer);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_FLAGS, e->flags);
		cptmake_set(&h, CRIMG_CPT_SIGHANDLER_MASK, e->mask);
		if (cptmake_put(k, &h, NULL, 0, err) < 0)
			return -1;
	}
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

int cptmake_handlers(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_SIGHAND_STRUCT, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		const struct crimg_task *t = &k->tasks.list[i];
		struct cptmake_place *p =
			t->ids == NULL ? NULL
				       : cptmake_map_find(
						 &k->shared,
						 CPTMAKE_KEY(CRIMG_CPT_OBJ_SIGHAND_STRUCT,
							     t->ids->sighand_id));
		if (p != NULL && p->at == 0 && put_handlers(k, t, p, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}

static int put_timers(struct cptmake *k, const struct crimg_list *list, uint64_t *at,
		      struct crimg_err *err)
{
	enum { NS = 1000000000 };
	struct cptmake_object o =
		cptmake_new(CRIMG_CPT_OBJ_POSIX_TIMER_LIST, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < list->count; i++) {
		const PosixTimerEntry *e = list->items[i];
		struct cptmake_object t =
			cptmake_new(CRIMG_CPT_OBJ_POSIX_TIMER, CRIMG_CPT_CONTENT_VOID);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_ID, e->it_id);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_CLOCK, e->clock_id);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_OVERRUN, e->overrun);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_INTERVAL, e->isec * NS + e->insec);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_TIMER_VALUE, e->vsec * NS + e->vnsec);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_VALUE, e->sival_ptr);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_SIGNO, e->si_signo);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY, e->it_sigev_notify);
		cptmake_set(&t, CRIMG_CPT_POSIX_TIMER_SIGEV_NOTIFY_TID,
			    (uint32_t)e->notify_thread_id);
		if (cptmake_put(k, &t, NULL, 0, err) < 0)
			return -1;
	}
	*at = mark.at;
	return cptmake_end(k, mark, err);
}

int cptmake_timers(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_POSIX_TIMERS, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		struct crimg_list list;
		k->timers[i] = CRIMG_CPT_NONE;
		if (crimg_task_list(k->image, &k->tasks.list[i], CRIMG_PART_POSIX_TIMERS, &list,
				    err) < 0)
			return -1;
		if (list.count > 0 && put_timers(k, &list, &k->timers[i], err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
