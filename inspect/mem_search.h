// The addresses of bytes in memory: view mem with --search.
#ifndef CRIMG_INSPECT_MEM_SEARCH_H
#define CRIMG_INSPECT_MEM_SEARCH_H

#include "inspect/view.h"

// Finds options->search in what options->at names, or everywhere: across pages, layers and neighbouring
// areas, not across bytes that are absent. It must not be zeros alone.
void crimg_mem_search(struct crimg_view *view);

#endif
