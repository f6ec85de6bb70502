/* Log streams: see logs.h. */
#include "logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"
#include "supervisor/monitor/log_files.h"
#include "supervisor/monitor/streams.h"

#define READ_BYTES (128 << 10)
/* An entry holds at most 16 KiB of log, each byte at most six in JSON, and a little around it. */
#define ENTRY_MAX (256 << 10)
/* A frame that has so much gets no further line; docker's clients read into buffers of 32 KiB. */
#define SHARED_FRAME_BYTES (16 << 10)

struct log_stream {
    struct managed_container *container; /* while it is followed */
    struct log_client *client;
    struct log_query query;
    sd_event_source *turn;
    sd_event_source *watch;
    struct log_stream *next; /* of the container it follows */
    int directory_fd;        /* the container's */
    char id[IDENTIFIER_SIZE];
    int fd;
    int next_fd; /* of the next file: this one is complete then; or -1 */
    struct buffer pending;
    struct buffer frames; /* of one turn */
    size_t last_frame;    /* where the last of these begins */
    int last_stream;      /* that it is of; 0: there is none that lines can be added to */
    bool is_raw;
    bool has_container_ended;
    bool is_client_full; /* until logs_resume() */
    uint64_t left;       /* bytes to send: without `follows` what was there first */
};

/* The list of streams that follow the container: the part's memory. */
static struct log_stream **streams_of(const struct managed_container *container)
{
    return container_part_state(container, &log_part);
}

static void unfollow(struct log_stream *log)
{
    struct log_stream **link;

    if (log->container == NULL)
        return;
    for (link = streams_of(log->container); *link != log; link = &(*link)->next)
        continue;
    *link = log->next;
    log->container = NULL;
}

void logs_close(struct log_stream *log)
{
    unfollow(log);
    sd_event_source_disable_unref(log->turn);
    sd_event_source_disable_unref(log->watch);
    fd_close(&log->fd);
    fd_close(&log->next_fd);
    fd_close(&log->directory_fd);
    buffer_release(&log->pending);
    buffer_release(&log->frames);
    free(log);
}

struct entry {
    const char *log;
    const char *stream;
    const char *time;
    struct string_map attributes;
};

static const struct json_field entry_fields[] = {
    JSON_FIELD(struct entry, log, "log", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct entry, stream, "stream", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct entry, time, "time", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct entry, attributes, "attrs", JSON_KIND_STRING_MAP),
};
static const struct json_struct entry_type = JSON_STRUCT(struct entry, entry_fields);

/* An entry as it stands in the file; `log` is still escaped. */
struct raw_entry {
    const char *log;
    size_t log_length;
    const char *time; /* not ended by NUL */
    size_t time_length;
    bool is_stdout;
};

static bool cut_suffix(const char **end, const char *start, const char *text)
{
    size_t length = strlen(text);

    if ((size_t)(*end - start) < length || memcmp(*end - length, text, length) != 0)
        return false;
    *end -= length;
    return true;
}

/* Reads an entry as davit's log writer forms it, from both ends: the line stands between them. */
static bool read_raw(const char *line, size_t length, struct raw_entry *entry)
{
    static const char prefix[] = "{\"log\":\"";
    const char *start = line + strlen(prefix);
    const char *end = line + length;
    const char *time_end;

    if (length < strlen(prefix) || memcmp(line, prefix, strlen(prefix)) != 0 ||
        !cut_suffix(&end, start, "\"}"))
        return false;
    time_end = end;
    while (end > start && end[-1] != '"')
        end--;
    entry->time = end;
    entry->time_length = (size_t)(time_end - end);
    if (entry->time_length >= CLOCK_RFC3339_SIZE || !cut_suffix(&end, start, "\",\"time\":\""))
        return false;
    entry->is_stdout = cut_suffix(&end, start, "\",\"stream\":\"stdout");
    if (!entry->is_stdout && !cut_suffix(&end, start, "\",\"stream\":\"stderr"))
        return false;
    entry->log = start;
    entry->log_length = (size_t)(end - start);
    return true;
}

/* The writer's escapes: \n, \", \\ and \u00XX. False for any other. */
static bool append_unescaped(struct buffer *out, const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end) {
        const char *escape = memchr(text, '\\', (size_t)(end - text));
        size_t plain = (size_t)((escape != NULL ? escape : end) - text);
        unsigned int code;
        char c;

        buffer_append(out, text, plain);
        if (escape == NULL)
            break;
        if (end - escape < 2)
            return false;
        c = escape[1];
        text = escape + 2;
        if (c == 'n') {
            c = '\n';
        } else if (c == 'u') {
            if (end - text < 4 || sscanf(text, "00%2x", &code) != 1)
                return false;
            c = (char)code;
            text += 4;
        } else if (c != '"' && c != '\\') {
            return false;
        }
        buffer_append(out, &c, 1);
    }
    return true;
}

/* Lines of one stream share a frame, since clients take far longer for a frame than for a line.
 * Where something of davitd's stands before each line, a client may take each frame for one. */
static bool shares_frame(const struct log_stream *log, bool is_stdout)
{
    return log->last_stream == (is_stdout ? 1 : 2) && !log->query.has_timestamps &&
           !log->query.has_details && log->frames.length - log->last_frame < SHARED_FRAME_BYTES;
}

/* Begins an entry, in a frame whose header is completed when its length is known. Returns where the
 * frame begins. */
static size_t open_frame(struct log_stream *log, bool is_stdout, const char *time,
                         size_t time_length)
{
    size_t position = log->frames.length;
    const unsigned char header[STREAM_FRAME_HEADER] = {0};

    if (!log->is_raw && shares_frame(log, is_stdout))
        position = log->last_frame;
    else if (!log->is_raw)
        buffer_append(&log->frames, header, sizeof(header));
    if (log->query.has_timestamps) {
        buffer_append(&log->frames, time, time_length);
        buffer_append(&log->frames, " ", 1);
    }
    return position;
}

static void close_frame(struct log_stream *log, size_t position, bool is_stdout)
{
    if (log->is_raw)
        return;
    stream_frame_header((unsigned char *)log->frames.data + position, is_stdout ? 1 : 2,
                        log->frames.length - position - STREAM_FRAME_HEADER);
    log->last_frame = position;
    log->last_stream = is_stdout ? 1 : 2;
}

enum reach {
    REACH_WITHIN,
    REACH_BEFORE,
    REACH_BEYOND, /* nothing later is wanted either */
};

static enum reach find_reach(const struct log_stream *log, const char *time, size_t length)
{
    char copy[CLOCK_RFC3339_SIZE];
    int64_t time_ns;

    if (log->query.since_ns == 0 && log->query.until_ns == 0)
        return REACH_WITHIN;
    snprintf(copy, sizeof(copy), "%.*s", (int)length, time);
    if (clock_parse_rfc3339(copy, &time_ns) < 0 || time_ns < log->query.since_ns)
        return REACH_BEFORE;
    return log->query.until_ns != 0 && time_ns > log->query.until_ns ? REACH_BEYOND : REACH_WITHIN;
}

/* "name=value,other=value ", as Docker writes them; a space where there are none. */
static void append_details(struct buffer *out, const struct string_map *attributes)
{
    for (size_t i = 0; i < attributes->count; i++)
        buffer_printf(out, "%s%s=%s", i > 0 ? "," : "", attributes->items[i].name,
                      attributes->items[i].value);
    buffer_append(out, " ", 1);
}

/* Decodes an entry whose line has NUL, which texts of JSON cannot have here: all but the line,
 * which *raw is then. */
static int decode_around_line(struct arena *arena, const char *text, size_t length,
                              struct entry *entry, struct raw_entry *raw)
{
    static const char prefix[] = "{\"log\":\"";
    const char *start = text + strlen(prefix);
    const char *end = text + length;
    const char *quote = start;
    const char *rest;

    if (length < strlen(prefix) || memcmp(text, prefix, strlen(prefix)) != 0)
        return -EINVAL;
    while (quote < end && *quote != '"')
        quote += *quote == '\\' ? 2 : 1;
    if (quote >= end)
        return -EINVAL;
    *raw = (struct raw_entry){.log = start, .log_length = (size_t)(quote - start)};
    rest = arena_printf(arena, "%s%.*s", prefix, (int)(end - quote), quote);
    return json_decode_text(arena, rest, strlen(rest), &entry_type, entry, NULL);
}

/* Sends an entry that has attributes, or that another program wrote: it is parsed as JSON. */
static bool send_foreign(struct log_stream *log, const char *line, size_t length)
{
    cleanup_arena struct arena arena = {0};
    const size_t before = log->frames.length;
    struct raw_entry raw = {0};
    struct entry entry = {0};
    enum reach reach;
    bool is_stdout;
    size_t position;

    /* A line that a crash of the machine cut off is skipped. */
    if (json_decode_text(&arena, line, length, &entry_type, &entry, NULL) < 0 &&
        decode_around_line(&arena, line, length, &entry, &raw) < 0)
        return true;
    is_stdout = strcmp(entry.stream, "stdout") == 0;
    reach = find_reach(log, entry.time, strlen(entry.time));
    if (reach != REACH_WITHIN || (is_stdout ? !log->query.wants_stdout : !log->query.wants_stderr))
        return reach != REACH_BEYOND;
    position = open_frame(log, is_stdout, entry.time, strnlen(entry.time, CLOCK_RFC3339_SIZE));
    if (log->query.has_details)
        append_details(&log->frames, &entry.attributes);
    if (raw.log == NULL)
        buffer_append_string(&log->frames, entry.log);
    else if (!append_unescaped(&log->frames, raw.log, raw.log_length)) {
        log->frames.length = before;
        return true;
    }
    close_frame(log, position, is_stdout);
    return true;
}

/* Returns false when the entry lies beyond `until`. */
static bool send_entry(struct log_stream *log, const char *line, size_t length)
{
    struct raw_entry entry;
    const size_t before = log->frames.length;
    enum reach reach;
    size_t position;

    if (log->query.has_details || !read_raw(line, length, &entry))
        return send_foreign(log, line, length);
    reach = find_reach(log, entry.time, entry.time_length);
    if (reach != REACH_WITHIN ||
        (entry.is_stdout ? !log->query.wants_stdout : !log->query.wants_stderr))
        return reach != REACH_BEYOND;
    position = open_frame(log, entry.is_stdout, entry.time, entry.time_length);
    if (!append_unescaped(&log->frames, entry.log, entry.log_length)) {
        log->frames.length = before;
        return send_foreign(log, line, length);
    }
    close_frame(log, position, entry.is_stdout);
    return true;
}

/* Sends the complete lines that have been read. Returns false if the stream is at its end. */
static bool send_lines(struct log_stream *log)
{
    char *position = log->pending.data;
    size_t left = log->pending.length;
    bool goes_on = true;

    while (left > 0 && goes_on) {
        const char *newline = memchr(position, '\n', left);
        size_t length;

        if (newline == NULL)
            break;
        length = (size_t)(newline - position) + 1;
        goes_on = send_entry(log, position, length - 1);
        position += length;
        left -= length;
    }
    buffer_consume(&log->pending, log->pending.length - left);
    /* It goes on when the client has room again. */
    if (!log->client->bytes(log->client, log->frames.data, log->frames.length))
        log->is_client_full = true;
    log->frames.length = 0;
    log->last_stream = 0;
    if (log->pending.length > ENTRY_MAX)
        log->pending.length = 0;
    return goes_on;
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *context)
{
    struct log_stream *log = context;

    (void)source;
    (void)event;
    sd_event_source_set_enabled(log->turn, SD_EVENT_ON);
    return 0;
}

/* Wakes the stream when its file is written to or rotated. */
static void log_watch_file(struct log_stream *log)
{
    char path[PATH_FD_SIZE];

    log->watch = sd_event_source_disable_unref(log->watch);
    sd_event_add_inotify(sd_event_source_get_event(log->turn), &log->watch,
                         path_of_fd(path, log->fd), IN_MODIFY | IN_MOVE_SELF, on_change, log);
}

/* At the end of a file: goes on to the next if the log was rotated. True if there may be more to
 * read. The first call only opens the next file, so that this one is read to its end before. */
static bool log_switch_file(struct log_stream *log)
{
    struct stat status;

    if (log->next_fd >= 0) {
        fd_close(&log->fd);
        log->fd = log->next_fd;
        log->next_fd = -1;
        if (log->query.follows)
            log_watch_file(log);
        return true;
    }
    log->next_fd = log_files_open_next(log->directory_fd, log->id, log->fd);
    if (log->next_fd >= 0)
        return true;
    log->next_fd = -1;
    /* Emptied: a log of one file begins anew. */
    if (fstat(log->fd, &status) < 0 || status.st_size >= lseek(log->fd, 0, SEEK_CUR))
        return false;
    lseek(log->fd, 0, SEEK_SET);
    log->pending.length = 0;
    return true;
}

/* One piece a turn of the loop. */
static int on_turn(sd_event_source *source, void *context)
{
    struct log_stream *log = context;
    ssize_t count;

    if (log->is_client_full) {
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
    }
    count = read(log->fd, buffer_reserve(&log->pending, READ_BYTES),
                 log->left < READ_BYTES ? (size_t)log->left : READ_BYTES);
    if (count > 0) {
        if (!log->query.follows)
            log->left -= (uint64_t)count;
        log->pending.length += (size_t)count;
        if (!send_lines(log))
            log->client->ended(log->client);
        return 0;
    }
    if (count == 0 && log->left > 0 && log_switch_file(log))
        return 0;
    if (!log->query.follows || log->has_container_ended || count < 0) {
        log->client->ended(log->client);
        return 0;
    }
    /* At the end for now: the file's watch wakes us. */
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

/* Where the last *count lines begin. -1: the file has fewer; *count is what is missing then. */
static off_t find_tail(int fd, long *count)
{
    char block[65536];
    off_t position = lseek(fd, 0, SEEK_END);
    bool is_last = true;

    while (position > 0) {
        size_t size = position > (off_t)sizeof(block) ? sizeof(block) : (size_t)position;

        position -= (off_t)size;
        if (pread(fd, block, size, position) != (ssize_t)size)
            return 0;
        for (size_t i = size; i > 0; i--) {
            /* The newline that ends the last line does not begin another. */
            if (block[i - 1] == '\n' && !is_last && --*count == 0)
                return position + (off_t)i;
            is_last = false;
        }
    }
    if (!is_last)
        --*count;
    return *count == 0 ? 0 : -1;
}

/* Goes back from the newest file until there are enough lines. */
static void find_start(struct log_stream *log, long count)
{
    off_t start = -1;

    while (start < 0) {
        int previous_fd;

        start = count > 0 ? find_tail(log->fd, &count) : lseek(log->fd, 0, SEEK_END);
        if (start >= 0)
            break;
        previous_fd = log_files_open_previous(log->directory_fd, log->id, log->fd);
        if (previous_fd < 0) {
            start = 0;
            break;
        }
        fd_close(&log->fd);
        log->fd = previous_fd;
    }
    lseek(log->fd, start, SEEK_SET);
}

/* Bytes from the place in the first file to the end of the newest. */
static uint64_t count_left(const struct log_stream *log)
{
    cleanup_close int fd = fcntl(log->fd, F_DUPFD_CLOEXEC, 0);
    off_t position = lseek(log->fd, 0, SEEK_CUR);
    uint64_t left = 0;

    while (fd >= 0) {
        struct stat status;
        int next_fd = log_files_open_next(log->directory_fd, log->id, fd);

        if (fstat(fd, &status) == 0 && status.st_size > position)
            left += (uint64_t)(status.st_size - position);
        position = 0;
        fd_close(&fd);
        fd = next_fd;
    }
    return left;
}

/* Opens the file that the answer begins with, at its place in it. */
static int open_log(struct log_stream *log, const struct managed_container *container,
                    struct error *err)
{
    const char *driver = container->definition->host_config.log_config.type;

    if (driver != NULL && strcmp(driver, "none") == 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "configured logging driver does not support reading");
    snprintf(log->id, sizeof(log->id), "%s", container->definition->id);
    log->directory_fd = container_open_directory(container);
    if (log->directory_fd < 0)
        return error_errno(err, -log->directory_fd, "container directory");
    /* A container that never ran has an empty log. */
    log->fd = log_files_open_oldest(log->directory_fd, log->id, err);
    if (log->fd < 0 || log->query.tail < 0)
        return log->fd;
    for (int next_fd = log->fd; next_fd >= 0;) {
        next_fd = log_files_open_next(log->directory_fd, log->id, log->fd);
        if (next_fd < 0)
            break;
        fd_close(&log->fd);
        log->fd = next_fd;
    }
    find_start(log, log->query.tail);
    return 0;
}

int logs_open(struct managed_container *container, const struct log_query *query,
              struct log_client *client, struct log_stream **opened, struct error *err)
{
    struct log_stream *log = memory_new_one(struct log_stream);

    log->client = client;
    log->query = *query;
    log->query.follows = query->follows && container->status == CONTAINER_RUNNING;
    log->is_raw = container->definition->config.has_terminal;
    log->fd = log->next_fd = log->directory_fd = -1;
    if (open_log(log, container, err) < 0) {
        logs_close(log);
        return -err->errnum;
    }
    sd_event_add_defer(container->containers->loop, &log->turn, on_turn, log);
    sd_event_source_set_enabled(log->turn, SD_EVENT_ON);
    log->left = log->query.follows ? UINT64_MAX : count_left(log);
    if (log->query.follows) {
        log->container = container;
        log->next = *streams_of(container);
        *streams_of(container) = log;
        log_watch_file(log);
    }
    *opened = log;
    return 0;
}

void logs_resume(struct log_stream *log)
{
    log->is_client_full = false;
    sd_event_source_set_enabled(log->turn, SD_EVENT_ON);
}

static void end_logs(struct managed_container *container)
{
    while (*streams_of(container) != NULL) {
        struct log_stream *log = *streams_of(container);

        unfollow(log);
        log->has_container_ended = true;
        sd_event_source_set_enabled(log->turn, SD_EVENT_ON);
    }
}

const struct container_part log_part = {
    .name = "logs",
    .state_size = sizeof(struct log_stream *),
    .ended = end_logs,
};
