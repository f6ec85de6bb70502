/* Lines for the journal: see log_journal.h. */
#include "log_journal.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/memory.h"

/* syslog(3) */
#define PRIORITY_STDOUT 6
#define PRIORITY_STDERR 3

#define FIELDS_MAX 9 /* besides the attributes */
#define ATTRIBUTES_MAX 64

/* A field's name has capitals, digits and underscores, and begins with no underscore
 * (sd_journal_sendv(3)).
 */
static char *attribute(const struct string_pair *pair)
{
    char *text = memory_printf("%s%s=%s", pair->name[0] == '_' ? "X" : "", pair->name, pair->value);

    for (char *c = text; *c != '=' && *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (!((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '_';
    }
    return text;
}

static struct iovec field(char *text)
{
    return (struct iovec){.iov_base = text, .iov_len = strlen(text)};
}

void log_journal_send(const struct log_options *options, const char *id, int stream,
                      const char *line, size_t length)
{
    bool is_partial = length == 0 || line[length - 1] != '\n';
    cleanup_buffer struct buffer message = {0};
    char priority[16];
    char short_id[64];
    char full_id[128];
    cleanup_free char *name = memory_printf("CONTAINER_NAME=%s", options->container_name);
    cleanup_free char *tag = memory_printf("CONTAINER_TAG=%s", options->tag);
    cleanup_free char *identifier = memory_printf("SYSLOG_IDENTIFIER=%s", options->tag);
    cleanup_free char *image = memory_printf("IMAGE_NAME=%s", options->image_name);
    char *attributes[ATTRIBUTES_MAX];
    size_t attribute_count = 0;
    struct iovec fields[FIELDS_MAX + ATTRIBUTES_MAX];
    int count = 0;

    snprintf(priority, sizeof(priority), "PRIORITY=%d",
             stream == 1 ? PRIORITY_STDOUT : PRIORITY_STDERR);
    snprintf(short_id, sizeof(short_id), "CONTAINER_ID=%.12s", id);
    snprintf(full_id, sizeof(full_id), "CONTAINER_ID_FULL=%.100s", id);
    buffer_append_string(&message, "MESSAGE=");
    buffer_append(&message, line, is_partial ? length : length - 1);
    fields[count++] = (struct iovec){.iov_base = message.data, .iov_len = message.length};
    fields[count++] = field(priority);
    fields[count++] = field(short_id);
    fields[count++] = field(full_id);
    fields[count++] = field(name);
    fields[count++] = field(tag);
    fields[count++] = field(identifier);
    fields[count++] = field(image);
    if (is_partial)
        fields[count++] = field((char[]){"CONTAINER_PARTIAL_MESSAGE=true"});
    for (size_t i = 0; i < options->attributes.count && i < ATTRIBUTES_MAX; i++) {
        attributes[attribute_count] = attribute(&options->attributes.items[i]);
        fields[count++] = field(attributes[attribute_count++]);
    }
    sd_journal_sendv(fields, count);
    while (attribute_count > 0)
        free(attributes[--attribute_count]);
}
