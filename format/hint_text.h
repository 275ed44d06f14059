// The words that crit --pretty uses for numbers, both ways: flags, device numbers, socket and task
// names, addresses, and quoted-printable names. Knows hints; knows nothing of messages or JSON.
#ifndef CRIMG_FORMAT_HINT_TEXT_H
#define CRIMG_FORMAT_HINT_TEXT_H

#include "format/schema.h"

#define CRIMG_HINT_TEXT_MAX 512

// Writes what crit --pretty shows instead of value, for the hints FLAGS_*, DEV, ODEV, DICT_*. field is
// the field's name, by which the dictionaries are chosen. False, out untouched, when the number itself is
// shown (another hint, or a number that the dictionary does not name). out: CRIMG_HINT_TEXT_MAX bytes.
bool crimg_hint_text(enum crimg_hint hint, const char *field, uint64_t value, char *out);

// The number for a text that crimg_hint_text wrote, or for one that Python's int(text, 0) takes ("0x1f",
// "0o17", "-3", "1_000"). False when it is neither, or does not fit. *negative: the value is -*magnitude.
bool crimg_hint_number(enum crimg_hint hint, const char *field, const char *text, bool *negative,
                       uint64_t *magnitude);

// The address whose words (1 or 4, bytes in network order) a repeated field holds, as Python shows it.
// False when count is neither 1 nor 4. out: CRIMG_HINT_TEXT_MAX bytes.
bool crimg_hint_address(const uint32_t *words, size_t count, char *out);
// The words of an address; *count gets 1 or 4. False when text is none.
bool crimg_hint_words(const char *text, uint32_t words[4], size_t *count);

// Appends data as quoted-printable text, as crit shows names of unix sockets. Line ends that this form
// would change (crit loses them) are quoted too, so that the text always gives back the same bytes.
CRIMG_MUST_CHECK int crimg_quoted_encode(const uint8_t *data, size_t length, struct crimg_buf *out,
                                         struct crimg_err *err);
// Appends the bytes that a quoted-printable text stands for. Nothing is refused: a '=' that quotes
// nothing stands for itself.
CRIMG_MUST_CHECK int crimg_quoted_decode(const char *text, size_t length, struct crimg_buf *out,
                                         struct crimg_err *err);

#endif
