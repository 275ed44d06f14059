// Member names are UTF-8 whatever the user's locale: libarchive asks the locale of the calling thread,
// so each call that handles names is made between these two.
#ifndef CRIMG_FORMAT_UTF8_LOCALE_H
#define CRIMG_FORMAT_UTF8_LOCALE_H

#include <locale.h>

// The C locale with UTF-8 names; (locale_t)0 where the system has none: then names other than ASCII
// may be refused. Free with freelocale().
static inline locale_t crimg_utf8_make(void)
{
	return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

// Returns what crimg_utf8_leave wants back.
static inline locale_t crimg_utf8_enter(locale_t utf8)
{
	return utf8 == (locale_t)0 ? (locale_t)0 : uselocale(utf8);
}

static inline void crimg_utf8_leave(locale_t before)
{
	if (before != (locale_t)0)
		uselocale(before);
}

#endif
