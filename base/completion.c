/* Lists of completions: see completion.h. */
#include "completion.h"

#include <stddef.h>

void completion_add(struct completion **list, struct completion *completion)
{
    while (*list != NULL)
        list = &(*list)->next;
    completion->next = NULL;
    *list = completion;
}

void completion_remove(struct completion **list, const struct completion *completion)
{
    while (*list != NULL && *list != completion)
        list = &(*list)->next;
    if (*list != NULL)
        *list = completion->next;
}

void completions_move(struct completion **to, struct completion **from)
{
    while (*to != NULL)
        to = &(*to)->next;
    *to = *from;
    *from = NULL;
}

void completions_end(struct completion **list, const struct error *err)
{
    while (*list != NULL) {
        struct completion *completion = *list;

        *list = completion->next;
        completion->next = NULL;
        completion->done(completion, err);
    }
}
