// What the notes of an ELF core say beyond CRIU's messages: who made it, and what its process died of.
#include <string.h>

#include "format/checked.h"
#include "format/layout_elfcore.h"
#include "format/names.h"
#include "format/siginfo.h"
#include "inspect/summary.h"

bool crimg_summary_is_core(const struct crimg_view *view)
{
	return crimg_image_first(view->image, CRIMG_KIND_ELF_NOTES) != NULL;
}

static const ElfNoteEntry *find_note(struct crimg_view *view, const char *owner, uint32_t type)
{
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_ELF_NOTES);
	const ElfNoteEntry *n;
	while ((n = crimg_image_walk(view->image, &walk, &view->damage)) != NULL)
		if (n->type == type && strcmp(n->name, owner) == 0)
			return n;
	return NULL;
}

// gdb begins with the process, the kernel with the thread that died.
void crimg_summary_core_maker(struct crimg_table *t)
{
	static const char *const of_criu[] = { "criu_version", "criu_at_least", "criu_before", "run_id",
		                               "kernel" };
	struct crimg_image_walk walk = crimg_image_walk_make(CRIMG_KIND_ELF_NOTES);
	const ElfNoteEntry *first = crimg_image_walk(t->view->image, &walk, &t->view->damage);
	for (size_t i = 0; i < sizeof of_criu / sizeof of_criu[0]; i++) {
		crimg_field(t, of_criu[i], NULL);
		crimg_cell_text(t, NULL);
	}
	crimg_field(t, NULL, "made by");
	crimg_cell_text(t, first != NULL && first->type == CRIMG_NT_PRPSINFO
		? "gdb (gcore)" : "the kernel, or a program that writes cores as it does");
}

// The layout of i386 lacks four bytes of padding behind the three numbers.
static bool decode(const ElfNoteEntry *n, bool is_32, struct crimg_siginfo *out)
{
	uint8_t wide[CRIMG_SIGINFO_BYTES + 4] = { 0 };
	if (!is_32)
		return crimg_siginfo_decode(n->desc.data, n->desc.len, out);
	if (n->desc.len != CRIMG_SIGINFO_BYTES)
		return false;
	memcpy(wide, n->desc.data, 12);
	memcpy(wide + 16, n->desc.data + 12, CRIMG_SIGINFO_BYTES - 12);
	if (!crimg_siginfo_decode(wide, sizeof wide, out))
		return false;
	out->address = (uint32_t)out->address;
	return true;
}

// The thread that comes first is the one that a signal ended, if one did.
void crimg_summary_core_signal(struct crimg_table *t)
{
	struct crimg_view *v = t->view;
	const ElfNoteEntry *status = find_note(v, "CORE", CRIMG_NT_PRSTATUS);
	const ElfNoteEntry *info = find_note(v, "CORE", CRIMG_NT_SIGINFO);
	if (status == NULL || status->desc.len < CRIMG_PRSTATUS_BYTES(true))
		return;
	bool is_32 = status->desc.len == CRIMG_PRSTATUS_BYTES(true);
	uint32_t number = crimg_get_u16(status->desc.data + CRIMG_PRSTATUS_CURSIG);
	struct crimg_siginfo s = { .signo = 0 };
	char name[32], code[32], text[128] = "";
	bool known = number != 0 && info != NULL && info->tid == status->tid && decode(info, is_32, &s)
		&& (uint32_t)s.signo == number;
	if (known)
		crimg_siginfo_text(&s, text, sizeof text);
	crimg_field(t, "signal", NULL);
	crimg_cell_text(t, number != 0 ? crimg_signal_text(number, name, sizeof name) : NULL);
	crimg_field(t, "signal_code", NULL);
	crimg_cell_text(t, known ? crimg_siginfo_code(&s, code, sizeof code) : NULL);
	crimg_field(t, "signal_detail", NULL);
	crimg_cell_text(t, text[0] != '\0' ? text : NULL);
	crimg_field(t, "signal_thread", number != 0 ? "died of" : NULL);
	if (v->json != NULL)
		crimg_cell_u64(t, status->tid);
	else
		crimg_cell_textf(t, "%s%s%s%s%s, thread %u", crimg_signal_text(number, name, sizeof name),
		                 known ? " " : "", known ? crimg_siginfo_code(&s, code, sizeof code) : "",
		                 text[0] != '\0' ? " " : "", text, status->tid);
}
