// What a task's record is put together from.
#ifndef CRIMG_WRITERS_CPTMAKE_TASK_H
#define CRIMG_WRITERS_CPTMAKE_TASK_H

#include "writers/cptmake.h"

// The registers of a thread; what becomes of an interrupted call is said to the ledger.
CRIMG_MUST_CHECK int cptmake_regs(struct cptmake *k, uint32_t tid, const ThreadInfoX86 *info,
				  struct crimg_err *err);
CRIMG_MUST_CHECK int cptmake_no_regs(struct cptmake *k, struct crimg_err *err); // of a zombie: zeros
// Slots of thread-local storage, into the header of its TASK.
CRIMG_MUST_CHECK int cptmake_tls(struct cptmake_object *o, uint32_t tid, const ThreadInfoX86 *info,
				 struct crimg_err *err);

// Pending signals (SiginfoEntry), each an object; and as a set.
CRIMG_MUST_CHECK int cptmake_siginfos(struct cptmake *k, const struct crimg_list *list,
				      struct crimg_err *err);
uint64_t cptmake_signal_set(const struct crimg_list *list);

#endif
