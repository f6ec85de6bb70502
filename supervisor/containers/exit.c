/* How a container ended, by its monitor's file or message: see internal.h. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "internal.h"

static void take_exit_record(struct managed_container *container, const struct monitor_exit *record)
{
    container->exit_code = record->status;
    container->is_oom_killed = record->is_oom_killed;
    container->finished_ns = record->finished_ns;
    if (record->started_ns != 0)
        container->started_ns = record->started_ns;
    if (record->is_held_back)
        container->is_held_back = true;
    if (record->error != NULL) {
        free(container->error);
        container->error = memory_strdup(record->error);
    }
}

bool container_take_exit_text(struct managed_container *container, const char *text, size_t length)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exit record = {0};

    if (monitor_exit_decode(&arena, text, length, &record, NULL) < 0)
        return false;
    take_exit_record(container, &record);
    return true;
}

static bool read_exit_of(int directory_fd, struct arena *arena, struct monitor_exit *record)
{
    cleanup_buffer struct buffer text = {0};

    return directory_fd >= 0 &&
           file_read(directory_fd, MONITOR_EXIT_FILE, 4096, &text, NULL) == 0 &&
           monitor_exit_decode(arena, buffer_text(&text), text.length, record, NULL) == 0;
}

/* Texts of the record are in the arena. Where the disk took none it is in the run directory. */
static bool read_exit_file(const struct managed_container *container, struct arena *arena,
                           struct monitor_exit *record)
{
    cleanup_close int directory_fd = container_open_directory(container);
    cleanup_close int run_fd = container_open_run_directory(container);
    struct monitor_exit other = {0};
    bool is_found = read_exit_of(directory_fd, arena, record);

    if (!read_exit_of(run_fd, arena, &other) ||
        (is_found && record->finished_ns >= other.finished_ns))
        return is_found;
    *record = other;
    return true;
}

bool container_has_run(const struct managed_container *container, int64_t *started_ns)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer text = {0};
    cleanup_close int directory_fd = container_open_directory(container);

    return directory_fd >= 0 &&
           file_read(directory_fd, MONITOR_EXIT_FILE, 4096, &text, NULL) == 0 &&
           monitor_start_decode(&arena, buffer_text(&text), text.length, started_ns);
}

bool container_has_unknown_exit(const struct managed_container *container)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exit record = {0};

    return read_exit_file(container, &arena, &record) &&
           record.finished_ns != container->finished_ns &&
           record.started_ns >= container->started_ns;
}

/* The exit file is the truth; without one the monitor was lost. */
bool container_take_exit_file(struct managed_container *container)
{
    cleanup_arena struct arena arena = {0};
    struct monitor_exit record = {0};

    /* After a power cut the file of an earlier run may be back. */
    if (!read_exit_file(container, &arena, &record) || record.started_ns < container->started_ns)
        return false;
    take_exit_record(container, &record);
    return true;
}

/* Writes exit.json once more, where davitd knows what the monitor did not: the exit is then known
 * without the database too. */
void container_write_exit_file(const struct managed_container *container)
{
    const struct monitor_exit record = {.status = container->exit_code,
                                        .started_ns = container->started_ns,
                                        .finished_ns = container->finished_ns,
                                        .is_oom_killed = container->is_oom_killed,
                                        .error = container->error,
                                        .is_held_back = container->is_held_back};
    cleanup_close int directory_fd = container_open_directory(container);
    struct json_writer *writer = monitor_exit_encode(&record);

    if (directory_fd >= 0)
        monitor_exit_write(directory_fd, json_writer_text(writer));
    json_writer_free(writer);
}
