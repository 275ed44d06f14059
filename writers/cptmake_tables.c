// Descriptor tables and directories of tasks.
#include "writers/cptmake_file.h"

static int put_table(struct cptmake *k, const struct crimg_task *task, struct cptmake_place *p,
		     uint32_t number, struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_FILES, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	struct crimg_list fds;
	if (crimg_task_list(k->image, task, CRIMG_PART_FDS, &fds, err) < 0)
		return -1;
	cptmake_set(&o, CRIMG_CPT_FILES_INDEX, number);
	cptmake_set(&o, CRIMG_CPT_FILES_MAX_FDS, 256);
	if (cptmake_begin(k, &o, &mark, err) < 0)
		return -1;
	for (size_t i = 0; i < fds.count; i++) {
		const FdinfoEntry *e = fds.items[i];
		struct cptmake_object d =
			cptmake_new(CRIMG_CPT_OBJ_FILEDESC, CRIMG_CPT_CONTENT_VOID);
		uint64_t at = cptmake_at(&k->opened, e->id);
		if (at == CRIMG_CPT_NONE)
			continue; // the file was left out, and that was told
		cptmake_set(&d, CRIMG_CPT_FILEDESC_FD, e->fd);
		cptmake_set(&d, CRIMG_CPT_FILEDESC_FLAGS, e->flags & 1);
		cptmake_set(&d, CRIMG_CPT_FILEDESC_FILE, at);
		if (cptmake_put(k, &d, NULL, 0, err) < 0)
			return -1;
	}
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

static int put_directory(struct cptmake *k, uint32_t id, struct crimg_err *err)
{
	const struct crimg_file *f = crimg_files_find(&k->files, id);
	const RegFileEntry *reg = f != NULL && f->type == FD_TYPES__REG ? f->message : NULL;
	const struct cptmake_file what = {
		.path = reg != NULL ? reg->name : "/",
		.flags = reg != NULL ? reg->flags : 0,
		.mode = 0040755,
	};
	struct cptmake_mark mark;
	return cptmake_begin_file(k, &what, f, &mark, err) < 0 ? -1 : cptmake_end(k, mark, err);
}

static int put_fs(struct cptmake *k, const struct crimg_task *task, struct cptmake_place *p,
		  struct crimg_err *err)
{
	struct cptmake_object o = cptmake_new(CRIMG_CPT_OBJ_FS, CRIMG_CPT_CONTENT_ARRAY);
	struct cptmake_mark mark;
	cptmake_set(&o, CRIMG_CPT_FS_UMASK, task->fs->has_umask ? task->fs->umask : 022);
	if (cptmake_begin(k, &o, &mark, err) < 0 || put_directory(k, task->fs->root_id, err) < 0
	    || put_directory(k, task->fs->cwd_id, err) < 0)
		return -1;
	p->at = mark.at;
	return cptmake_end(k, mark, err);
}

static struct cptmake_place *shared_of(const struct cptmake *k, const struct crimg_task *t,
				       enum crimg_cpt_object kind)
{
	if (t->ids == NULL)
		return NULL;
	uint32_t id = kind == CRIMG_CPT_OBJ_FILES ? t->ids->files_id : t->ids->fs_id;
	struct cptmake_place *p = cptmake_map_find(&k->shared, CPTMAKE_KEY(kind, id));
	return p != NULL && p->at == 0 ? p : NULL;
}

int cptmake_tables(struct cptmake *k, struct crimg_err *err)
{
	if (cptmake_section(k, CRIMG_CPT_SECT_FILES_STRUCT, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		struct cptmake_place *p = shared_of(k, &k->tasks.list[i], CRIMG_CPT_OBJ_FILES);
		if (p != NULL && put_table(k, &k->tasks.list[i], p, (uint32_t)i, err) < 0)
			return -1;
	}
	if (cptmake_section_end(k, err) < 0 || cptmake_section(k, CRIMG_CPT_SECT_FS, err) < 0)
		return -1;
	for (size_t i = 0; i < k->tasks.count; i++) {
		struct cptmake_place *p = shared_of(k, &k->tasks.list[i], CRIMG_CPT_OBJ_FS);
		if (p != NULL && k->tasks.list[i].fs != NULL
		    && put_fs(k, &k->tasks.list[i], p, err) < 0)
			return -1;
	}
	return cptmake_section_end(k, err);
}
