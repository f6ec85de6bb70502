/*
 * Ownership by scope: a resource declared with one of these attributes is released when its
 * variable goes out of scope, whatever path leaves the function. take_*() hands it over.
 */
#ifndef DAVIT_BASE_CLEANUP_H
#define DAVIT_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Closes *fd if it is one, and marks it empty. errno is kept, so that an error path may call it. */
static inline void fd_close(int *fd)
{
    if (*fd >= 0) {
        int saved = errno;

        close(*fd);
        errno = saved;
    }
    *fd = -1;
}

static inline void cleanup_free_pointer(void *pointer)
{
    free(*(void **)pointer);
}

static inline void cleanup_dir_pointer(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

static inline void cleanup_file_pointer(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_close __attribute__((cleanup(fd_close)))
#define cleanup_dir __attribute__((cleanup(cleanup_dir_pointer)))
#define cleanup_file __attribute__((cleanup(cleanup_file_pointer)))

/* Returns the descriptor and leaves -1 behind: the caller owns it now. */
static inline int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Returns the pointer that lies at `slot` and leaves NULL behind: the caller owns it now. */
static inline void *take_pointer(void *slot)
{
    void **pointer = slot;
    void *taken = *pointer;

    *pointer = NULL;
    return taken;
}

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
