/* Whole files: read with a bound, written so that a reader sees the old or the new content. */
#ifndef DAVIT_BASE_FILE_H
#define DAVIT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "buffer.h"
#include "error.h"

/* Appends all that can be read from fd; -EFBIG beyond max_bytes. Returns 0 or a negative errno. */
int file_read_fd(int fd, size_t max_bytes, struct buffer *content);

/* Opens a regular file, with the flags of open(2); another kind, a FIFO say, is -EINVAL at once.
 * Returns the descriptor or a negative errno. */
int file_open_regular(int directory_fd, const char *path, int flags, mode_t mode);

/* Whether something is there that a file must not be put in the place of: a device, a FIFO, a
 * socket. /dev/null as an output is written to, and stays. */
bool file_is_special(int directory_fd, const char *path);

/* Reads a regular file, directory_fd/path (or AT_FDCWD and a path), following symlinks: for our own
 * and the administrator's files. */
int file_read(int directory_fd, const char *path, size_t max_bytes, struct buffer *content,
              struct error *err);

/* The same of a file that the caller's user names, which may be a pipe: a shell's <(command). Waits
 * for who writes it. */
int file_read_any(const char *path, size_t max_bytes, struct buffer *content, struct error *err);

/* Writes all bytes, however many writes it takes. Returns 0 or a negative errno. */
int file_write_fd(int fd, const void *bytes, size_t length);

/* Makes a file in memory (memfd_create(2)) with these bytes, positioned at its beginning, for
 * programs that read a descriptor. Returns the descriptor or a negative errno. */
int file_in_memory(const char *name, const void *bytes, size_t length);

/* Replaces directory_fd/name by rename. With `is_durable` content and name are synced, and where
 * that fails, what was there before is put back. */
int file_replace(int directory_fd, const char *name, const void *bytes, size_t length, mode_t mode,
                 bool is_durable, struct error *err);

/*
 * The same, and the file's sum is kept in an extended attribute (user.davit.sum), where the
 * filesystem has those: file_read_sealed() refuses content of another sum with EBADMSG, and leaves
 * it in `content`. A file without the attribute, as an editor or a backup leaves it, is read as
 * it is.
 */
int file_replace_sealed(int directory_fd, const char *name, const void *bytes, size_t length,
                        mode_t mode, bool is_durable, struct error *err);
int file_read_sealed(int directory_fd, const char *name, size_t max_bytes, struct buffer *content,
                     struct error *err);

/* Whether the file's sum is that of these bytes, without reading it. True where it has none. */
bool file_is_sealed_as(int fd, const void *bytes, size_t length);

/* Writes a short string to an existing file such as one of procfs or cgroupfs: one write(2), as
 * those want it. Returns 0 or a negative errno. */
int file_write_value(int directory_fd, const char *name, const char *value);

/* Raises the soft limit of open files to the hard limit, which every process is allowed to do. */
void open_files_raise_limit(void);

/* Locks the open file for this process alone (flock(2)). The process that held the lock may be
 * dying, and the kernel takes a moment to drop its lock: so this waits up to timeout_ms.
 * -EWOULDBLOCK if the lock is held even then. */
int file_lock(int fd, int timeout_ms);

#endif
