// The table of field_rules.def.
#include "diff/field_rules.h"

#include <string.h>

enum crimg_reference crimg_rule_reference(enum crimg_rule rule)
{
	static const enum crimg_reference rows[] = {
		[CRIMG_RULE_OBJECT] = CRIMG_REF_OBJECT,   [CRIMG_RULE_NAMESPACE] = CRIMG_REF_NAMESPACE,
		[CRIMG_RULE_PID] = CRIMG_REF_PID,         [CRIMG_RULE_PIPE] = CRIMG_REF_PIPE,
		[CRIMG_RULE_INODE] = CRIMG_REF_INODE,     [CRIMG_RULE_MOUNT] = CRIMG_REF_MOUNT,
		[CRIMG_RULE_DEVICE] = CRIMG_REF_DEVICE,   [CRIMG_RULE_PEERS] = CRIMG_REF_PEERS,
		[CRIMG_RULE_SEGMENT] = CRIMG_REF_SEGMENT, [CRIMG_RULE_MEMFD] = CRIMG_REF_MEMFD,
		[CRIMG_RULE_TTY] = CRIMG_REF_TTY,         [CRIMG_RULE_BPF] = CRIMG_REF_BPF,
		[CRIMG_RULE_PORT] = CRIMG_REF_PORT,
	};
	return rows[rule];
}

#define GROUP_SAME CRIMG_DIFF_GROUPS
#define GROUP_PROCESSES CRIMG_DIFF_PROCESSES
#define GROUP_CREDENTIALS CRIMG_DIFF_CREDENTIALS
#define GROUP_SIGNALS CRIMG_DIFF_SIGNALS
#define GROUP_LIMITS CRIMG_DIFF_LIMITS
#define GROUP_NAMESPACES CRIMG_DIFF_NAMESPACES
#define GROUP_CGROUPS CRIMG_DIFF_CGROUPS
#define GROUP_MAPPINGS CRIMG_DIFF_MAPPINGS

static const struct crimg_rule_row rule_rows[] = {
#define R(message, field, rule, group)                                                               \
	{ &message##__descriptor, #field, CRIMG_RULE_##rule, GROUP_##group },
#include "diff/field_rules.def"
#undef R
};

const struct crimg_rule_row *crimg_field_rule(const ProtobufCMessageDescriptor *type, const char *field)
{
	static const struct crimg_rule_row plain = { NULL, NULL, CRIMG_RULE_PLAIN, GROUP_SAME };
	for (size_t i = 0; i < sizeof rule_rows / sizeof rule_rows[0]; i++)
		if (rule_rows[i].type == type && strcmp(rule_rows[i].field, field) == 0)
			return &rule_rows[i];
	return &plain;
}

const ProtobufCFieldDescriptor *crimg_list_key(const ProtobufCMessageDescriptor *type)
{
	for (unsigned i = 0; i < type->n_fields; i++)
		if (crimg_field_rule(type, type->fields[i].name)->rule == CRIMG_RULE_KEY)
			return &type->fields[i];
	return NULL;
}
