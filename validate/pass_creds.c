// The meaning of credentials: what setresuid, setgroups, capset and prctl would take.
#include <inttypes.h>
#include <stddef.h>

#include "validate/meaning.h"

#define NO_NUMBER UINT32_MAX // "leave it as it is" to setresuid(2), an error to setgroups(2)
#define CAPABILITY_WORDS 2u
#define SECURE_BITS_KNOWN 0xfffu

struct creds {
	struct crimg_checker *c;
	const struct crimg_task *task;
	const struct crimg_thread *thread;
	const CredsEntry *entry;
};

static struct crimg_place place(const struct creds *k, const char *field)
{
	const ThreadCoreEntry *t = k->thread->core->thread_core;
	if (t != NULL && t->creds == k->entry)
		return crimg_place_of(k->c, CRIMG_KIND_CORE, k->thread->tid, "thread_core.creds.%s", field);
	return crimg_place_of(k->c, CRIMG_KIND_CREDS, k->task->pid, "%s", field);
}

static void check_numbers(const struct creds *k)
{
	const CredsEntry *e = k->entry;
	const struct { const char *name; uint32_t value; } numbers[] = {
		{ "uid", e->uid },   { "euid", e->euid }, { "suid", e->suid }, { "fsuid", e->fsuid },
		{ "gid", e->gid },   { "egid", e->egid }, { "sgid", e->sgid }, { "fsgid", e->fsgid },
	};
	const char *wrong = NULL;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && wrong == NULL; i++)
		if (numbers[i].value == NO_NUMBER)
			wrong = numbers[i].name;
	for (size_t i = 0; i < e->n_groups && wrong == NULL; i++)
		if (e->groups[i] == NO_NUMBER)
			wrong = "groups";
	if (wrong == NULL)
		return;
	struct crimg_place p = place(k, wrong);
	CRIMG_FIND(k->c, USER_NUMBER, &p, "%u found, which is no number", NO_NUMBER);
}

// 0 for sets that are not told: cap_amb before 4.1.
static uint64_t capabilities(const uint32_t *words, size_t count)
{
	return count < CAPABILITY_WORDS ? 0 : words[0] | (uint64_t)words[1] << 32;
}

static bool check_words(const struct creds *k, const char *name, size_t count, bool optional)
{
	if (count == CAPABILITY_WORDS || (optional && count == 0))
		return true;
	struct crimg_place p = place(k, name);
	if (count < CAPABILITY_WORDS)
		CRIMG_FIND(k->c, CAPABILITY_WORDS, &p, "%zu words found, %u wanted", count,
		           CAPABILITY_WORDS);
	else
		CRIMG_FIND(k->c, TASK_ODD, &p, "%zu words found, %u wanted: the rest says nothing", count,
		           CAPABILITY_WORDS);
	return count > CAPABILITY_WORDS;
}

static void check_within(const struct creds *k, const char *name, uint64_t set, uint64_t limit)
{
	if ((set & ~limit) == 0)
		return;
	struct crimg_place p = place(k, name);
	CRIMG_FIND(k->c, CAPABILITIES, &p, "0x%" PRIx64 " found, none but those of 0x%" PRIx64 " wanted",
	           set, limit);
}

static void check_capabilities(const struct creds *k)
{
	const CredsEntry *e = k->entry;
	bool told = check_words(k, "cap_inh", e->n_cap_inh, false);
	told = check_words(k, "cap_prm", e->n_cap_prm, false) && told;
	told = check_words(k, "cap_eff", e->n_cap_eff, false) && told;
	told = check_words(k, "cap_bnd", e->n_cap_bnd, false) && told;
	told = check_words(k, "cap_amb", e->n_cap_amb, true) && told;
	if (!told)
		return;
	uint64_t permitted = capabilities(e->cap_prm, e->n_cap_prm);
	check_within(k, "cap_eff", capabilities(e->cap_eff, e->n_cap_eff), permitted);
	check_within(k, "cap_amb", capabilities(e->cap_amb, e->n_cap_amb),
	             permitted & capabilities(e->cap_inh, e->n_cap_inh));
}

static void check_bits(const struct creds *k)
{
	const CredsEntry *e = k->entry;
	if ((e->secbits & ~SECURE_BITS_KNOWN) != 0) {
		struct crimg_place p = place(k, "secbits");
		CRIMG_FIND(k->c, SECURE_BITS, &p, "0x%x found, no bits but 0x%x wanted", e->secbits,
		           SECURE_BITS_KNOWN);
	}
	if (e->has_no_new_privs && e->no_new_privs > 1) {
		struct crimg_place p = place(k, "no_new_privs");
		CRIMG_FIND(k->c, NO_NEW_PRIVS, &p, "%u found, 0 or 1 wanted", e->no_new_privs);
	}
}

static void check_thread(struct crimg_checker *c, const struct crimg_task *task,
                         const struct crimg_thread *thread, const struct crimg_space *space)
{
	(void)space;
	struct creds k = { c, task, thread, crimg_thread_creds(c->image, task, thread, NULL) };
	if (k.entry != NULL) {
		check_numbers(&k);
		check_capabilities(&k);
		check_bits(&k);
	} else if (task->ids != NULL && thread->core->thread_core != NULL) { // ELF cores do not tell
		struct crimg_place p = crimg_place_of(c, CRIMG_KIND_CORE, thread->tid, "%s", "");
		CRIMG_FIND(c, PART_MISSING, &p, "thread %u has no credentials", thread->tid);
	}
}

void crimg_pass_creds(struct crimg_checker *c)
{
	crimg_checker_threads(c, false, check_thread);
}
