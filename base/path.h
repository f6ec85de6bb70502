/*
 * Paths from outside. They are resolved by the kernel (openat2(2)) relative to a directory
 * descriptor that they cannot leave: no string handling stands between a hostile path and the
 * host. All descriptors are close-on-exec.
 */
#ifndef DAVIT_BASE_PATH_H
#define DAVIT_BASE_PATH_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: `root_fd` is "/" for absolute paths,
 * symlinks and "..". Returns a descriptor or a negative errno (no error object: absence is
 * often an answer). */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode);

/* Opens a regular file for reading in a tree that may be hostile. Anything else is -EINVAL and is
 * not opened: opening a device or a FIFO could have an effect, or wait. */
int path_open_regular_in_root(int root_fd, const char *path);

/* openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS: any symlink, absolute path or ".." that
 * leaves is an error (-ELOOP, -EXDEV). For names that we or a bundle's owner chose. */
int path_open_beneath(int root_fd, const char *path, int flags, mode_t mode);

/* Opens (O_PATH) the directory `path` inside the root, making what is missing with `mode`. What
 * exists may contain symlinks, which stay inside; what is made may not contain "..". */
int path_make_directories(int root_fd, const char *path, mode_t mode, struct error *err);

/* Writes to `resolved` where the path leads inside the root, by symlinks that need not lead to
 * anything yet: absolute, without symlinks and "..". It is what was true at one moment; who opens
 * it then does so by the functions above. Returns 0 or a negative errno, -ELOOP after 40 symlinks.
 */
int path_resolve_in_root(int root_fd, const char *path, char resolved[PATH_MAX]);

/* Splits into directory and last name, both in `storage` of PATH_MAX bytes. "a/b/" is "a" and
 * "b"; "/" is "" and "". Returns 0 or -ENAMETOOLONG. */
int path_split(const char *path, char *storage, const char **directory, const char **name);

/* "/proc/self/fd/N", for the few interfaces that take only paths. */
#define PATH_FD_SIZE 32
const char *path_of_fd(char storage[PATH_FD_SIZE], int fd);

/* True if the descriptor lies on a filesystem of this magic number (statfs(2)). */
bool path_is_on_filesystem(int fd, uint64_t magic);

/* Opens directory_fd/name, following symlinks, to read its entries; dirfd(3) is then its
 * descriptor. NULL with errno set. */
DIR *path_list(int directory_fd, const char *name);

/* Moves directory_fd/name to into_fd as `new_name`, or with ".1", ".2", ... behind it where that is
 * taken. -EXDEV: it is another filesystem. */
int path_move_unique(int directory_fd, const char *name, int into_fd, const char *new_name,
                     struct error *err);

/* Removes a tree of any depth without following symlinks or leaving its filesystem. It renames
 * nothing and needs no free space. What cannot be removed (it is immutable, or mounted on) stays,
 * with the directories above it; if it lies deeper than 64 levels, other entries of these
 * directories may stay too. The rest is removed, and the first failure is the error. A name that
 * does not exist is fine. path_remove.c */
int path_remove_tree(int directory_fd, const char *name, struct error *err);

/* Moves directory_fd/name to trash_fd, where it is removed later; removes it at once if trash_fd is
 * on another filesystem. path_remove.c */
int path_discard(int directory_fd, const char *name, int trash_fd, struct error *err);

/* Opens the directory above, if it is still the one that it was: -EBUSY where this one was moved
 * meanwhile, to anywhere. */
int path_open_parent(int directory_fd, dev_t device, ino_t inode);

/* Adds the bytes that a tree takes on disk, however deep it is. A file with N hard links counts 1/N
 * for each. Follows no symlink and stays on one filesystem. A name that does not exist takes
 * nothing. path_size.c */
int path_tree_size(int directory_fd, const char *name, uint64_t *bytes, struct error *err);

/* mkdir -p for a path of the administrator's choice; what it makes has that mode, whatever the
 * umask. Returns an O_DIRECTORY descriptor. */
int path_make_host_directory(const char *path, mode_t mode, struct error *err);

#endif
