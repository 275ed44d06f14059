// The namer that format/address_namer.h promises, made of a debuggee: that of the task asked about last.
#include "format/address_namer.h"

#include <stdlib.h>

#include "inspect/debuggee.h"

struct crimg_address_namer {
	struct crimg_view_options options;
	struct crimg_view view;
	struct crimg_debuggee debuggee;
	bool open;
};

struct crimg_address_namer *crimg_address_namer_open(struct crimg_image *image,
                                                     const struct crimg_tasks *tasks,
                                                     const struct crimg_files *files,
                                                     const char *sysroot)
{
	struct crimg_address_namer *n = calloc(1, sizeof *n);
	if (n == NULL)
		return NULL;
	n->options = (struct crimg_view_options){ .path = image->path, .sysroot = sysroot };
	n->view = (struct crimg_view){ .options = &n->options, .image = image, .tasks = *tasks,
		                       .files = *files };
	return n;
}

static bool turn_to(struct crimg_address_namer *n, const struct crimg_task *task)
{
	if (n->open && n->debuggee.task == task)
		return true;
	if (n->open)
		crimg_debuggee_close(&n->debuggee);
	n->open = crimg_debuggee_open(&n->view, task, &n->debuggee);
	return n->open;
}

char *crimg_address_name(struct crimg_address_namer *n, const struct crimg_task *task,
                         uint64_t address, char *out, size_t size)
{
	out[0] = '\0';
	return turn_to(n, task) ? crimg_debuggee_text(&n->debuggee, address, out, size) : out;
}

void crimg_address_namer_close(struct crimg_address_namer *n)
{
	if (n == NULL)
		return;
	if (n->open)
		crimg_debuggee_close(&n->debuggee);
	crimg_sysroot_close(n->view.sysroot);
	free(n);
}
