// Putting a line together from pieces.
#include "format/text_add.h"

#include <stdio.h>
#include <string.h>

void crimg_text_add(char *out, size_t size, const char *fmt, ...)
{
	size_t used = strnlen(out, size);
	va_list ap;
	va_start(ap, fmt);
	if (used < size)
		vsnprintf(out + used, size - used, fmt, ap);
	va_end(ap);
}
