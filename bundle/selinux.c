/* SELinux contexts of containers: see selinux.h. */
#include "selinux.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

#define FILE_MAX_BYTES 65536

bool selinux_is_enabled(void)
{
    return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

enum part { PART_USER, PART_ROLE, PART_TYPE, PART_LEVEL, PART_COUNT };

/* The value of "NAME=value" or "NAME = "value"", without quotes; NULL if no line says it. */
static const char *find_setting(struct arena *arena, const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *rest = line + strspn(line, " \t");
        size_t line_length;

        if (strncmp(rest, name, length) == 0) {
            rest += length;
            rest += strspn(rest, " \t");
            if (*rest == '=') {
                rest++;
                rest += strspn(rest, " \t\"");
                line_length = strcspn(rest, " \t\"\n#");
                return line_length > 0 ? arena_strndup(arena, rest, line_length) : NULL;
            }
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return NULL;
}

/* Four parts at least; the level, the last, may have colons in it. */
static bool is_context(const char *text)
{
    int colons = 0;

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == ':')
            colons++;
        else if (!isgraph((unsigned char)*c))
            return false;
    }
    return colons >= PART_COUNT - 1;
}

/* Whether the policy that the kernel has loaded knows the context: there are distributions whose
 * lxc_contexts(5) names types that their policy does not have. */
static bool is_valid(const char *context)
{
    cleanup_close int fd = open("/sys/fs/selinux/context", O_RDWR | O_CLOEXEC);
    size_t length = strlen(context) + 1;

    return fd >= 0 && write(fd, context, length) == (ssize_t)length;
}

void selinux_find_contexts(struct arena *arena, struct selinux_contexts *contexts)
{
    cleanup_buffer struct buffer config = {0};
    cleanup_buffer struct buffer text = {0};
    const char *policy;

    *contexts = (struct selinux_contexts){0};
    if (!selinux_is_enabled() ||
        file_read(AT_FDCWD, "/etc/selinux/config", FILE_MAX_BYTES, &config, NULL) < 0)
        return;
    policy = find_setting(arena, buffer_text(&config), "SELINUXTYPE");
    if (policy == NULL || strchr(policy, '/') != NULL ||
        file_read(AT_FDCWD, arena_printf(arena, "/etc/selinux/%s/contexts/lxc_contexts", policy),
                  FILE_MAX_BYTES, &text, NULL) < 0)
        return;
    contexts->process = find_setting(arena, buffer_text(&text), "process");
    contexts->file = find_setting(arena, buffer_text(&text), "file");
    if (contexts->file == NULL)
        contexts->file = find_setting(arena, buffer_text(&text), "content");
    if (contexts->process == NULL || contexts->file == NULL || !is_context(contexts->process) ||
        !is_context(contexts->file) || !is_valid(contexts->process) || !is_valid(contexts->file))
        *contexts = (struct selinux_contexts){0};
}

static void split(struct arena *arena, const char *context, char *parts[PART_COUNT])
{
    char *rest = arena_strdup(arena, context);

    for (int i = 0; i < PART_LEVEL; i++)
        parts[i] = strsep(&rest, ":");
    parts[PART_LEVEL] = rest;
}

static const char *change(struct arena *arena, const char *context, const char *user,
                          const char *role, const char *type, const char *level)
{
    char *parts[PART_COUNT];

    split(arena, context, parts);
    return arena_printf(arena, "%s:%s:%s:%s", user != NULL ? user : parts[PART_USER],
                        role != NULL ? role : parts[PART_ROLE],
                        type != NULL ? type : parts[PART_TYPE],
                        level != NULL ? level : parts[PART_LEVEL]);
}

void selinux_change(struct arena *arena, const struct selinux_contexts *contexts,
                    const struct selinux_parts *parts, struct selinux_contexts *changed)
{
    changed->process =
        change(arena, contexts->process, parts->user, parts->role, parts->type, parts->level);
    changed->file =
        change(arena, contexts->file, parts->user, NULL, parts->file_type, parts->level);
}

const char *selinux_shared(struct arena *arena, const char *context)
{
    char *parts[PART_COUNT];

    split(arena, context, parts);
    parts[PART_LEVEL][strcspn(parts[PART_LEVEL], ":-")] = '\0';
    return arena_printf(arena, "%s:%s:%s:%s", parts[PART_USER], parts[PART_ROLE], parts[PART_TYPE],
                        parts[PART_LEVEL]);
}
