#include "inspect/module_lines.h"

#include <stdlib.h>
#include <unistd.h>

#include "inspect/line_table.h"

struct crimg_module_table {
	bool tried;
	struct crimg_line_table lines;
	Elf *separate;           // owned, with its descriptor; NULL: the module's own file is enough
	int fd;
};

int crimg_module_lines_init(struct crimg_module_lines *l, struct crimg_debuggee *d,
                            struct crimg_err *err)
{
	struct crimg_module_table *tables = calloc(d->module_count + 1, sizeof *tables);
	if (tables == NULL)
		return crimg_fail_nomem(err, d->module_count * sizeof *tables);
	*l = (struct crimg_module_lines){ .d = d, .tables = tables };
	return 0;
}

static void close_separate(struct crimg_module_table *t)
{
	if (t->separate == NULL)
		return;
	elf_end(t->separate);
	close(t->fd);
	t->separate = NULL;
}

void crimg_module_lines_fini(struct crimg_module_lines *l)
{
	for (size_t i = 0; l->tables != NULL && i < l->d->module_count; i++) {
		crimg_line_table_fini(&l->tables[i].lines);
		close_separate(&l->tables[i]);
	}
	free(l->tables);
	l->tables = NULL;
}

static void open_separate(struct crimg_view *view, Elf *elf, struct crimg_module_table *t)
{
	uint8_t id[CRIMG_MAX_BUILD_ID];
	size_t length = crimg_elf_build_id(elf, id, sizeof id);
	t->fd = length > 0 ? crimg_sysroot_debug_file(view, id, length) : -1;
	if (t->fd < 0)
		return;
	t->separate = crimg_elf_open(t->fd);
	if (t->separate == NULL)
		close(t->fd);
}

// Of a file with its debug information apart, the rest has none.
static void open_table(struct crimg_module_lines *l, Elf *elf, struct crimg_module_table *t)
{
	struct crimg_err ignored = CRIMG_ERR_INIT; // lines are an extra
	if (crimg_line_table_init(&t->lines, elf, &ignored) < 0 || t->lines.count > 0)
		return;
	open_separate(l->d->view, elf, t);
	if (t->separate != NULL && crimg_line_table_init(&t->lines, t->separate, &ignored) < 0)
		close_separate(t);
}

uint32_t crimg_module_line(struct crimg_module_lines *l, uint64_t address, char *file, size_t size)
{
	struct crimg_module *m = crimg_debuggee_module(l->d, address);
	if (m == NULL || m->elf == NULL)
		return 0;
	struct crimg_module_table *t = &l->tables[m - l->d->modules];
	if (!t->tried)
		open_table(l, m->elf, t);
	t->tried = true;
	return crimg_line_table_find(&t->lines, address - m->bias, file, size);
}
