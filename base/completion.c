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

/* Behind the last of those that were there when completions_end() began. */
struct marker {
    struct completion completion;
    bool is_passed;
};

static void on_marker(struct completion *completion, const struct error *err)
{
    (void)err;
    ((struct marker *)(void *)completion)->is_passed = true;
}

void completions_end(struct completion **list, const struct error *err)
{
    struct marker marker = {.completion.done = on_marker};

    completion_add(list, &marker.completion);
    /* One that is called may end the list as well, and then passes the marker. */
    while (!marker.is_passed) {
        struct completion *completion = *list;

        *list = completion->next;
        completion->next = NULL;
        completion->done(completion, err);
    }
}
