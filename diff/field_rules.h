// How fields are compared that are not plainly the same or different.
#ifndef CRIMG_DIFF_FIELD_RULES_H
#define CRIMG_DIFF_FIELD_RULES_H

#include "diff/change.h"
#include "diff/references.h"

// See field_rules.def. Those from OBJECT on are references to be looked up by number.
enum crimg_rule {
	CRIMG_RULE_PLAIN, CRIMG_RULE_SKIP, CRIMG_RULE_FOLD, CRIMG_RULE_LEFT, CRIMG_RULE_KEY, CRIMG_RULE_FILE, CRIMG_RULE_CGROUPS, CRIMG_RULE_FILTER,
	CRIMG_RULE_OBJECT, CRIMG_RULE_NAMESPACE, CRIMG_RULE_PID, CRIMG_RULE_PIPE, CRIMG_RULE_INODE, CRIMG_RULE_MOUNT, CRIMG_RULE_DEVICE, CRIMG_RULE_PEERS,
	CRIMG_RULE_SEGMENT, CRIMG_RULE_MEMFD, CRIMG_RULE_TTY, CRIMG_RULE_BPF, CRIMG_RULE_PORT,
};

struct crimg_rule_row {
	const ProtobufCMessageDescriptor *type;
	const char *field;
	enum crimg_rule rule;
	enum crimg_diff_group group; // CRIMG_DIFF_GROUPS: that of the message
};

// The row of a field; a plain one when the table has none.
const struct crimg_rule_row *crimg_field_rule(const ProtobufCMessageDescriptor *type, const char *field);
// The field that elements of a list of such messages are matched by, or NULL.
const ProtobufCFieldDescriptor *crimg_list_key(const ProtobufCMessageDescriptor *type);
// What a reference of this rule refers to.
enum crimg_reference crimg_rule_reference(enum crimg_rule rule);

#endif
