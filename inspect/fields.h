// Every field of a message, by its descriptor: names for numbers where the hints say so, unknown
// fields too. Text as an indented list, JSON as members of the object that is open.
#ifndef CRIMG_INSPECT_FIELDS_H
#define CRIMG_INSPECT_FIELDS_H

#include "inspect/view.h"

// indent: blanks before each line of text. Long lists are abridged in text unless options->all.
void crimg_fields_show(struct crimg_view *view, const ProtobufCMessage *message, unsigned indent);

#endif
