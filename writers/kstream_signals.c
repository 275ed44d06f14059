// Signals: handlers, what is pending, limits and interval timers.
#include "format/siginfo.h"
#include "writers/kstream.h"

#define SIGNALS 64u
#define RLIMITS 16u
#define SIGKILL_NUMBER 9u
#define SIGSTOP_NUMBER 19u
#define NS_PER_US 1000u
#define US_PER_S 1000000u
#define NO_PID (-1) // what the leader of a session without terminal has
#define NO_PID_RC2 (-4096)

static struct crimg_list list_of(struct kstream *k, const struct crimg_task *task, enum crimg_part part)
{
	struct crimg_list list = { .count = 0 };
	if (!kstream_failed(&k->out))
		(void)(crimg_task_list(k->image, task, part, &list, &k->out.err) < 0);
	return list;
}

int32_t kstream_handlers(struct kstream *k, const struct crimg_task *task)
{
	struct kstream_out *o = &k->out;
	uint64_t key = task->ids != NULL ? task->ids->sighand_id : UINT64_C(1) << 40 | task->pid;
	int32_t ref;
	size_t next = 0;
	if (!kstream_object_of(k, CRIMG_LCR_OBJ_SIGHAND, key, &ref))
		return ref;
	struct crimg_list list = list_of(k, task, CRIMG_PART_SIGACTIONS);
	kstream_begin(o, CRIMG_LCR_SIGHAND);
	for (unsigned number = 1; number <= SIGNALS; number++) {
		if (number == SIGKILL_NUMBER || number == SIGSTOP_NUMBER || next >= list.count) {
			kstream_zeros(o, CRIMG_LCR_SIGACTION_BYTES);
			continue;
		}
		const SaEntry *e = list.items[next++];
		kstream_u64(o, e->sigaction);
		kstream_u64(o, e->flags);
		kstream_u64(o, e->restorer);
		kstream_u64(o, e->mask);
	}
	kstream_end(o);
	return ref;
}

static uint64_t ns(uint64_t seconds, uint64_t microseconds)
{
	return (seconds * US_PER_S + microseconds) * NS_PER_US;
}

void kstream_limits(struct kstream *k, const struct crimg_task *task)
{
	struct kstream_out *o = &k->out;
	struct crimg_list limits = list_of(k, task, CRIMG_PART_RLIMITS);
	struct crimg_list timers = list_of(k, task, CRIMG_PART_ITIMERS);
	struct crimg_list pending = list_of(k, task, CRIMG_PART_SIGNALS);
	kstream_begin(o, CRIMG_LCR_SIGNAL);
	for (size_t i = 0; i < RLIMITS; i++) {
		const RlimitEntry *e = i < limits.count ? limits.items[i] : NULL;
		kstream_u64(o, e != NULL ? e->cur : UINT64_MAX);
		kstream_u64(o, e != NULL ? e->max : UINT64_MAX);
	}
	for (size_t i = 0; i < 3; i++) {
		const ItimerEntry *e = i < timers.count ? timers.items[i] : NULL;
		kstream_u64(o, e != NULL ? ns(e->vsec, e->vusec) : 0);
		kstream_u64(o, e != NULL ? ns(e->isec, e->iusec) : 0);
	}
	kstream_ref(o, 0); // terminal
	kstream_ref(o, 0); // process group in its foreground
	kstream_ref(o, task->sid != task->pid ? 0 : o->rc2 ? NO_PID_RC2 : NO_PID); // the one before
	kstream_u32(o, 0);
	kstream_end(o);
	kstream_pending(k, &pending);
}

// The kernel's own codes have their class in the upper half.
static int32_t code_of(const struct crimg_siginfo *s)
{
	enum { TIMER = 1 << 16, POLL = 2 << 16, FAULT = 3 << 16, CHILD = 4 << 16 };
	switch (s->form) {
	case CRIMG_SIGINFO_TIMER:
		return TIMER | (s->code & 0xffff);
	case CRIMG_SIGINFO_POLL:
		return s->code > 0 ? POLL | s->code : s->code;
	case CRIMG_SIGINFO_FAULT:
		return FAULT | s->code;
	case CRIMG_SIGINFO_CHILD:
		return CHILD | s->code;
	default:
		return s->code;
	}
}

// What a siginfo says beside its numbers, each form in the places of its own.
struct said {
	uint32_t pid, uid, fd, timer, band, overrun, status;
	uint64_t pointer, utime, stime, address;
};

static struct said said_of(const struct crimg_siginfo *s, const SiginfoEntry *e)
{
	struct said out = { .pid = 0 };
	switch (s->form) {
	case CRIMG_SIGINFO_POLL:
		out.band = (uint32_t)s->value;
		out.fd = (uint32_t)s->fd;
		break;
	case CRIMG_SIGINFO_FAULT:
		out.address = s->address;
		break;
	case CRIMG_SIGINFO_TIMER:
		out.timer = (uint32_t)s->timer;
		out.overrun = (uint32_t)s->overrun;
		out.pointer = s->value;
		break;
	case CRIMG_SIGINFO_CHILD:
		out.status = (uint32_t)s->status;
		if (e->siginfo.len >= 48) {
			out.utime = crimg_get_u64(e->siginfo.data + 32);
			out.stime = crimg_get_u64(e->siginfo.data + 40);
		}
		break;
	case CRIMG_SIGINFO_SENT: // has none, but what stands there is kept
	case CRIMG_SIGINFO_QUEUED:
		out.pointer = s->value;
		break;
	default:
		break;
	}
	if (s->form == CRIMG_SIGINFO_SENT || s->form == CRIMG_SIGINFO_QUEUED || s->form == CRIMG_SIGINFO_CHILD) {
		out.pid = s->pid;
		out.uid = s->uid;
	}
	return out;
}

// At most one form is there, so fields that forms share can be put together.
static void put_v20(struct kstream_out *o, const struct said *s)
{
	kstream_u32(o, s->pid | s->band | s->timer);
	kstream_u32(o, s->uid | s->overrun);
	kstream_u32(o, s->fd | s->status);
	kstream_u64(o, s->pointer | s->address);
	kstream_u64(o, s->utime);
	kstream_u64(o, s->stime);
}

static void put_rc2(struct kstream_out *o, const struct said *s)
{
	kstream_u32(o, s->pid);
	kstream_u32(o, s->uid);
	kstream_u32(o, s->fd);
	kstream_u32(o, s->timer);
	kstream_u32(o, s->band);
	kstream_u32(o, s->overrun);
	kstream_u32(o, 0); // trap
	kstream_u32(o, s->status);
	kstream_u32(o, 0); // the value as a number: the same bytes as the pointer
	kstream_u64(o, s->pointer);
	kstream_u64(o, s->utime);
	kstream_u64(o, s->stime);
	kstream_u64(o, s->address);
	kstream_u64(o, 0); // private to the kernel
}

static void put_one(struct kstream_out *o, const SiginfoEntry *e)
{
	struct crimg_siginfo s;
	if (!crimg_siginfo_decode(e->siginfo.data, e->siginfo.len, &s))
		s = (struct crimg_siginfo){ .form = CRIMG_SIGINFO_NONE };
	struct said said = said_of(&s, e);
	kstream_u32(o, (uint32_t)s.signo);
	kstream_u32(o, (uint32_t)s.sys_errno);
	kstream_u32(o, (uint32_t)code_of(&s));
	(o->rc2 ? put_rc2 : put_v20)(o, &said);
}

void kstream_pending(struct kstream *k, const struct crimg_list *signals)
{
	struct kstream_out *o = &k->out;
	uint64_t set = 0;
	for (size_t i = 0; i < signals->count; i++) {
		const SiginfoEntry *e = signals->items[i];
		uint32_t number = e->siginfo.len >= 4 ? crimg_get_u32(e->siginfo.data) : 0;
		set |= number >= 1 && number <= SIGNALS ? UINT64_C(1) << (number - 1) : 0;
	}
	kstream_begin(o, CRIMG_LCR_SIGPENDING);
	kstream_u32(o, (uint32_t)signals->count);
	kstream_u32(o, 0);
	kstream_u64(o, set);
	for (size_t i = 0; i < signals->count; i++)
		put_one(o, signals->items[i]);
	kstream_end(o);
}
