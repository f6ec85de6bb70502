/* What a removal will have to know: see cni.h. */
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "cni.h"

#define RECORD_MAX_BYTES (16 << 20)

struct line {
    const struct json *network;
    const struct json *config;
    const struct json *result;
};

static const struct json_field line_fields[] = {
    JSON_FIELD(struct line, network, "network", JSON_KIND_JSON),
    JSON_FIELD(struct line, config, "config", JSON_KIND_JSON),
    JSON_FIELD(struct line, result, "result", JSON_KIND_JSON),
};
static const struct json_struct line_type = JSON_STRUCT(struct line, line_fields);

int record_lock(int fd, struct error *err)
{
    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return error_errno(err, errno, "lock the record");
    }
    return 0;
}

static int take_line(struct arena *arena, const char *text, size_t length, struct record *record,
                     struct error *err)
{
    struct record_entry *entry = &record->entries[record->count];
    struct line line = {0};
    int result = json_decode_text(arena, text, length, &line_type, &line, err);

    if (result < 0)
        return result;
    if (line.result != NULL && record->count > 0) {
        entry[-1].result = line.result;
        return 0;
    }
    if (line.network == NULL || line.config == NULL || record->count == RECORD_NETWORKS_MAX)
        return error_set(err, ERROR_CORRUPT, EINVAL, "a line that is none of ours");
    result = json_decode(arena, line.network, &cni_network_type, "network", &entry->network, err);
    if (result == 0)
        result = cni_config_decode(line.config, &entry->config, err);
    record->count += result == 0;
    return result;
}

int record_read(struct arena *arena, int fd, struct record *record, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    struct stat status;
    const char *line;
    const char *end;
    ssize_t length;
    int result = 0;

    *record = (struct record){.count = 0};
    if (fstat(fd, &status) < 0 || status.st_size > RECORD_MAX_BYTES)
        return error_set(err, ERROR_CORRUPT, EFBIG, "the record is too long");
    length = pread(fd, buffer_reserve(&text, (size_t)status.st_size), (size_t)status.st_size, 0);
    if (length < 0)
        return error_errno(err, errno, "read the record");
    text.length += (size_t)length;
    line = text.data;
    while (result == 0 && (end = memchr(line, '\n', (size_t)(text.data + text.length - line)))) {
        result = take_line(arena, line, (size_t)(end - line), record, err);
        line = end + 1;
    }
    return result < 0 ? error_prefix(err, "record") : 0;
}

/* Appends a line. A line that was not written to its end has no newline, and record_read() leaves
 * it out. */
static int append(int fd, struct json_writer *writer, struct error *err)
{
    cleanup_buffer struct buffer line = {0};
    int result;

    buffer_append_string(&line, json_writer_text(writer));
    buffer_append_string(&line, "\n");
    json_writer_free(writer);
    result = file_write_fd(fd, line.data, line.length);
    return result < 0 ? error_errno(err, -result, "write the record") : 0;
}

int record_append_network(int fd, const struct cni_network *network,
                          const struct cni_config *config, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_key(writer, "network");
    json_encode(writer, &cni_network_type, network);
    json_key(writer, "config");
    json_value(writer, config->root);
    json_object_close(writer);
    return append(fd, writer, err);
}

int record_append_result(int fd, const struct json *result, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_key(writer, "result");
    json_value(writer, result);
    json_object_close(writer);
    return append(fd, writer, err);
}

int record_clear(int fd, struct error *err)
{
    return ftruncate(fd, 0) < 0 ? error_errno(err, errno, "empty the record") : 0;
}
