/* --env-file, --label-file and --cidfile. See create_values.h and create_options.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "create_values.h"

#define FILE_MAX_BYTES (1 << 20)
#define LINES_MAX 4096

/* A line of the file, without white space before it. */
typedef int line_function(const struct option_reader *reader, const char *line);

/* As docker reads such files: a line each, no quotes and no escapes; "#" begins a comment where a
 * line begins. */
static int each_line(const struct option_reader *reader, const char *path, line_function *take)
{
    cleanup_buffer struct buffer text = {0};
    struct error *err = &reader->cli->err;
    char *rest;
    int number = 0;
    int taken = 0;

    if (file_read_any(path, FILE_MAX_BYTES, &text, err) < 0)
        return error_prefix(err, "--%s %s", reader->row->name, path);
    if (memchr(text.data, '\0', text.length) != NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "--%s %s: it has a zero byte",
                         reader->row->name, path);
    buffer_append(&text, "", 1);
    rest = text.data;
    if (strncmp(rest, "\xEF\xBB\xBF", 3) == 0)
        rest += 3;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        number++;
        size_t length = strlen(line);

        if (length > 0 && line[length - 1] == '\r')
            line[length - 1] = '\0';
        line += strspn(line, " \t");
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (++taken > LINES_MAX)
            return error_set(err, ERROR_INVALID, E2BIG,
                             "--%s %s: more than the %d lines that davitd takes", reader->row->name,
                             path, LINES_MAX);
        if (take(reader, line) < 0)
            return error_prefix(err, "--%s %s: line %d", reader->row->name, path, number);
    }
    return 0;
}

static int check_name(const struct option_reader *reader, const char *line)
{
    size_t length = strcspn(line, "=");

    if (length > 0 && strcspn(line, " \t") >= length)
        return 0;
    return error_set(&reader->cli->err, ERROR_INVALID, EINVAL, "\"%.64s\" is not NAME[=VALUE]",
                     line);
}

/* A name alone stands for the variable of ours, if there is one. */
static int take_variable(const struct option_reader *reader, const char *line)
{
    if (check_name(reader, line) < 0)
        return -EINVAL;
    if (strchr(line, '=') == NULL && getenv(line) == NULL)
        return 0;
    return read_env(reader, line);
}

static int take_label(const struct option_reader *reader, const char *line)
{
    size_t length = strcspn(line, "=");
    cleanup_free char *name = memory_printf("%.*s", (int)length, line);
    struct request_value *labels = request_at(reader->request, reader->object, reader->row->member);

    if (check_name(reader, line) < 0)
        return -EINVAL;
    request_set_text(reader->request, request_member(reader->request, labels, name),
                     line[length] == '=' ? line + length + 1 : "");
    return 0;
}

int read_env_file(const struct option_reader *reader, const char *text)
{
    return each_line(reader, text, take_variable);
}

int read_label_file(const struct option_reader *reader, const char *text)
{
    return each_line(reader, text, take_label);
}

int create_id_file_open(struct cli *cli, const char *path, int *fd)
{
    *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (*fd >= 0)
        return 0;
    if (errno == EEXIST)
        return error_set(&cli->err, ERROR_CONFLICT, EEXIST,
                         "--cidfile %s: it is there already; remove it, or name another", path);
    return error_errno(&cli->err, errno, "--cidfile %s", path);
}

int create_id_file_close(struct cli *cli, const char *path, int fd, const char *id)
{
    int result = id != NULL ? file_write_fd(fd, id, strlen(id)) : 0;

    close(fd);
    if (id == NULL || result < 0)
        unlink(path);
    return result < 0 ? error_errno(&cli->err, -result, "--cidfile %s", path) : 0;
}
