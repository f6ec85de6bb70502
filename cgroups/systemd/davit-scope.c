/*
 * davit-scope: systemd scopes for davit-oci, which is static and cannot have libsystemd.
 *
 *   davit-scope start   the scope as a JSON document on standard input; prints its cgroup
 *   davit-scope set     the same document: changes the properties of a running scope
 *   davit-scope stop    only "unit" of the document counts
 *
 * Errors go to standard error, and the exit status is 1.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "scope.h"

#define DOCUMENT_MAX (1 << 20)

static int read_scope(struct arena *arena, struct systemd_scope *scope, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = file_read_fd(STDIN_FILENO, DOCUMENT_MAX, &text);

    if (result < 0)
        return error_errno(err, -result, "standard input");
    return json_decode_text(arena, buffer_text(&text), text.length, &systemd_scope_type, scope,
                            err);
}

static int run_scope_command(const char *command, const struct systemd_scope *scope,
                             struct error *err)
{
    char path[CGROUP_PATH_SIZE];
    int result;

    if (strcmp(command, "set") == 0)
        return systemd_scope_set(scope, err);
    if (strcmp(command, "stop") == 0)
        return systemd_scope_stop(scope->unit, err);
    if (strcmp(command, "start") != 0)
        return error_set(err, ERROR_INVALID, EINVAL, "unknown command \"%.16s\"", command);
    result = systemd_scope_start(scope, path, err);
    if (result == 0)
        puts(path);
    return result;
}

int main(int argc, char **argv)
{
    cleanup_arena struct arena arena = {0};
    struct systemd_scope scope = {0};
    struct error err = {0};
    int result;

    if (argc != 2) {
        fprintf(stderr, "usage: davit-scope start|set|stop <DOCUMENT\n");
        return 2;
    }
    result = read_scope(&arena, &scope, &err);
    if (result == 0)
        result = run_scope_command(argv[1], &scope, &err);
    if (result < 0)
        fprintf(stderr, "%s\n", err.message);
    return result < 0 ? 1 : 0;
}
