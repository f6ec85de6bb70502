/* Security modules of the kernel: AppArmor's profiles and SELinux's contexts of files. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime.h"

#define CONTEXT_ATTRIBUTE "security.selinux"
#define CONTEXT_MAX 4096
#define PROFILES_MAX_BYTES (4 << 20)

/* Not by securityfs, which Podman hides before it starts containers with user namespaces. */
bool apparmor_is_enabled(void)
{
    cleanup_buffer struct buffer text = {0};

    return file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text, NULL) == 0 &&
           buffer_text(&text)[0] == 'Y';
}

/* The kernel lists them as "NAME (MODE)", a line each. */
bool apparmor_has_profile(const char *name)
{
    cleanup_buffer struct buffer text = {0};
    size_t length = strlen(name);

    if (!apparmor_is_enabled() || file_read(AT_FDCWD, "/sys/kernel/security/apparmor/profiles",
                                            PROFILES_MAX_BYTES, &text, NULL) < 0)
        return false;
    for (const char *line = buffer_text(&text); line != NULL;) {
        if (strncmp(line, name, length) == 0 && strncmp(line + length, " (", 2) == 0)
            return true;
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return false;
}

/* A container that asks for these is mistaken: the host would not work any more. Links that stand
 * for some of them are resolved before. */
static bool is_of_system(const char *path)
{
    static const char *const directories[] = {"/",
                                              "/bin",
                                              "/boot",
                                              "/dev",
                                              "/etc",
                                              "/home",
                                              "/lib",
                                              "/lib32",
                                              "/lib64",
                                              "/libx32",
                                              "/media",
                                              "/mnt",
                                              "/opt",
                                              "/proc",
                                              "/root",
                                              "/run",
                                              "/sbin",
                                              "/srv",
                                              "/sys",
                                              "/tmp",
                                              "/usr",
                                              "/usr/bin",
                                              "/usr/include",
                                              "/usr/lib",
                                              "/usr/lib32",
                                              "/usr/lib64",
                                              "/usr/libx32",
                                              "/usr/libexec",
                                              "/usr/local",
                                              "/usr/local/bin",
                                              "/usr/local/lib",
                                              "/usr/local/sbin",
                                              "/usr/local/share",
                                              "/usr/sbin",
                                              "/usr/share",
                                              "/usr/src",
                                              "/var",
                                              "/var/cache",
                                              "/var/lib",
                                              "/var/log",
                                              "/var/run",
                                              "/var/spool",
                                              "/var/tmp"};

    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        if (strcmp(path, directories[i]) == 0)
            return true;
    }
    return false;
}

static bool has_context(const char *path, const char *context)
{
    char found[CONTEXT_MAX + 1] = "";

    return getxattr(path, CONTEXT_ATTRIBUTE, found, CONTEXT_MAX) > 0 && strcmp(found, context) == 0;
}

/* fts(3) walks by descriptors and follows no symlink, whoever changes the tree meanwhile. */
static int label_below(const char *name, const char *context, struct error *err)
{
    char *const paths[] = {(char[]){"."}, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
    FTSENT *entry;
    int result = 0;

    if (tree == NULL)
        return error_errno(err, errno, "read %s", name);
    while (result == 0 && (entry = fts_read(tree)) != NULL) {
        /* A directory comes again when what is in it is done, and gets its label then: where the
         * root has one, all have. */
        if (entry->fts_info == FTS_D)
            continue;
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
            result = error_errno(err, entry->fts_errno, "read %s: %s", name, entry->fts_path);
        else if (lsetxattr(entry->fts_accpath, CONTEXT_ATTRIBUTE, context, strlen(context) + 1, 0) <
                     0 &&
                 errno != ENOENT && errno != ENOTSUP)
            result = error_errno(err, errno, "label %s: %s \"%s\"", name, entry->fts_path, context);
    }
    fts_close(tree);
    return result;
}

int selinux_label_tree(int directory_fd, const char *path, const char *context, struct error *err)
{
    cleanup_close int fd = openat(directory_fd, path, O_PATH | O_CLOEXEC);
    char link[PATH_FD_SIZE];
    char real[PATH_MAX];
    ssize_t length;
    int result;

    if (fd < 0)
        return error_errno(err, errno, "%s", path);
    length = readlink(path_of_fd(link, fd), real, sizeof(real) - 1);
    if (length < 0)
        return error_errno(err, errno, "%s", path);
    real[length] = '\0';
    if (is_of_system(real))
        return error_set(err, ERROR_DENIED, EPERM,
                         "%s belongs to the host's system and is not labelled for containers",
                         real);
    if (has_context(link, context))
        return 0;
    /* From here on nothing is looked up by the path: it may lead elsewhere by now. */
    if (fchdir(fd) < 0)
        return setxattr(link, CONTEXT_ATTRIBUTE, context, strlen(context) + 1, 0) == 0 ||
                       errno == ENOTSUP
                   ? 0
                   : error_errno(err, errno, "label %s \"%s\"", real, context);
    result = label_below(real, context, err);
    return chdir("/") < 0 && result == 0 ? error_errno(err, errno, "/") : result;
}
