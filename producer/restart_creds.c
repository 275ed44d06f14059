// Who a thread is: user, groups, capabilities, securebits, filters of system calls. Only what differs from
// what crimg is itself is asked for, so that who restarts his own tasks needs no privilege.
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/names.h"
#include "producer/restart_parts.h"

#define GROUPS_MAX 8192u // as many as can be lent
#define CAPS_MAX 64u

struct caps {
	uint64_t inh, prm, eff, bnd;
};

static bool bounded(unsigned cap)
{
	return prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
}

// What a puppet has before anything is asked for. In a user namespace of its own: all.
static struct caps own_caps(bool new_user)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 } };
	struct caps c = { 0, 0, 0, 0 };
	if (syscall(SYS_capget, &head, data) == 0) {
		c.inh = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
		c.prm = data[0].permitted | (uint64_t)data[1].permitted << 32;
		c.eff = data[0].effective | (uint64_t)data[1].effective << 32;
	}
	for (unsigned i = 0; i < CAPS_MAX; i++)
		if (new_user ? prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0 : bounded(i))
			c.bnd |= UINT64_C(1) << i;
	if (new_user)
		c.prm = c.eff = c.bnd;
	return c;
}

static bool same_groups(const CredsEntry *c)
{
	gid_t *own = malloc((GROUPS_MAX + 1) * sizeof *own);
	int n = own != NULL ? getgroups((int)GROUPS_MAX, own) : -1;
	bool same = n >= 0 && (size_t)n == c->n_groups
		&& (n == 0 || memcmp(own, c->groups, (size_t)n * sizeof *own) == 0);
	free(own);
	return same;
}

static int set_groups(struct crimg_puppet *p, const CredsEntry *c, struct crimg_err *err)
{
	gid_t r, e, s;
	if (c->n_groups > GROUPS_MAX)
		return crimg_fail(err, CRIMG_E_LIMIT, NULL, CRIMG_NO_OFFSET,
		                  "task %u: %zu groups, at most %u wanted", p->shown, c->n_groups,
		                  GROUPS_MAX);
	if (!same_groups(c)
	    && CRIMG_DO(p, err, "its groups", NULL, SYS_setgroups, c->n_groups,
	                crimg_puppet_lend(p, c->groups, c->n_groups * sizeof *c->groups)) < 0)
		return -1;
	if (getresgid(&r, &e, &s) == 0 && r == c->gid && e == c->egid && s == c->sgid
	    && c->fsgid == c->egid)
		return 0;
	if (CRIMG_DO(p, err, "its group", NULL, SYS_setresgid, c->gid, c->egid, c->sgid) < 0)
		return -1;
	return CRIMG_DO(p, err, "its group for files", NULL, SYS_setfsgid, c->fsgid);
}

static bool same_user(const CredsEntry *c)
{
	uid_t r, e, s;
	return getresuid(&r, &e, &s) == 0 && r == c->uid && e == c->euid && s == c->suid
		&& c->fsuid == c->euid;
}

// Capabilities stay as they are while the user changes.
static int set_user(struct crimg_puppet *p, const CredsEntry *c, struct crimg_err *err)
{
	if (same_user(c))
		return 0;
	if (CRIMG_DO(p, err, "keeping capabilities", NULL, SYS_prctl, PR_SET_SECUREBITS,
	             SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS) < 0
	    || CRIMG_DO(p, err, "its user", NULL, SYS_setresuid, c->uid, c->euid, c->suid) < 0)
		return -1;
	return CRIMG_DO(p, err, "its user for files", NULL, SYS_setfsuid, c->fsuid);
}

static int drop_bounds(struct crimg_puppet *p, uint64_t wanted, uint64_t own, struct crimg_err *err)
{
	for (unsigned i = 0; i < CAPS_MAX; i++)
		if ((own & ~wanted) >> i & 1
		    && CRIMG_DO(p, err, "bounding its capabilities", NULL, SYS_prctl, PR_CAPBSET_DROP,
		                i) < 0)
			return -1;
	return 0;
}

// What it had and this kernel knows, but crimg has not and so cannot give.
static void note_lacking(struct crimg_restart *r, const struct crimg_puppet *p, uint64_t lacking)
{
	char text[512];
	uint32_t words[2];
	for (unsigned i = 0; i < CAPS_MAX; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) < 0)
			lacking &= ~(UINT64_C(1) << i);
	words[0] = (uint32_t)lacking;
	words[1] = (uint32_t)(lacking >> 32);
	if (lacking != 0)
		crimg_lines_add(&r->notes, "task %u had capabilities that crimg has not got: it goes on "
		                "without them: %s", p->shown,
		                crimg_caps_text(words, 2, text, sizeof text));
}

static uint64_t wanted_of(struct crimg_restart *r, const struct crimg_actor *a)
{
	const CredsEntry *c = crimg_thread_creds(r->image, a->task, &a->task->threads[0], NULL);
	return c != NULL ? crimg_caps_mask(c->cap_prm, c->n_cap_prm) : 0;
}

static int set_caps(struct crimg_restart *r, const struct crimg_actor *a, struct crimg_puppet *p,
                    const CredsEntry *c, struct crimg_err *err)
{
	struct caps own = own_caps(r->new_user);
	uint64_t wanted = crimg_caps_mask(c->cap_prm, c->n_cap_prm);
	uint64_t inh = crimg_caps_mask(c->cap_inh, c->n_cap_inh) & (own.inh | own.prm);
	uint64_t prm = wanted & own.prm;
	uint64_t eff = crimg_caps_mask(c->cap_eff, c->n_cap_eff) & own.prm;
	uint64_t bnd = crimg_caps_mask(c->cap_bnd, c->n_cap_bnd);
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)eff, (uint32_t)prm, (uint32_t)inh },
		{ (uint32_t)(eff >> 32), (uint32_t)(prm >> 32), (uint32_t)(inh >> 32) },
	};
	// Children mostly have what their mother has.
	if (p == &a->puppets[0] && (a->mother == NULL || wanted_of(r, a->mother) != wanted))
		note_lacking(r, p, wanted & ~own.prm);
	if (drop_bounds(p, bnd, own.bnd, err) < 0)
		return -1;
	uint32_t bits = (uint32_t)prctl(PR_GET_SECUREBITS);
	bool changed = !same_user(c) || bits != c->secbits;
	// This one bit everybody may change.
	bool keeps_alone = same_user(c) && (bits ^ c->secbits) == SECBIT_KEEP_CAPS;
	if (changed && CRIMG_DO(p, err, "its securebits", NULL, SYS_prctl,
	                        keeps_alone ? PR_SET_KEEPCAPS : PR_SET_SECUREBITS,
	                        keeps_alone ? (c->secbits & SECBIT_KEEP_CAPS) != 0 : c->secbits) < 0)
		return -1;
	if (!changed && own.inh == inh && own.prm == prm && own.eff == eff)
		return 0;
	return CRIMG_DO(p, err, "its capabilities", NULL, SYS_capset,
	                crimg_puppet_lend(p, &head, sizeof head),
	                crimg_puppet_lend(p, data, sizeof data));
}

static int raise_ambient(struct crimg_puppet *p, const CredsEntry *c, bool new_user,
                         struct crimg_err *err)
{
	uint64_t wanted = crimg_caps_mask(c->cap_amb, c->n_cap_amb) & own_caps(new_user).prm;
	for (unsigned i = 0; i < CAPS_MAX; i++)
		if (wanted >> i & 1
		    && CRIMG_DO(p, err, "its ambient capabilities", NULL, SYS_prctl, PR_CAP_AMBIENT,
		                PR_CAP_AMBIENT_RAISE, i) < 0)
			return -1;
	return 0;
}

static int add_filter(struct crimg_puppet *p, const SeccompFilter *f, struct crimg_err *err)
{
	struct sock_fprog prog = { .len = (unsigned short)(f->filter.len / sizeof(struct sock_filter)) };
	if (f->filter.len % sizeof(struct sock_filter) != 0 || f->filter.len > CRIMG_LEND_MAX_BYTES / 2)
		return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
		                  "task %u: a filter of system calls of %zu bytes", p->shown,
		                  f->filter.len);
	uint64_t code = crimg_puppet_lend(p, f->filter.data, f->filter.len);
	memcpy(&prog.filter, &code, sizeof code);
	uint64_t flags = f->has_flags ? f->flags & (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW) : 0;
	return CRIMG_DO(p, err, "a filter of system calls", NULL, SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                flags, crimg_puppet_lend(p, &prog, sizeof prog));
}

// The chain is told from its end; it was made, and is made, from its beginning.
static int add_filters(struct crimg_puppet *p, const SeccompEntry *all, uint32_t last,
                       struct crimg_err *err)
{
	for (size_t depth = 0;; depth++) {
		uint32_t at = last;
		size_t length = 0;
		for (bool more = true; more && length <= all->n_seccomp_filters; length++) {
			if (at >= all->n_seccomp_filters)
				return crimg_fail(err, CRIMG_E_FORMAT, NULL, CRIMG_NO_OFFSET,
				                  "task %u: filter %u of system calls is missing", p->shown, at);
			more = all->seccomp_filters[at]->has_prev;
			at = more ? all->seccomp_filters[at]->prev : at;
		}
		if (depth >= length)
			return 0;
		at = last;
		for (size_t i = length - 1; i > depth; i--)
			at = all->seccomp_filters[at]->prev;
		if (add_filter(p, all->seccomp_filters[at], err) < 0)
			return -1;
	}
}

// They work when crimg has let go.
static int set_seccomp(struct crimg_restart *r, struct crimg_puppet *p, const ThreadCoreEntry *t,
                       struct crimg_err *err)
{
	const SeccompEntry *all = crimg_image_get(r->image, CRIMG_KIND_SECCOMP, 0, NULL);
	if (!t->has_seccomp_mode || t->seccomp_mode == SECCOMP_MODE__disabled)
		return 0;
	long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;
	if (ptrace(PTRACE_SETOPTIONS, p->tid, NULL, options) < 0)
		return crimg_fail_sys(err, errno, NULL,
		                      "task %u: keeping its filter of system calls at rest", p->shown);
	if (t->seccomp_mode == SECCOMP_MODE__strict)
		return CRIMG_DO(p, err, "strict mode of system calls", NULL, SYS_prctl, PR_SET_SECCOMP,
		                SECCOMP_MODE_STRICT);
	return all == NULL ? 0 : add_filters(p, all, t->seccomp_filter, err);
}

int crimg_restart_creds(struct crimg_restart *r, struct crimg_actor *a, size_t i,
                        struct crimg_err *err)
{
	struct crimg_puppet *p = &a->puppets[i];
	const struct crimg_thread *thread = &a->task->threads[i];
	const ThreadCoreEntry *t = thread->core->thread_core;
	struct crimg_err damage = CRIMG_ERR_INIT;
	const CredsEntry *c = crimg_thread_creds(r->image, a->task, thread, &damage);
	if (damage.code != CRIMG_OK) {
		*err = damage;
		return -1;
	}
	if (t != NULL && set_seccomp(r, p, t, err) < 0)
		return -1;
	if (c == NULL)
		return crimg_puppet_flush(p, err);
	if (c->has_no_new_privs && c->no_new_privs != 0
	    && CRIMG_DO(p, err, "no new privileges", NULL, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1) < 0)
		return -1;
	if (set_groups(p, c, err) < 0 || set_user(p, c, err) < 0 || set_caps(r, a, p, c, err) < 0
	    || raise_ambient(p, c, r->new_user, err) < 0)
		return -1;
	return crimg_puppet_flush(p, err);
}
