/* Reading ahead: a thread reads from a source into buffers while its owner works on what came
 * before. One reader. The source belongs to the thread from ahead_start() to ahead_stop(). */
#ifndef DAVIT_IMAGES_WORKER_AHEAD_H
#define DAVIT_IMAGES_WORKER_AHEAD_H

#include <sys/types.h>

#include "base/error.h"

struct ahead;

/* `read` returns the number of bytes, 0 at the end, or a negative errno with err filled. Returns
 * when the thread runs: the process may give up clone(2) then. */
struct ahead *ahead_start(ssize_t (*read)(void *source, void *bytes, size_t size,
                                          struct error *err),
                          void *source, struct error *err);
ssize_t ahead_read(struct ahead *ahead, void *bytes, size_t size, struct error *err);
/* Ends the thread, wherever it is. */
void ahead_stop(struct ahead *ahead);

#endif
