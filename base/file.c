/* Whole files: see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "hash.h"
#include "memory.h"

#define LOCK_PAUSE_MS 10
#define SEAL_XATTR "user.davit.sum"

int file_read_fd(int fd, size_t max_bytes, struct buffer *content)
{
    for (;;) {
        char *end = buffer_reserve(content, 4096);
        ssize_t count = read(fd, end, content->capacity - content->length - 1);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        content->length += (size_t)count;
        content->data[content->length] = '\0';
        if (content->length > max_bytes)
            return -EFBIG;
        if (count == 0)
            return 0;
    }
}

int file_open_regular(int directory_fd, const char *path, int flags, mode_t mode)
{
    cleanup_close int fd =
        openat(directory_fd, path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, mode);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    return S_ISREG(status.st_mode) ? take_fd(&fd) : -EINVAL;
}

bool file_is_special(int directory_fd, const char *path)
{
    struct stat status;

    return fstatat(directory_fd, path, &status, 0) == 0 && !S_ISREG(status.st_mode) &&
           !S_ISDIR(status.st_mode);
}

int file_read(int directory_fd, const char *path, size_t max_bytes, struct buffer *content,
              struct error *err)
{
    cleanup_close int fd = file_open_regular(directory_fd, path, O_RDONLY, 0);
    int result = fd < 0 ? fd : file_read_fd(fd, max_bytes, content);

    if (result < 0)
        return error_errno(err, -result, "read %s", path);
    return 0;
}

int file_read_any(const char *path, size_t max_bytes, struct buffer *content, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int result = fd < 0 ? -errno : file_read_fd(fd, max_bytes, content);

    return result < 0 ? error_errno(err, -result, "read %s", path) : 0;
}

int file_write_fd(int fd, const void *bytes, size_t length)
{
    const char *position = bytes;

    while (length > 0) {
        ssize_t count = write(fd, position, length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        position += count;
        length -= (size_t)count;
    }
    return 0;
}

int file_in_memory(const char *name, const void *bytes, size_t length)
{
    cleanup_close int fd = memfd_create(name, MFD_CLOEXEC);
    int result = fd < 0 ? -errno : file_write_fd(fd, bytes, length);

    if (result == 0 && lseek(fd, 0, SEEK_SET) < 0)
        result = -errno;
    return result < 0 ? result : take_fd(&fd);
}

#define TEMPORARY_SIZE 300

/* Opens a new file under a free name. A process that had our pid before may have left one when it,
 * or the machine, died. */
static int open_temporary(int directory_fd, const char *name, mode_t mode,
                          char temporary[TEMPORARY_SIZE], struct error *err)
{
    static atomic_uint counter;
    int fd;

    do {
        if (snprintf(temporary, TEMPORARY_SIZE, ".%s.%d.%u", name, (int)getpid(),
                     atomic_fetch_add(&counter, 1)) >= TEMPORARY_SIZE)
            return error_errno(err, ENAMETOOLONG, "write %s", name);
        fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    mode);
    } while (fd < 0 && errno == EEXIST);
    return fd < 0 ? error_errno(err, errno, "create %s", temporary) : fd;
}

/* A filesystem without extended attributes keeps files as they are, unsealed. */
static void seal(int fd, const void *bytes, size_t length)
{
    uint64_t sum = hash_bytes(HASH_START, bytes, length);

    fsetxattr(fd, SEAL_XATTR, &sum, sizeof(sum), 0);
}

bool file_is_sealed_as(int fd, const void *bytes, size_t length)
{
    uint64_t sum;

    return fgetxattr(fd, SEAL_XATTR, &sum, sizeof(sum)) != sizeof(sum) ||
           sum == hash_bytes(HASH_START, bytes, length);
}

int file_read_sealed(int directory_fd, const char *name, size_t max_bytes, struct buffer *content,
                     struct error *err)
{
    cleanup_close int fd = file_open_regular(directory_fd, name, O_RDONLY | O_NOFOLLOW, 0);
    int result = fd < 0 ? fd : file_read_fd(fd, max_bytes, content);

    if (result < 0)
        return error_errno(err, -result, "read %s", name);
    if (!file_is_sealed_as(fd, buffer_text(content), content->length))
        return error_set(err, ERROR_INTERNAL, EBADMSG, "%s is not what was written", name);
    return 0;
}

static bool is_regular(int directory_fd, const char *name)
{
    struct stat status;

    return fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode);
}

/* Gives the file its name. What cannot be synced is taken back: a caller who is told of a failure
 * finds what was there before. A directory would be exchanged as well, where a rename refuses it.
 */
static int publish(int directory_fd, const char *temporary, const char *name, bool is_durable)
{
    bool is_exchanged =
        is_durable && is_regular(directory_fd, name) &&
        renameat2(directory_fd, temporary, directory_fd, name, RENAME_EXCHANGE) == 0;
    int result;

    if (!is_exchanged && renameat(directory_fd, temporary, directory_fd, name) < 0)
        return -errno;
    if (!is_durable)
        return 0;
    result = fsync(directory_fd) < 0 ? -errno : 0;
    if (result < 0)
        renameat2(directory_fd, name, directory_fd, temporary, is_exchanged ? RENAME_EXCHANGE : 0);
    else if (is_exchanged)
        unlinkat(directory_fd, temporary, 0);
    return result;
}

static int replace(int directory_fd, const char *name, const void *bytes, size_t length,
                   mode_t mode, bool is_sealed, bool is_durable, struct error *err)
{
    char temporary[TEMPORARY_SIZE];
    cleanup_close int fd = open_temporary(directory_fd, name, mode, temporary, err);
    int result;

    if (fd < 0)
        return fd;
    result = file_write_fd(fd, bytes, length);
    if (is_sealed)
        seal(fd, bytes, length);
    if (result == 0 && is_durable && fsync(fd) < 0)
        result = -errno;
    if (result == 0)
        result = publish(directory_fd, temporary, name, is_durable);
    if (result < 0) {
        unlinkat(directory_fd, temporary, 0);
        return error_errno(err, -result, "write %s", name);
    }
    return 0;
}

int file_replace(int directory_fd, const char *name, const void *bytes, size_t length, mode_t mode,
                 bool is_durable, struct error *err)
{
    return replace(directory_fd, name, bytes, length, mode, false, is_durable, err);
}

int file_replace_sealed(int directory_fd, const char *name, const void *bytes, size_t length,
                        mode_t mode, bool is_durable, struct error *err)
{
    return replace(directory_fd, name, bytes, length, mode, true, is_durable, err);
}

int file_write_value(int directory_fd, const char *name, const char *value)
{
    cleanup_close int fd = openat(directory_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    size_t length = strlen(value);
    ssize_t count;

    if (fd < 0)
        return -errno;
    count = write(fd, value, length);
    if (count < 0)
        return -errno;
    return (size_t)count == length ? 0 : -EIO;
}

void open_files_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int file_lock(int fd, int timeout_ms)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

    for (int waited_ms = 0;; waited_ms += LOCK_PAUSE_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK || waited_ms >= timeout_ms)
            return -errno;
        nanosleep(&pause, NULL);
    }
}
