/* The files of a log and their rotation: see log_files.h. */
#include "log_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define NAME_SIZE 128
/* A reader looks again if the log was rotated while it looked. So many rotations in a row do not
 * happen. */
#define TRIES_MAX 100

/* Number 0 is the current file. */
static const char *file_name(char name[NAME_SIZE], const char *id, unsigned int number)
{
    if (number == 0)
        snprintf(name, NAME_SIZE, "%.100s-json.log", id);
    else
        snprintf(name, NAME_SIZE, "%.100s-json.log.%u", id, number);
    return name;
}

int log_files_open_current(int directory_fd, const char *id, struct error *err)
{
    char name[NAME_SIZE];
    int fd = file_open_regular(directory_fd, file_name(name, id, 0),
                               O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);

    return fd < 0 ? error_errno(err, -fd, "log") : fd;
}

/* An empty file other than the current one was left by an interrupted rotation: it does not
 * count. */
static bool exists(int directory_fd, const char *id, unsigned int number)
{
    struct stat status;
    char name[NAME_SIZE];

    return fstatat(directory_fd, file_name(name, id, number), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           (number == 0 || status.st_size > 0);
}

/* Frees the number 1. */
static int shift(int directory_fd, const char *id, unsigned int max_files)
{
    unsigned int last = 1;
    char from[NAME_SIZE];
    char to[NAME_SIZE];

    while (last + 1 < max_files && exists(directory_fd, id, last))
        last++;
    for (unsigned int number = last; number > 1; number--) {
        if (renameat(directory_fd, file_name(from, id, number - 1), directory_fd,
                     file_name(to, id, number)) < 0 &&
            errno != ENOENT)
            return -errno;
    }
    /* Fewer may be wanted than there were; what is left of an interrupted rotation goes as well. */
    for (unsigned int number = max_files;
         number <= LOG_FILES_MAX && unlinkat(directory_fd, file_name(to, id, number), 0) == 0;
         number++)
        continue;
    if (unlinkat(directory_fd, file_name(to, id, 1), 0) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

int log_files_rotate(int directory_fd, const char *id, unsigned int max_files, int fd,
                     struct error *err)
{
    cleanup_close int fresh_fd = -1;
    char current[NAME_SIZE];
    char first[NAME_SIZE];
    int result;

    if (max_files <= 1)
        return ftruncate(fd, 0) < 0 ? error_errno(err, errno, "empty the log") : fd;
    result = shift(directory_fd, id, max_files);
    if (result < 0)
        return error_errno(err, -result, "rotate the log");
    fresh_fd = openat(directory_fd, file_name(first, id, 1),
                      O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fresh_fd < 0 || renameat2(directory_fd, first, directory_fd, file_name(current, id, 0),
                                  RENAME_EXCHANGE) < 0)
        return error_errno(err, errno, "rotate the log");
    return take_fd(&fresh_fd);
}

static int open_number(int directory_fd, const char *id, unsigned int number)
{
    char name[NAME_SIZE];

    return file_open_regular(directory_fd, file_name(name, id, number), O_RDONLY | O_NOFOLLOW, 0);
}

/* The highest number in use, 0 if there is but the current one. A gap is a moment of a rotation. */
static unsigned int find_oldest(int directory_fd, const char *id)
{
    unsigned int number = 0;

    while (number < LOG_FILES_MAX &&
           (exists(directory_fd, id, number + 1) || exists(directory_fd, id, number + 2)))
        number += exists(directory_fd, id, number + 1) ? 1 : 2;
    return number;
}

static bool is_number(int directory_fd, const char *id, unsigned int number,
                      const struct stat *status)
{
    struct stat found;
    char name[NAME_SIZE];

    return fstatat(directory_fd, file_name(name, id, number), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
           found.st_ino == status->st_ino && found.st_dev == status->st_dev;
}

/* The number of an open file; -1 if it has none any more. */
static int find_number(int directory_fd, const char *id, int fd)
{
    unsigned int oldest = find_oldest(directory_fd, id);
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -1;
    for (unsigned int number = 0; number <= oldest; number++) {
        if (is_number(directory_fd, id, number, &status))
            return (int)number;
    }
    return -1;
}

int log_files_open_oldest(int directory_fd, const char *id, struct error *err)
{
    cleanup_close int current_fd = open_number(directory_fd, id, 0);
    int fd = -ENOENT;

    /* A container that never ran has no log yet. One that cannot be written can be read. */
    if (current_fd == -ENOENT)
        current_fd = log_files_open_current(directory_fd, id, err);
    if (current_fd < 0)
        return error_errno(err, -current_fd, "log");
    for (int tries = 0; fd == -ENOENT && tries < TRIES_MAX; tries++)
        fd = open_number(directory_fd, id, find_oldest(directory_fd, id));
    return fd < 0 ? error_errno(err, -fd, "log") : fd;
}

/* The nearest number below (towards the current file) or above that is in use. */
static int neighbour(int directory_fd, const char *id, int number, bool is_newer)
{
    unsigned int oldest = find_oldest(directory_fd, id);

    if (is_newer) {
        for (number--; number > 0 && !exists(directory_fd, id, (unsigned int)number); number--)
            continue;
        return number;
    }
    for (number++; number <= (int)oldest; number++) {
        if (exists(directory_fd, id, (unsigned int)number))
            return number;
    }
    return -1;
}

/* Opens the file before or after that of `fd`. Tries again if a rotation moved one of the two. */
static int open_neighbour(int directory_fd, const char *id, int fd, bool is_newer)
{
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        int number = find_number(directory_fd, id, fd);
        int next;
        int opened;

        if (number == 0 && is_newer)
            return -ENOENT;
        if (number < 0 && !is_newer)
            return -ENOENT;
        next = number < 0 ? (int)find_oldest(directory_fd, id)
                          : neighbour(directory_fd, id, number, is_newer);
        if (next < 0)
            return -ENOENT;
        opened = open_number(directory_fd, id, (unsigned int)next);
        if (opened >= 0 && find_number(directory_fd, id, fd) == number &&
            find_number(directory_fd, id, opened) == next)
            return opened;
        if (opened >= 0)
            close(opened);
    }
    return -EAGAIN;
}

int log_files_open_next(int directory_fd, const char *id, int fd)
{
    return open_neighbour(directory_fd, id, fd, true);
}

int log_files_open_previous(int directory_fd, const char *id, int fd)
{
    return open_neighbour(directory_fd, id, fd, false);
}
