/* Names that a container may not know: see resolver.h. */
#include "resolver.h"

#define TOLD_PER_SECOND 10

static void report_refused_name(struct served *served, const char *name)
{
    const struct resolver_refusal refusal = {served->container.id, name, served->refused};

    if (report_refusal(served->resolver, &refusal))
        served->refused_told = served->refused;
}

void refusal_note(struct served *served, const char *name)
{
    uint64_t second = resolver_now_ms() / 1000;

    served->refused++;
    if (served->refusals_second != second) {
        served->refusals_second = second;
        served->refusals_count = 0;
    }
    if (served->refusals_count++ < TOLD_PER_SECOND)
        report_refused_name(served, name);
}

void refusals_forget(struct served *served)
{
    served->refused = served->refused_told = 0;
}

uint64_t refusals_expire(struct served *served, uint64_t now_ms, uint64_t next_ms)
{
    uint64_t due_ms = (served->refusals_second + 1) * 1000;

    if (served->refused == served->refused_told || !report_is_open(served->resolver))
        return next_ms;
    if (due_ms <= now_ms) {
        report_refused_name(served, NULL);
        /* Tried again in a second, in case davitd was too busy to take it. */
        due_ms = now_ms + 1000;
    }
    return due_ms < next_ms ? due_ms : next_ms;
}
