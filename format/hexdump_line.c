// Made by hand: a dump of memory has millions of lines.
#include "format/hexdump_line.h"

static const char hex_digits[] = "0123456789abcdef";

unsigned crimg_address_digits(bool is_32)
{
	return is_32 ? 8 : 12;
}

char *crimg_hexdump_address(char *p, unsigned digits, uint64_t address)
{
	while (digits < 16 && address >> 4 * digits != 0)
		digits++;
	for (unsigned i = digits; i-- > 0;)
		*p++ = hex_digits[address >> 4 * i & 15];
	return p;
}

size_t crimg_hexdump_line(char out[CRIMG_HEXDUMP_LINE_MAX], unsigned digits, uint64_t address,
                          const uint8_t *data, size_t length)
{
	char *p = crimg_hexdump_address(out, digits, address);
	*p++ = ' ';
	for (size_t i = 0; i < CRIMG_HEXDUMP_BYTES; i++) {
		if (i % 8 == 0)
			*p++ = ' ';
		*p++ = i < length ? hex_digits[data[i] >> 4] : ' ';
		*p++ = i < length ? hex_digits[data[i] & 15] : ' ';
		*p++ = ' ';
	}
	*p++ = ' ';
	*p++ = '|';
	for (size_t i = 0; i < length; i++)
		*p++ = data[i] >= 0x20 && data[i] < 0x7f ? (char)data[i] : '.';
	*p++ = '|';
	return (size_t)(p - out);
}
