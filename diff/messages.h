// Two messages, field by field, by their descriptor and the rules of field_rules.def.
#ifndef CRIMG_DIFF_MESSAGES_H
#define CRIMG_DIFF_MESSAGES_H

#include "diff/tell.h"

// Tells what differs. field is the path that stands in front of the messages' fields; NULL: none. When one
// of the messages is NULL it came or went, which is told as one change; both may be.
void crimg_compare_messages(const struct crimg_scope *s, const char *field, const void *a,
                            const void *b);
// Lists of messages of one type, matched by their KEY when they have one, else by place.
void crimg_compare_lists(const struct crimg_scope *s, const char *field,
                         const struct crimg_list *a, const struct crimg_list *b);

#endif
