/* Progress of pulls and loads: see progress.h. */
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

void progress_begin(struct progress *progress, FILE *out, bool is_quiet)
{
    memset(progress, 0, sizeof(*progress));
    progress->out = out;
    progress->is_quiet = is_quiet;
    progress->is_terminal = isatty(fileno(out));
}

/* Prints no control characters: a terminal would obey those that a registry or image sends. */
static void print_plain(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
}

static struct progress_line *find_line(struct progress *progress, const char *id, bool *is_new)
{
    struct progress_line *line;

    *is_new = false;
    for (size_t i = 0; i < progress->line_count; i++) {
        if (strcmp(progress->lines[i].id, id) == 0)
            return &progress->lines[i];
    }
    if (progress->line_count == PROGRESS_LINES_MAX)
        return NULL;
    *is_new = true;
    line = &progress->lines[progress->line_count++];
    line->id = arena_strdup(&progress->arena, id);
    return line;
}

/* Moves the cursor up to the layer's line, writes over it, and moves down to where a new line goes.
 */
static void show_on_terminal(struct progress *progress, const struct progress_line *line,
                             bool is_new, const char *status, const char *bar)
{
    size_t up = progress->line_count - (size_t)(line - progress->lines);

    if (!is_new)
        fprintf(progress->out, "\033[%zuA\r\033[2K", up);
    print_plain(progress->out, line->id);
    fputs(": ", progress->out);
    print_plain(progress->out, status);
    if (bar != NULL) {
        fputc(' ', progress->out);
        print_plain(progress->out, bar);
    }
    fputs("\n", progress->out);
    if (!is_new && up > 1)
        fprintf(progress->out, "\033[%zuB\r", up - 1);
    fflush(progress->out);
}

static void show_status(struct progress *progress, const char *id, const char *status,
                        const char *bar)
{
    bool is_new = false;
    struct progress_line *line = id != NULL ? find_line(progress, id, &is_new) : NULL;

    if (progress->is_quiet || (id != NULL && line == NULL))
        return;
    if (line == NULL) {
        print_plain(progress->out, status);
        fputs("\n", progress->out);
        return;
    }
    if (progress->is_terminal) {
        show_on_terminal(progress, line, is_new, status, bar);
        return;
    }
    if (line->status != NULL && strcmp(line->status, status) == 0)
        return;
    line->status = arena_strdup(&progress->arena, status);
    print_plain(progress->out, id);
    fputs(": ", progress->out);
    print_plain(progress->out, status);
    fputs("\n", progress->out);
}

static void show(struct progress *progress, const char *text, size_t length)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json;
    const char *stream;
    const char *status;
    const char *error;

    if (json_parse(&arena, text, length, &json_default_limits, &json, NULL) < 0)
        return;
    stream = json_get_string(json, "stream");
    status = json_get_string(json, "status");
    error = json_get_string(json, "error");
    if (stream != NULL)
        fputs(stream, progress->out);
    if (status != NULL)
        show_status(progress, json_get_string(json, "id"), status,
                    json_get_string(json, "progress"));
    if (error != NULL)
        error_set(&progress->err, ERROR_INTERNAL, EPROTO, "%s", error);
}

int progress_take(void *context, const char *bytes, size_t length)
{
    struct progress *progress = context;
    char *newline;

    buffer_append(&progress->line, bytes, length);
    while ((newline = memchr(progress->line.data, '\n', progress->line.length)) != NULL) {
        size_t used = (size_t)(newline - progress->line.data) + 1;

        show(progress, progress->line.data, used);
        buffer_consume(&progress->line, used);
    }
    return 0;
}

int progress_end(struct progress *progress, int result, struct error *err)
{
    if (progress->line.length > 0)
        show(progress, progress->line.data, progress->line.length);
    buffer_release(&progress->line);
    arena_release(&progress->arena);
    if (result < 0 || progress->err.errnum == 0)
        return result;
    *err = progress->err;
    return -err->errnum;
}
