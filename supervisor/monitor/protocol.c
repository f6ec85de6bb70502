/* Documents that davitd and monitors exchange: see protocol.h. */
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json_sum.h"

#define FIELD JSON_FIELD

static const struct json_field log_fields[] = {
    FIELD(struct log_options, driver, "driver", JSON_KIND_STRING),
    FIELD(struct log_options, tag, "tag", JSON_KIND_STRING),
    FIELD(struct log_options, container_name, "containerName", JSON_KIND_STRING),
    FIELD(struct log_options, image_name, "imageName", JSON_KIND_STRING),
    FIELD(struct log_options, attributes, "attributes", JSON_KIND_STRING_MAP),
    FIELD(struct log_options, max_bytes, "maxBytes", JSON_KIND_UINT64, .maximum = INT64_MAX),
    FIELD(struct log_options, max_files, "maxFiles", JSON_KIND_UINT32),
    FIELD(struct log_options, syslog.address, "syslogAddress", JSON_KIND_STRING),
    FIELD(struct log_options, syslog.facility, "syslogFacility", JSON_KIND_INT32),
    FIELD(struct log_options, syslog.format, "syslogFormat", JSON_KIND_INT32),
    FIELD(struct log_options, queue_bytes, "queueBytes", JSON_KIND_UINT64, .maximum = INT64_MAX),
};
static const struct json_struct log_type = JSON_STRUCT(struct log_options, log_fields);

static const struct json_field config_fields[] = {
    FIELD(struct monitor_config, log, "log", JSON_KIND_INLINE, .type = &log_type),
    FIELD(struct monitor_config, devices, "devices", JSON_KIND_STRUCT, .type = &cdi_request_type),
    FIELD(struct monitor_config, id, "id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct monitor_config, cgroup_path, "cgroupPath", JSON_KIND_STRING),
    FIELD(struct monitor_config, layers, "layers", JSON_KIND_STRINGS, .flags = JSON_ALWAYS),
    FIELD(struct monitor_config, default_apparmor, "defaultApparmor", JSON_KIND_STRING),
    FIELD(struct monitor_config, seccomp_file, "seccompFile", JSON_KIND_STRING),
    FIELD(struct monitor_config, project, "project", JSON_KIND_UINT32),
    FIELD(struct monitor_config, has_open_stdin, "openStdin", JSON_KIND_BOOL),
    FIELD(struct monitor_config, is_stdin_once, "stdinOnce", JSON_KIND_BOOL),
    FIELD(struct monitor_config, has_network, "hasNetwork", JSON_KIND_BOOL),
    FIELD(struct monitor_config, stop_signal, "stopSignal", JSON_KIND_INT32),
    FIELD(struct monitor_config, stop_timeout_s, "stopTimeout", JSON_KIND_INT64),
};
const struct json_struct monitor_config_type = JSON_STRUCT(struct monitor_config, config_fields);

static const struct json_field exec_fields[] = {
    FIELD(struct monitor_exec, process, "process", JSON_KIND_JSON, .flags = JSON_REQUIRED),
    FIELD(struct monitor_exec, user, "user", JSON_KIND_STRING),
    FIELD(struct monitor_exec, env, "env", JSON_KIND_STRINGS),
    FIELD(struct monitor_exec, has_stdin, "stdin", JSON_KIND_BOOL),
    FIELD(struct monitor_exec, has_stdout, "stdout", JSON_KIND_BOOL),
    FIELD(struct monitor_exec, has_stderr, "stderr", JSON_KIND_BOOL),
};
const struct json_struct monitor_exec_type = JSON_STRUCT(struct monitor_exec, exec_fields);

static const struct json_field probe_fields[] = {
    FIELD(struct monitor_probe, host, "host", JSON_KIND_STRING),
    FIELD(struct monitor_probe, port, "port", JSON_KIND_INT32, .flags = JSON_REQUIRED),
    FIELD(struct monitor_probe, path, "path", JSON_KIND_STRING),
    FIELD(struct monitor_probe, timeout_ms, "timeoutMs", JSON_KIND_INT32, .flags = JSON_REQUIRED),
};
const struct json_struct monitor_probe_type = JSON_STRUCT(struct monitor_probe, probe_fields);

static const struct json_field exit_fields[] = {
    FIELD(struct monitor_exit, status, "status", JSON_KIND_INT32,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
    FIELD(struct monitor_exit, is_oom_killed, "oomKilled", JSON_KIND_BOOL),
    FIELD(struct monitor_exit, started_ns, "startedNs", JSON_KIND_INT64),
    FIELD(struct monitor_exit, finished_ns, "finishedNs", JSON_KIND_INT64, .flags = JSON_REQUIRED),
    FIELD(struct monitor_exit, error, "error", JSON_KIND_STRING),
    FIELD(struct monitor_exit, is_held_back, "heldBack", JSON_KIND_BOOL),
};
static const struct json_struct exit_type = JSON_STRUCT(struct monitor_exit, exit_fields);

struct json_writer *monitor_exit_encode(const struct monitor_exit *record)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_encode_members(writer, &exit_type, record);
    json_object_close_with_sum(writer);
    return writer;
}

int monitor_exit_decode(struct arena *arena, const char *text, size_t length,
                        struct monitor_exit *record, struct error *err)
{
    if (!json_sum_is_right(text, length))
        return error_set(err, ERROR_CORRUPT, EBADMSG, "it is not what was written");
    return json_decode_text(arena, arena_strndup(arena, text, length), length, &exit_type, record,
                            err);
}

struct start_record {
    int64_t started_ns;
};
static const struct json_field start_fields[] = {
    FIELD(struct start_record, started_ns, "runsSinceNs", JSON_KIND_INT64, .flags = JSON_REQUIRED),
};
static const struct json_struct start_type = JSON_STRUCT(struct start_record, start_fields);

int monitor_start_write(int directory_fd, int64_t started_ns)
{
    const struct start_record record = {started_ns};
    struct json_writer *writer = json_writer_new(false);
    int result;

    json_object_open(writer);
    json_encode_members(writer, &start_type, &record);
    json_object_close_with_sum(writer);
    result = monitor_exit_write(directory_fd, json_writer_text(writer));
    json_writer_free(writer);
    return result;
}

bool monitor_start_decode(struct arena *arena, const char *text, size_t length, int64_t *started_ns)
{
    struct start_record record = {0};

    if (!json_sum_is_right(text, length) ||
        json_decode_text(arena, arena_strndup(arena, text, length), length, &start_type, &record,
                         NULL) < 0)
        return false;
    *started_ns = record.started_ns;
    return true;
}

int monitor_exit_write(int directory_fd, const char *text)
{
    char record[MONITOR_EXIT_SIZE];
    size_t length = strlen(text);
    cleanup_close int fd =
        file_open_regular(directory_fd, MONITOR_EXIT_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    ssize_t count;

    if (fd < 0)
        return fd;
    if (length > sizeof(record))
        return -EFBIG;
    memset(record, ' ', sizeof(record));
    memcpy(record, text, length);
    count = pwrite(fd, record, sizeof(record), 0);
    if (count < 0)
        return -errno;
    return count == (ssize_t)sizeof(record) ? 0 : -ENOSPC;
}

void monitor_message_error(const struct monitor_message *message, struct error *err)
{
    bool is_known = message->value2 > ERROR_NONE && message->value2 < ERROR_CODE_COUNT;

    error_set(err, is_known ? (enum error_code)message->value2 : ERROR_INTERNAL, EINVAL, "%.*s",
              (int)message->text_length, message->text);
}
