/* Descriptors that monitors keep: see keepers.h. */
#include "keepers.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "supervisor/monitor/monitor.h"

static int take_from(pid_t pid, bool (*is_wanted)(int fd, const void *context), const void *context)
{
    cleanup_close int pidfd = pidfd_open(pid, 0);

    for (int number = MONITOR_FIRST_FD; pidfd >= 0 && number < MONITOR_END_FD; number++) {
        cleanup_close int fd = pidfd_getfd(pidfd, number, 0);

        if (fd >= 0 && is_wanted(fd, context))
            return take_fd(&fd);
    }
    return -1;
}

static bool is_monitor(const char *pid)
{
    cleanup_free char *path = memory_printf("/proc/%s/comm", pid);
    cleanup_buffer struct buffer name = {0};

    return file_read(AT_FDCWD, path, 64, &name, NULL) == 0 &&
           strcmp(buffer_text(&name), MONITOR_TITLE "\n") == 0;
}

int monitors_find_descriptor(bool (*is_wanted)(int fd, const void *context), const void *context)
{
    cleanup_dir DIR *dir = opendir("/proc");
    struct dirent *entry;
    int fd = -1;

    while (fd < 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
        int64_t pid;

        if (number_parse(entry->d_name, 1, INT32_MAX, &pid) && is_monitor(entry->d_name))
            fd = take_from((pid_t)pid, is_wanted, context);
    }
    return fd;
}
