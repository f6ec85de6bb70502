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

void cli_print_text(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < ' ' || *text == 127 ? ' ' : *text);
}

void cli_print_json(const struct json *json)
{
    struct json_writer *writer = json_writer_new(false);

    json_value(writer, json);
    puts(json_writer_text(writer));
    json_writer_free(writer);
}
