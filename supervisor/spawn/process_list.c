/* A container's processes: see process_list.h. */
#include "process_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cgroups/cgroups.h"

#define COMMAND_MAX 4096
#define COMMANDS_MAX (16 << 20) /* bytes; what follows has no command lines */

struct process {
    int pid;
    uid_t uid; /* as the container sees them, or as the host does where that has no such id */
    gid_t gid;
    char state;
    int ppid;
    int group;
    int session;
    int terminal;
    int foreground;           /* the group that its terminal belongs to */
    unsigned long long ticks; /* of processor time */
    long priority;
    long nice;
    long threads;
    unsigned long long start; /* ticks after the boot */
    unsigned long long virtual_bytes;
    long resident_pages;
    int processor;
    char name[64];
    const char *command; /* NULL: a process without one */
};

/* What all processes share. */
struct listing {
    const struct process_columns *columns;
    bool has_commands; /* or names alone */
    unsigned long long ticks_per_s;
    unsigned long long page_bytes;
    unsigned long long memory_kib;
    unsigned long long uptime_s;
    time_t now;
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
    snprintf(process->name, sizeof(process->name), "%.*s", (int)(close - open - 1), open + 1);
    if (sscanf(close + 2,
               "%c %d %d %d %d %d %*u %*u %*u %*u %*u %llu %llu %*d %*d %ld %ld %ld %*d %llu %llu "
               "%ld %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
               &process->state, &process->ppid, &process->group, &process->session,
               &process->terminal, &process->foreground, &user, &system, &process->priority,
               &process->nice, &process->threads, &process->start, &process->virtual_bytes,
               &process->resident_pages, &process->processor) != 15)
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

static unsigned long long elapsed_s(const struct listing *listing, const struct process *process)
{
    unsigned long long start_s = process->start / listing->ticks_per_s;

    return listing->uptime_s > start_s ? listing->uptime_s - start_s : 0;
}

static void format_start(const struct listing *listing, const struct process *process, char *text,
                         size_t size)
{
    time_t start = listing->now - (time_t)elapsed_s(listing, process);
    struct tm utc;

    strftime(text, size, listing->now - start < 86400 ? "%H:%M" : "%b%d", gmtime_r(&start, &utc));
}

/* "[[DD-]hh:]mm:ss" */
static void format_elapsed(unsigned long long seconds, char *text, size_t size)
{
    if (seconds >= 86400)
        snprintf(text, size, "%llu-%02llu:%02llu:%02llu", seconds / 86400, seconds / 3600 % 24,
                 seconds / 60 % 60, seconds % 60);
    else if (seconds >= 3600)
        snprintf(text, size, "%02llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
    else
        snprintf(text, size, "%02llu:%02llu", seconds / 60, seconds % 60);
}

/* Other names stand in files of the container, which could keep who reads them waiting. */
static void format_user(uid_t uid, char *text, size_t size)
{
    if (uid == 0)
        snprintf(text, size, "root");
    else
        snprintf(text, size, "%u", uid);
}

/* ps(1), "PROCESS STATE CODES". */
static void format_stat(const struct process *process, char *text, size_t size)
{
    snprintf(text, size, "%c%s%s%s%s", process->state,
             process->nice < 0   ? "<"
             : process->nice > 0 ? "N"
                                 : "",
             process->session == process->pid ? "s" : "", process->threads > 1 ? "l" : "",
             process->foreground == process->group ? "+" : "");
}

static void format_share(unsigned long long part, unsigned long long whole, char *text, size_t size)
{
    unsigned long long tenths = whole > 0 ? part * 1000 / whole : 0;

    snprintf(text, size, "%llu.%llu", tenths / 10, tenths % 10);
}

static unsigned long long resident_kib(const struct listing *listing, const struct process *process)
{
    return (unsigned long long)process->resident_pages * listing->page_bytes / 1024;
}

/* The columns that are whole numbers. False: the column is none. */
static bool find_number(const struct listing *listing, const struct process *process,
                        enum process_column column, long long *number)
{
    switch (column) {
    case COLUMN_UID_NUMBER:
        *number = process->uid;
        return true;
    case COLUMN_GID:
        *number = process->gid;
        return true;
    case COLUMN_PID:
        *number = process->pid;
        return true;
    case COLUMN_PPID:
        *number = process->ppid;
        return true;
    case COLUMN_PGID:
        *number = process->group;
        return true;
    case COLUMN_SID:
        *number = process->session;
        return true;
    case COLUMN_VSZ:
        *number = (long long)(process->virtual_bytes / 1024);
        return true;
    case COLUMN_RSS:
        *number = (long long)resident_kib(listing, process);
        return true;
    case COLUMN_SIZE:
        *number = (long long)(process->virtual_bytes / listing->page_bytes);
        return true;
    case COLUMN_PRIORITY:
        *number = 39 - process->priority;
        return true;
    case COLUMN_NICE:
        *number = process->nice;
        return true;
    case COLUMN_THREADS:
        *number = process->threads;
        return true;
    case COLUMN_PROCESSOR:
        *number = process->processor;
        return true;
    default:
        return false;
    }
}

static void format_command(const struct process *process, char *text, size_t size)
{
    if (process->command != NULL)
        snprintf(text, size, "%s", process->command);
    else
        snprintf(text, size, "[%s]", process->name);
}

static void format_column(const struct listing *listing, const struct process *process,
                          enum process_column column, char *text, size_t size)
{
    const unsigned long long seconds = process->ticks / listing->ticks_per_s;
    const unsigned long long life_ticks = elapsed_s(listing, process) * listing->ticks_per_s;
    long long number;

    if (find_number(listing, process, column, &number)) {
        snprintf(text, size, "%lld", number);
        return;
    }
    switch (column) {
    case COLUMN_UID:
    case COLUMN_USER:
        format_user(process->uid, text, size);
        break;
    case COLUMN_C:
        format_share(process->ticks, life_ticks, text, size);
        text[strcspn(text, ".")] = '\0';
        break;
    case COLUMN_CPU:
        format_share(process->ticks, life_ticks, text, size);
        break;
    case COLUMN_MEMORY:
        format_share(resident_kib(listing, process), listing->memory_kib, text, size);
        break;
    case COLUMN_TTY:
    case COLUMN_TT:
        format_terminal(process->terminal, text);
        break;
    case COLUMN_STATE:
        snprintf(text, size, "%c", process->state);
        break;
    case COLUMN_STAT:
        format_stat(process, text, size);
        break;
    case COLUMN_STIME:
    case COLUMN_START:
        format_start(listing, process, text, size);
        break;
    case COLUMN_ELAPSED:
        format_elapsed(elapsed_s(listing, process), text, size);
        break;
    case COLUMN_TIME:
        snprintf(text, size, "%02llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
        break;
    case COLUMN_COMM:
        snprintf(text, size, "%s", process->name);
        break;
    default:
        format_command(process, text, size);
        break;
    }
}

/* An id of the host as the container sees it: uid_map of user_namespaces(7), read from outside. */
static uint32_t map_id(const char *map, uint32_t id)
{
    while (*map != '\0') {
        unsigned int inside;
        unsigned int outside;
        unsigned int count;

        if (sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && id >= outside &&
            id - outside < count)
            return inside + (id - outside);
        map += strcspn(map, "\n");
        map += *map == '\n' ? 1 : 0;
    }
    return id;
}

static void read_ids(int proc_fd, struct process *process)
{
    cleanup_buffer struct buffer text = {0};
    struct stat status = {0};

    fstat(proc_fd, &status);
    process->uid = status.st_uid;
    process->gid = status.st_gid;
    if (read_proc(proc_fd, "uid_map", &text) == 0)
        process->uid = map_id(buffer_text(&text), status.st_uid);
    if (read_proc(proc_fd, "gid_map", &text) == 0)
        process->gid = map_id(buffer_text(&text), status.st_gid);
}

/* One that has ended meanwhile is left out. */
static void add_process(const struct listing *listing, struct json_writer *writer, int pid)
{
    cleanup_free char *path = memory_printf("/proc/%d", pid);
    cleanup_close int proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_buffer struct buffer text = {0};
    struct process process = {.pid = pid};
    char column[COMMAND_MAX + 1];

    if (proc_fd < 0 || read_proc(proc_fd, "stat", &text) < 0 ||
        !parse_stat(buffer_text(&text), &process) || read_proc(proc_fd, "cmdline", &text) < 0)
        return;
    for (size_t i = 0; i + 1 < text.length; i++) {
        if (text.data[i] == '\0')
            text.data[i] = ' ';
    }
    process.command = text.length > 0 && listing->has_commands ? buffer_text(&text) : NULL;
    read_ids(proc_fd, &process);
    json_array_open(writer);
    for (uint32_t i = 0; i < listing->columns->count; i++) {
        format_column(listing, &process, listing->columns->items[i], column, sizeof(column));
        json_string(writer, column);
    }
    json_array_close(writer);
}

static void look_at_host(struct listing *listing)
{
    struct sysinfo memory = {0};
    struct timespec uptime;

    sysinfo(&memory);
    clock_gettime(CLOCK_BOOTTIME, &uptime);
    listing->now = time(NULL);
    listing->uptime_s = (unsigned long long)uptime.tv_sec;
    listing->ticks_per_s = (unsigned long long)sysconf(_SC_CLK_TCK);
    listing->page_bytes = (unsigned long long)sysconf(_SC_PAGESIZE);
    listing->memory_kib = (unsigned long long)memory.totalram * memory.mem_unit / 1024;
}

static void write_processes(struct json_writer *writer, const struct process_columns *columns,
                            const pid_t *pids, size_t count)
{
    struct listing listing = {.columns = columns};

    look_at_host(&listing);
    json_object_open(writer);
    json_key(writer, "Titles");
    json_array_open(writer);
    for (uint32_t i = 0; i < columns->count; i++)
        json_string(writer, process_column_title(columns->items[i]));
    json_array_close(writer);
    json_key(writer, "Processes");
    json_array_open(writer);
    for (size_t i = 0; i < count && i < PROCESSES_MAX; i++) {
        listing.has_commands = json_writer_length(writer) < COMMANDS_MAX;
        add_process(&listing, writer, pids[i]);
    }
    json_array_close(writer);
    json_object_close(writer);
}

_Noreturn void process_list_run(const struct process_columns *columns, int cgroup_fd, int output_fd)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    struct json_writer *writer = json_writer_new(false);
    pid_t *pids = NULL;
    size_t count = 0;
    cleanup_free char *text = NULL;

    cgroup->fd = cgroup_fd;
    if (cgroup_list_processes(cgroup, &pids, &count, NULL) < 0)
        _exit(1);
    write_processes(writer, columns, pids, count);
    text = memory_printf("%s\n", json_writer_text(writer));
    _exit(file_write_fd(output_fd, text, strlen(text)) < 0);
}
