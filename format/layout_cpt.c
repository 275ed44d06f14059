// The rows of layout_cpt.def.
#include "format/layout_cpt.h"

const struct crimg_cpt_object_info crimg_cpt_objects[CRIMG_CPT_OBJ_COUNT] = {
#define O(object, number, header, longest, follows)                                           \
	{#object, number, header, longest, CRIMG_CPT_##follows},
#define F(object, field, offset, size)
#define A(object, field, offset, size, count)
#define R(object, field, offset, target)
#define V(object, field, offset, size, version)
#define B(object, field, offset, size, version)
#include "format/layout_cpt.def"
#undef O
#undef F
#undef A
#undef R
#undef V
#undef B
	{"unknown object", UINT32_MAX, CRIMG_CPT_OBJECT_BYTES, CRIMG_CPT_OBJECT_BYTES,
	 CRIMG_CPT_BYTES},
};

#define ROW(object, field, offset, size, count, version, before, reference, target)           \
	{CRIMG_CPT_OBJ_##object, #field, offset, size, count, version, before, reference,     \
	 CRIMG_CPT_OBJ_##target},

const struct crimg_cpt_field_info crimg_cpt_fields[CRIMG_CPT_FIELD_COUNT] = {
#define O(object, number, header, longest, follows)
#define F(object, field, offset, size)                                                        \
	ROW(object, field, offset, size, 1, 0, UINT16_MAX, false, UNKNOWN)
#define A(object, field, offset, size, count)                                                 \
	ROW(object, field, offset, size, count, 0, UINT16_MAX, false, UNKNOWN)
#define R(object, field, offset, target)                                                      \
	ROW(object, field, offset, 8, 1, 0, UINT16_MAX, true, target)
#define V(object, field, offset, size, version)                                               \
	ROW(object, field, offset, size, 1, version, UINT16_MAX, false, UNKNOWN)
#define B(object, field, offset, size, version)                                               \
	ROW(object, field, offset, size, 1, 0, version, false, UNKNOWN)
#include "format/layout_cpt.def"
};
