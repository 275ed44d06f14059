#include "validate/meaning.h"

bool crimg_task_is_32(const struct crimg_task *task)
{
	if (task->core == NULL || task->core->thread_info == NULL)
		return false;
	const UserX86RegsEntry *r = task->core->thread_info->gpregs;
	return r->cs == CRIMG_USER_CODE_32 && (!r->has_mode || r->mode == USER_X86_REGS_MODE__COMPAT);
}

struct crimg_space crimg_checker_space(struct crimg_checker *c, const struct crimg_task *task)
{
	struct crimg_space space = { .areas = NULL };
	struct crimg_err told = CRIMG_ERR_INIT;
	if (crimg_space_load(c->image, &c->files, task, &space, &told) < 0
	    && told.code == CRIMG_E_NOMEM)
		crimg_checker_damage(c, &told);
	return space;
}

bool crimg_space_is_code(const struct crimg_space *space, uint64_t address)
{
	const struct crimg_area *area = crimg_space_find(space, address);
	return area != NULL && (area->vma->prot & CRIMG_PROT_EXEC) != 0;
}

void crimg_checker_threads(struct crimg_checker *c, bool with_space, crimg_thread_fn *fn)
{
	for (size_t t = 0; t < c->tasks.count; t++) {
		const struct crimg_task *task = &c->tasks.list[t];
		if (task->thread_count == 0)
			continue;
		struct crimg_space space = { .areas = NULL };
		if (with_space)
			space = crimg_checker_space(c, task);
		for (size_t i = 0; i < task->thread_count; i++)
			if (task->threads[i].core != NULL)
				fn(c, task, &task->threads[i], with_space ? &space : NULL);
		crimg_space_fini(&space);
	}
}
