/* Running CRIU: see criu.h. */
#include "criu.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/mount_options.h"

#define CRIU_PROGRAM "criu"
#define CRIU_CONFIG_ANNOTATION "org.criu.config"
#define LOG_MAX_BYTES (16 << 20)

/* Ours, and CRIU's name for the same. */
static const struct {
    const char *name;
    int has_value;
    const char *criu;
} shared_options[] = {
    {"auto-dedup", no_argument, "--auto-dedup"},
    {"empty-ns", required_argument, "--empty-ns"},
    {"ext-unix-sk", no_argument, "--ext-unix-sk"},
    {"file-locks", no_argument, "--file-locks"},
    {"link-remap", no_argument, "--link-remap"},
    {"lsm-mount-context", required_argument, "--lsm-mount-context"},
    {"lsm-profile", required_argument, "--lsm-profile"},
    {"manage-cgroups-mode", required_argument, "--manage-cgroups"},
    {"shell-job", no_argument, "--shell-job"},
    {"tcp-close", no_argument, "--tcp-close"},
    {"tcp-established", no_argument, "--tcp-established"},
    {"tcp-skip-in-flight", no_argument, "--skip-in-flight"},
};

size_t criu_add_options(struct option *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(shared_options); i++)
        options[i] = (struct option){shared_options[i].name, shared_options[i].has_value, NULL,
                                     CRIU_OPTION_FIRST + (int)i};
    return ARRAY_SIZE(shared_options);
}

bool criu_take_option(struct criu *criu, int option, const char *value)
{
    int index = option - CRIU_OPTION_FIRST;

    if (index < 0 || index >= (int)ARRAY_SIZE(shared_options))
        return false;
    if (strcmp(shared_options[index].name, "empty-ns") == 0)
        value = strcmp(value, "network") == 0 ? "net" : value;
    if (strcmp(shared_options[index].name, "manage-cgroups-mode") == 0)
        criu_add(criu, arena_printf(&criu->arena, "%s=%s", shared_options[index].criu, value));
    else
        criu_add(criu, shared_options[index].criu);
    if (value != NULL && strcmp(shared_options[index].name, "manage-cgroups-mode") != 0)
        criu_add(criu, arena_strdup(&criu->arena, value));
    return true;
}

void criu_add(struct criu *criu, const char *argument)
{
    string_list_append(&criu->arena, &criu->arguments, argument);
}

void criu_add_value(struct criu *criu, const char *option, const char *format, ...)
{
    char value[8192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(value, sizeof(value), format, arguments);
    va_end(arguments);
    criu_add(criu, option);
    criu_add(criu, arena_strdup(&criu->arena, value));
}

static bool is_installed(void)
{
    static const char *const places[] = {"/usr/sbin/criu", "/usr/local/sbin/criu", "/usr/bin/criu",
                                         "/usr/local/bin/criu", "/sbin/criu"};

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (access(places[i], X_OK) == 0)
            return true;
    }
    return false;
}

int criu_begin_command(struct criu *criu, const char *command, struct error *err)
{
    struct string_list given = criu->arguments;

    if (!is_installed())
        return error_set(err, ERROR_UNSUPPORTED, ENOENT,
                         "checkpoint and restore need CRIU (https://criu.org), which is not "
                         "installed");
    criu->arguments = (struct string_list){0};
    criu_add(criu, CRIU_PROGRAM);
    criu_add(criu, command);
    criu_add_value(criu, "--images-dir", "%s", criu->images_path);
    criu_add_value(criu, "--work-dir", "%s", criu->work_path);
    criu_add_value(criu, "--log-file", "%s", criu->log_name);
    criu_add(criu, "-v4");
    for (size_t i = 0; i < given.count; i++)
        criu_add(criu, given.items[i]);
    return 0;
}

static void add_mount(struct criu *criu, const char *name, const char *source)
{
    criu_add_value(criu, "--external", "mnt[%s]:%s", name, source != NULL ? source : name);
}

static const char *absolute_source(struct criu *criu, const char *bundle_path, const char *source)
{
    if (bundle_path == NULL || source == NULL || source[0] == '/')
        return source;
    return arena_printf(&criu->arena, "%s/%s", bundle_path, source);
}

/* What is masked in procfs and sysfs is on the host what it is in every container. */
static bool is_file(int rootfs_fd, const char *path)
{
    cleanup_close int fd = strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0
                               ? open(path, O_PATH | O_CLOEXEC)
                               : path_open_in_root(rootfs_fd, path, O_PATH, 0);
    struct stat status;

    return fd >= 0 && fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode);
}

/* At a restore what is named at the dump is replaced: "mnt[NAME]:SOURCE". */
void criu_add_mounts(struct criu *criu, const struct oci_config *config, const char *rootfs,
                     const char *bundle_path)
{
    cleanup_close int rootfs_fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *profile = string_map_get(&config->annotations, CRIU_CONFIG_ANNOTATION);

    for (size_t i = 0; i < config->mounts.count; i++) {
        const struct oci_mount *mount = &config->mounts.items[i];
        struct mount_options options;

        if (mount_options_parse(&criu->arena, mount, &options, NULL) == 0 && options.is_bind)
            add_mount(criu, mount->destination,
                      bundle_path != NULL ? absolute_source(criu, bundle_path, mount->source)
                                          : NULL);
    }
    /* Files are masked by the host's null device; directories by a tmpfs, which CRIU saves. */
    for (size_t i = 0; i < config->linux->masked_paths.count; i++) {
        const char *path = config->linux->masked_paths.items[i];

        if (is_file(rootfs_fd, path))
            add_mount(criu, path, bundle_path != NULL ? "/dev/null" : NULL);
    }
    if (profile != NULL)
        criu_add_value(criu, "--config", "%s", profile);
}

/* CRIU wants the root of the tree to be a mount. We make one in a mount namespace of our own, so
 * that nobody else sees it. */
static int enter_mount_namespace(const char *rootfs)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -errno;
    return 0;
}

static _Noreturn void execute_criu(const struct criu *criu, const char *rootfs)
{
    cleanup_arena struct arena arena = {0};
    char **arguments = arena_new(&arena, criu->arguments.count + 1, sizeof(*arguments));

    for (size_t i = 0; i < criu->arguments.count; i++)
        arguments[i] = arena_strdup(&arena, criu->arguments.items[i]);
    if (rootfs == NULL || enter_mount_namespace(rootfs) == 0)
        execvp(arguments[0], arguments);
    _exit(127);
}

/* Finds the first line of CRIU's log that tells of an error, or "". Later lines are consequences of
 * it. */
static void find_reason(const struct criu *criu, char *reason, size_t size)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_free char *path = memory_printf("%s/%s", criu->work_path, criu->log_name);
    const char *position;

    reason[0] = '\0';
    if (file_read(AT_FDCWD, path, LOG_MAX_BYTES, &text, NULL) < 0)
        return;
    position = strstr(buffer_text(&text), "Error ");
    if (position != NULL)
        snprintf(reason, size, ": %.*s", (int)strcspn(position, "\n"), position);
}

int criu_run(struct criu *criu, const char *rootfs, struct error *err)
{
    char reason[400];
    int status = -1;
    pid_t pid = fork();

    if (pid < 0)
        return error_errno(err, errno, "run CRIU");
    if (pid == 0)
        execute_criu(criu, rootfs);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    find_reason(criu, reason, sizeof(reason));
    return error_set(err, ERROR_INTERNAL, EIO, "CRIU failed, see %s/%s%s", criu->work_path,
                     criu->log_name, reason);
}

void criu_release(struct criu *criu)
{
    arena_release(&criu->arena);
}
