/* Formatting and printing for commands: see cli.h. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"

char *cli_format_socket(const char *address, const char *port)
{
    bool is_ipv6 = strchr(address, ':') != NULL;

    return memory_printf("%s%s%s:%s", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "", port);
}

#define UNITS 6

/* As docker writes it: so many digits, whatever the unit. */
static void format_size(uint64_t bytes, int base, int digits, const char *const units[UNITS],
                        char *text, size_t size)
{
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= base && unit + 1 < UNITS) {
        value /= base;
        unit++;
    }
    snprintf(text, size, "%.*g%s", digits, value, units[unit]);
}

void cli_format_size(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[UNITS] = {"B", "kB", "MB", "GB", "TB", "PB"};

    format_size(bytes, 1000, 3, units, text, size);
}

void cli_format_binary_size(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[UNITS] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

    format_size(bytes, 1024, 4, units, text, size);
}

/* The number of bytes of a character that is not to reach a terminal; 0: it may. */
static size_t harmful(const unsigned char *text)
{
    if (text[0] < ' ' || text[0] == 127)
        return 1;
    /* U+0080 to U+009F */
    if (text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0x9f)
        return 2;
    /* U+202A to U+202E, U+2066 to U+2069 */
    if (text[0] == 0xe2 && ((text[1] == 0x80 && text[2] >= 0xaa && text[2] <= 0xae) ||
                            (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9)))
        return 3;
    return 0;
}

void cli_clean_text(char *text)
{
    while (*text != '\0') {
        size_t length = harmful((const unsigned char *)text);

        memset(text, ' ', length);
        text += length > 0 ? length : 1;
    }
}

void cli_print_text(const char *text)
{
    cleanup_free char *copy = memory_strdup(text);

    cli_clean_text(copy);
    fputs(copy, stdout);
}

void cli_print_error(struct cli *cli)
{
    cli_clean_text(cli->err.message);
    fprintf(stderr, "davit: %s\n", cli->err.message);
}

void cli_print_json(const struct json *json)
{
    struct json_writer *writer = json_writer_new(false);

    json_value(writer, json);
    puts(json_writer_text(writer));
    json_writer_free(writer);
}
