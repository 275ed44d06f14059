// View mem: bytes at an address, or the addresses of bytes.
#include "format/checked.h"
#include "inspect/mem_dump.h"
#include "inspect/mem_search.h"
#include "inspect/table.h"

#define DEFAULT_BYTES 256u

static void dump(void *context, const struct crimg_memory_range *range)
{
	const struct crimg_view *view = context;
	if (view->options->raw)
		crimg_mem_dump_raw(range);
	else if (view->json != NULL)
		crimg_mem_dump_json(range);
	else
		crimg_mem_dump_text(range);
}

static void nothing(void *context, const struct crimg_memory_range *range)
{
	(void)context;
	(void)range;
}

// Options that do not go together, or are too few. False with view->fault set.
static bool options_fit(struct crimg_view *view)
{
	const struct crimg_view_options *o = view->options;
	const char *why = NULL;
	if (o->at == NULL && o->search == NULL)
		why = "mem wants --at WHERE or --search: `crimg inspect IMAGE maps` lists what is mapped";
	else if (o->raw && (view->json != NULL || o->search != NULL))
		why = "--raw gives bytes: it goes with neither --json nor --search";
	else if (o->raw && view->begun)
		why = "--raw gives bytes: ask for no other view with it";
	else if (o->search != NULL && crimg_all_zero(o->search, o->search_length))
		why = "zeros are everywhere: search for something else";
	if (why != NULL)
		crimg_fail(&view->fault, CRIMG_E_USAGE, NULL, CRIMG_NO_OFFSET, "%s", why);
	return why == NULL;
}

static bool one_process(struct crimg_view *view)
{
	size_t count = crimg_memory_ranges(view, DEFAULT_BYTES, nothing, NULL);
	if (count > 1)
		crimg_fail(&view->fault, CRIMG_E_USAGE, view->options->path, CRIMG_NO_OFFSET,
		           "--at %s: %zu processes have it: -p PID wanted with --raw",
		           view->options->at, count);
	return count == 1;
}

void crimg_view_mem(struct crimg_view *view)
{
	if (!options_fit(view))
		return;
	if (view->options->search != NULL) {
		crimg_mem_search(view);
		return;
	}
	if (view->options->raw && !one_process(view))
		return;
	if (view->json != NULL)
		crimg_group_array(view, "mem");
	crimg_memory_ranges(view, DEFAULT_BYTES, dump, view);
	crimg_group_end(view);
}
