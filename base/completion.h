/*
 * Completions: what takes time ends by calling one. It is a member of the struct of whoever waits,
 * which knows what it is about; whoever makes it wait keeps a list of them. One thread.
 */
#ifndef DAVIT_BASE_COMPLETION_H
#define DAVIT_BASE_COMPLETION_H

#include <stdbool.h>

#include "error.h"

struct completion {
    struct completion *next; /* in the list of what it waits for */
    /* Called once, when it is in no list any more. `err` is NULL if what it waited for has
     * happened, and else says why that cannot be. It may release the completion. */
    void (*done)(struct completion *completion, const struct error *err);
};

/* Adds it as the last of a list. */
void completion_add(struct completion **list, struct completion *completion);

/* Nobody waits any more: takes it out of the list, and it is not called. Fine if it is not in it.
 */
void completion_remove(struct completion **list, const struct completion *completion);

/* All of `from` become the last of `to`. */
void completions_move(struct completion **to, struct completion **from);

/* Calls all of the list, in order, also those that are added meanwhile. */
void completions_end(struct completion **list, const struct error *err);

#endif
