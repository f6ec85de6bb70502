/*
 * Completions: callbacks for what takes time. A waiter has a struct completion as a member of its
 * own struct, which holds what the waiter needs to know. Whoever is waited for keeps a list of
 * completions and calls them when the wait is over. All in one thread.
 */
#ifndef DAVIT_BASE_COMPLETION_H
#define DAVIT_BASE_COMPLETION_H

#include <stdbool.h>

#include "error.h"

struct completion {
    struct completion *next; /* in the list of what it waits for */
    /* Called once, after the completion has left its list; may release the completion. `err` is
     * NULL if what was waited for has happened; otherwise it says why that cannot happen. */
    void (*done)(struct completion *completion, const struct error *err);
};

/* Adds a completion at the end of a list. */
void completion_add(struct completion **list, struct completion *completion);

/* Takes a completion out of the list without calling it, because nobody waits any more. Does
 * nothing if the completion is not in the list. */
void completion_remove(struct completion **list, const struct completion *completion);

/* All of `from` become the last of `to`. */
void completions_move(struct completion **to, struct completion **from);

/* Calls all that are in the list now, in order. One that is called may wait again: it is called the
 * next time. */
void completions_end(struct completion **list, const struct error *err);

#endif
