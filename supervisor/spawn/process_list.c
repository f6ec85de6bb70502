/* A container's processes: see process_list.h. */
#include "process_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/json_table.h"
#include "cgroups/cgroups.h"

#define COMMAND_MAX 4096

struct process {
    int ppid;
    int terminal;
    unsigned long long ticks; /* of processor time */
    unsigned long long start; /* ticks after the boot */
    char name[64];
};

/* /proc/PID/stat: the name stands in parentheses and may hold any character. */
static bool parse_stat(const char *text, struct process *process)
{
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')');
    unsigned long long user;
    unsigned long long system;

    if (open == NULL || close == NULL || close < open)
        return false;
    snprintf(process->name, sizeof(process->name), "[%.*s]", (int)(close - open - 1), open + 1);
    if (sscanf(close + 2,
               "%*c %d %*d %*d %d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
               &process->ppid, &process->terminal, &user, &system, &process->start) != 5)
        return false;
    process->ticks = user + system;
    return true;
}

static int read_proc(int proc_fd, const char *name, struct buffer *text)
{
    cleanup_close int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
    int result;

    text->length = 0;
    if (fd < 0)
        return -errno;
    result = file_read_fd(fd, COMMAND_MAX, text);
    return result == -EFBIG ? 0 : result;
}

static void format_terminal(int device, char text[16])
{
    /* The kernel's encoding: pseudo-terminals have the majors 136 to 143. */
    unsigned int major = ((unsigned int)device >> 8) & 0xfff;
    unsigned int minor = ((unsigned int)device & 0xff) | (((unsigned int)device >> 12) & 0xfff00);

    if (major >= 136 && major <= 143)
        snprintf(text, 16, "pts/%u", minor + (major - 136) * 256);
    else
        snprintf(text, 16, "?");
}

static void format_start(unsigned long long ticks, char text[16])
{
    struct timespec now;
    struct timespec uptime;
    time_t start;
    struct tm utc;

    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &uptime);
    start = now.tv_sec - uptime.tv_sec + (time_t)(ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
    strftime(text, 16, now.tv_sec - start < 86400 ? "%H:%M" : "%b%d", gmtime_r(&start, &utc));
}

static void write_row(struct json_writer *writer, int pid, uid_t uid, const struct process *process,
                      const char *command)
{
    unsigned long long seconds = process->ticks / (unsigned long long)sysconf(_SC_CLK_TCK);
    char text[64];
    char terminal[16];
    char start[16];

    json_array_open(writer);
    snprintf(text, sizeof(text), "%u", uid);
    json_string(writer, text);
    snprintf(text, sizeof(text), "%d", pid);
    json_string(writer, text);
    snprintf(text, sizeof(text), "%d", process->ppid);
    json_string(writer, text);
    json_string(writer, "0");
    format_start(process->start, start);
    json_string(writer, start);
    format_terminal(process->terminal, terminal);
    json_string(writer, terminal);
    snprintf(text, sizeof(text), "%02llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60,
             seconds % 60);
    json_string(writer, text);
    json_string(writer, command);
    json_array_close(writer);
}

/* One that has ended meanwhile is left out. */
static void add_process(struct json_writer *writer, int pid)
{
    cleanup_free char *path = memory_printf("/proc/%d", pid);
    cleanup_close int proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_buffer struct buffer text = {0};
    struct process process = {0};
    struct stat status;

    if (proc_fd < 0 || fstat(proc_fd, &status) < 0 || read_proc(proc_fd, "stat", &text) < 0 ||
        !parse_stat(buffer_text(&text), &process))
        return;
    if (read_proc(proc_fd, "cmdline", &text) < 0)
        return;
    for (size_t i = 0; i + 1 < text.length; i++) {
        if (text.data[i] == '\0')
            text.data[i] = ' ';
    }
    write_row(writer, pid, status.st_uid, &process,
              text.length > 0 ? buffer_text(&text) : process.name);
}

static void write_processes(struct json_writer *writer, const pid_t *pids, size_t count)
{
    static const char *titles[] = {"UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"};

    json_object_open(writer);
    json_member_strings(writer, "Titles", &(struct string_list){titles, ARRAY_SIZE(titles)});
    json_key(writer, "Processes");
    json_array_open(writer);
    for (size_t i = 0; i < count && i < PROCESSES_MAX; i++)
        add_process(writer, pids[i]);
    json_array_close(writer);
    json_object_close(writer);
}

_Noreturn void process_list_run(int cgroup_fd, int output_fd)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    struct json_writer *writer = json_writer_new(false);
    pid_t *pids = NULL;
    size_t count = 0;
    cleanup_free char *text = NULL;

    cgroup->fd = cgroup_fd;
    if (cgroup_list_processes(cgroup, &pids, &count, NULL) < 0)
        _exit(1);
    write_processes(writer, pids, count);
    text = memory_printf("%s\n", json_writer_text(writer));
    _exit(file_write_fd(output_fd, text, strlen(text)) < 0);
}
