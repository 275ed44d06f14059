#include "inspect/request.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/terminal.h"

#include "inspect/answer.h"

int crimg_inspect_complain(const char *text)
{
	fprintf(stderr, "crimg inspect: %s\n", text);
	return 2;
}

int crimg_inspect_complain_err(const struct crimg_err *err)
{
	char text[2 * (CRIMG_ERR_SOURCE_MAX + CRIMG_ERR_TEXT_MAX)];
	crimg_err_format(err, text, sizeof text);
	return crimg_inspect_complain(text);
}

static int usage_error(const char *what, const char *value)
{
	char shown[256], text[512];
	crimg_safe_text(shown, sizeof shown, value, strlen(value));
	snprintf(text, sizeof text, "%s: %s (`crimg inspect --help` tells more)", what, shown);
	return crimg_inspect_complain(text);
}

static int help(void)
{
	fputs("usage: crimg inspect [options] IMAGE [VIEW...]\n\n"
	      "Shows what is in a checkpoint. IMAGE is a directory, an archive, a file, or - for "
	      "standard\n"
	      "input. Without VIEW: summary.\n\n",
	      stdout);
	for (size_t i = 0; crimg_views[i].name != NULL; i++)
		printf("  %-11s %s\n", crimg_views[i].name, crimg_views[i].summary);
	fputs("\n  -p PID           only this process\n"
	      "  -t TID           only this thread (and its process)\n"
	      "  -f FORMAT        do not probe the format (`crimg formats` lists them)\n"
	      "  --at WHERE       mem, code, strings: ADDR, ADDR+LEN, or a name and perhaps +OFFSET:\n"
	      "                   a mapping ([stack], libc.so.6), a symbol (main), a register ($rsp)\n"
	      "  --sysroot DIR    take mapped files and debug files from DIR when they are the same\n"
	      "  --raw            mem: the bytes themselves\n"
	      "  --search HEX     mem: find these bytes; --search-text TEXT; --search-u64 NUMBER\n"
	      "  --min N          strings: at least N characters (default 6)\n"
	      "  --syntax S       code: att (default) or intel\n"
	      "  --limit N        code: N instructions; mem: N hits; stack: N frames\n"
	      "  --json           one JSON object, schema crimg.inspect/1\n"
	      "  --all            nothing abridged\n"
	      "  --color=WHEN     auto (default), always, never; NO_COLOR is respected\n"
	      "  --width N        cut lines at N columns, 0 never (default: the terminal's)\n"
	      "  -h, --help       this text\n\n"
	      "Exit: 0 shown; 2 trouble: the image is damaged or incomplete (what is readable is "
	      "shown), or\n"
	      "cannot be read.\n",
	      stdout);
	return 0;
}

static bool read_u32(const char *text, uint32_t *out)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

enum {
	OPT_JSON = 256, OPT_ALL, OPT_COLOR, OPT_WIDTH, OPT_AT, OPT_SYSROOT, OPT_RAW, OPT_SEARCH,
	OPT_SEARCH_TEXT, OPT_SEARCH_U64, OPT_MIN, OPT_SYNTAX, OPT_LIMIT,
};

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },      { "tid", required_argument, NULL, 't' },
	{ "format", required_argument, NULL, 'f' },   { "json", no_argument, NULL, OPT_JSON },
	{ "all", no_argument, NULL, OPT_ALL },        { "color", required_argument, NULL, OPT_COLOR },
	{ "width", required_argument, NULL, OPT_WIDTH }, { "help", no_argument, NULL, 'h' },
	{ "at", required_argument, NULL, OPT_AT },    { "sysroot", required_argument, NULL, OPT_SYSROOT },
	{ "raw", no_argument, NULL, OPT_RAW },        { "search", required_argument, NULL, OPT_SEARCH },
	{ "search-text", required_argument, NULL, OPT_SEARCH_TEXT },
	{ "search-u64", required_argument, NULL, OPT_SEARCH_U64 },
	{ "min", required_argument, NULL, OPT_MIN },  { "syntax", required_argument, NULL, OPT_SYNTAX },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ NULL, 0, NULL, 0 },
};

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// "deadbeef", "de ad be ef": an even number of digits.
static bool read_hex(const char *text, struct crimg_buf *out)
{
	for (; *text != '\0'; text++) {
		if (*text == ' ')
			continue;
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		uint8_t byte = (uint8_t)(high << 4 | low);
		if (low < 0 || crimg_buf_append(out, &byte, 1, NULL) < 0)
			return false;
		text++;
	}
	return out->length > 0;
}

static bool read_u64_bytes(const char *text, struct crimg_buf *out)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
		return false;
	return crimg_buf_u64(out, value, NULL) == 0;
}

// 0, or the exit code + 1.
static int take_search(struct crimg_inspect_request *r, int option)
{
	struct crimg_buf *b = &r->search;
	bool good = option == OPT_SEARCH ? read_hex(optarg, b)
		: option == OPT_SEARCH_U64 ? read_u64_bytes(optarg, b)
		: optarg[0] != '\0' && crimg_buf_append(b, optarg, strlen(optarg), NULL) == 0;
	if (r->options.search != NULL)
		return crimg_inspect_complain("one search at a time") + 1;
	r->options.search = b->data;
	r->options.search_length = b->length;
	if (good)
		return 0;
	return usage_error(option == OPT_SEARCH ? "--search wants bytes in hex: deadbeef"
	                   : option == OPT_SEARCH_U64 ? "--search-u64 wants a number"
	                                              : "--search-text wants a text", optarg) + 1;
}

static int take_number(const char *name, uint32_t *out)
{
	return read_u32(optarg, out) && *out > 0 ? 0 : usage_error(name, optarg) + 1;
}

// Options of the views that look inside. 0, or the exit code + 1.
static int take_inside_option(struct crimg_inspect_request *r, int option)
{
	switch (option) {
	case OPT_AT: r->options.at = optarg; return 0;
	case OPT_SYSROOT: r->options.sysroot = optarg; return 0;
	case OPT_RAW: r->options.raw = true; return 0;
	case OPT_MIN: return take_number("--min wants a number above 0", &r->options.min_length);
	case OPT_LIMIT: return take_number("--limit wants a number above 0", &r->options.limit);
	case OPT_SYNTAX:
		r->options.intel = strcmp(optarg, "intel") == 0;
		if (r->options.intel || strcmp(optarg, "att") == 0)
			return 0;
		return usage_error("--syntax wants att or intel", optarg) + 1;
	case OPT_SEARCH: case OPT_SEARCH_TEXT: case OPT_SEARCH_U64:
		return take_search(r, option);
	default:
		return 2 + 1; // getopt has told
	}
}

// 0, or the exit code + 1.
static int take_option(struct crimg_inspect_request *r, int option)
{
	switch (option) {
	case 'p':
		r->options.has_pid = true;
		return read_u32(optarg, &r->options.pid)
		               ? 0
		               : usage_error("-p wants a number", optarg) + 1;
	case 't':
		r->options.has_tid = true;
		return read_u32(optarg, &r->options.tid)
		               ? 0
		               : usage_error("-t wants a number", optarg) + 1;
	case 'f':
		r->options.format = optarg;
		return 0;
	case OPT_JSON:
		r->json = true;
		return 0;
	case OPT_ALL:
		r->options.all = true;
		return 0;
	case OPT_COLOR:
		r->color = optarg;
		if (crimg_color_known(optarg))
			return 0;
		return usage_error("--color wants auto, always or never", optarg) + 1;
	case OPT_WIDTH:
		if (read_u32(optarg, &r->options.width))
			return 0;
		return usage_error("--width wants a number", optarg) + 1;
	case 'h':
		return help() + 1;
	default:
		return take_inside_option(r, option);
	}
}

static void look_around(struct crimg_inspect_request *r, bool width_given)
{
	r->options.tmpdir = crimg_tmpdir();
	if (!width_given)
		r->options.width = crimg_terminal_width();
	r->options.color = crimg_color_wanted(r->color);
}

// 0, or the exit code + 1.
int crimg_inspect_request_read(struct crimg_inspect_request *r, int argc, char **argv)
{
	char name[] = "crimg inspect";
	char *verb = argv[0];
	bool width_given = false;
	*r = (struct crimg_inspect_request){ .color = "auto", .search = CRIMG_BUF_INIT };
	argv[0] = name; // getopt begins its complaints with it
	optind = 0;
	for (int option; (option = getopt_long(argc, argv, "p:t:f:h", long_options, NULL)) != -1;) {
		int rc = take_option(r, option);
		width_given |= option == OPT_WIDTH;
		if (rc != 0) {
			argv[0] = verb;
			return rc;
		}
	}
	argv[0] = verb;
	if (optind >= argc)
		return crimg_inspect_complain("no IMAGE is named (`crimg inspect --help` tells more)") + 1;
	r->options.path = argv[optind++];
	for (; optind < argc && r->view_count < CRIMG_INSPECT_MAX_VIEWS; optind++) {
		const struct crimg_view_row *row = crimg_view_by_name(argv[optind]);
		if (row == NULL)
			return usage_error("unknown view", argv[optind]) + 1;
		r->views[r->view_count++] = row;
	}
	if (r->view_count == 0)
		r->views[r->view_count++] = &crimg_views[0];
	look_around(r, width_given);
	return 0;
}

void crimg_inspect_request_fini(struct crimg_inspect_request *r)
{
	crimg_buf_fini(&r->search);
	r->options.search = NULL;
}
